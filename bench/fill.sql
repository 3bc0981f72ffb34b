-- A million impressions like the real one whose token and serial are given: the same rows that verification's own code
-- wrote, with other marks in them. Variables: token, serial, n.
\set ON_ERROR_STOP on
SET search_path = verification;
SET synchronous_commit = off;
CREATE TEMP TABLE one AS
SELECT m.grant_id, m.allotment_id, m.seal_id, m.state, m.flags, m.not_after, m.cipher_hash, m.row, i.base, i.number
FROM mark m JOIN impression i ON i.token = m.token WHERE m.token = :'token';
CREATE TEMP TABLE marks AS
SELECT i, translate(substr(md5('chop' || i), 1, 16), 'abcdef', 'ABCDEF') AS token, lpad((i::bigint * 7919)::text, 16, '1') AS serial
FROM generate_series(1, :n) i;
INSERT INTO mark (token, grant_id, allotment_id, seal_id, state, flags, not_after, cipher_hash, row)
SELECT t.token, grant_id || t.i, allotment_id, seal_id, state, flags, not_after, cipher_hash,
    overlay(overlay(row PLACING t.token::bytea FROM position(:'token'::bytea IN row))
        PLACING t.serial::bytea FROM position(:'serial'::bytea IN row))
FROM marks t, one;
INSERT INTO mark_serial (serial, token) SELECT serial, token FROM marks;
INSERT INTO impression (grant_id, number, allotment_id, token, seal_id, not_after, cipher_hash, base)
SELECT grant_id || t.i, number, allotment_id, t.token, seal_id, not_after, cipher_hash, base FROM marks t, one;
VACUUM ANALYZE mark;
VACUUM ANALYZE mark_serial;
VACUUM ANALYZE impression;
SELECT token FROM marks;
