-- migration: 1
-- What a page needs, ready-made: a look-up by token is one row by its primary key. `row` is a packed Verdict with
-- everything that does not change by the minute; whatever it shows can be made again from the tables below.
CREATE TABLE mark (
    token text PRIMARY KEY,
    grant_id text NOT NULL,
    allotment_id text NOT NULL,
    seal_id text NOT NULL,
    state smallint NOT NULL,     -- rules.h, enum outcome
    flags smallint NOT NULL,     -- rules.h, enum mark_flag
    not_after bigint NOT NULL,   -- of the allotment
    cipher_hash bytea NOT NULL,
    row bytea NOT NULL
) PARTITION BY HASH (token);
CREATE TABLE mark_serial (
    serial text PRIMARY KEY,
    token text NOT NULL
) PARTITION BY HASH (serial);

-- What issuance signed: `base` is the packed Verdict as it was when the marks were made.
CREATE TABLE impression (
    grant_id text NOT NULL,
    number integer NOT NULL,
    allotment_id text NOT NULL,
    token text NOT NULL,
    seal_id text NOT NULL,
    not_after bigint NOT NULL,
    cipher_hash bytea NOT NULL,
    base bytea NOT NULL,
    PRIMARY KEY (grant_id, number, allotment_id)
) PARTITION BY HASH (grant_id);

-- What authorization said of the numbers, whether the marks are known already or not.
CREATE TABLE outcome (
    grant_id text NOT NULL,
    number integer NOT NULL,
    allotment_id text NOT NULL,
    state smallint NOT NULL,
    at bigint NOT NULL,
    printed_at bigint NOT NULL,
    doubtful boolean NOT NULL,
    PRIMARY KEY (grant_id, number, allotment_id)
) PARTITION BY HASH (grant_id);

-- Which number stands for a spoiled one.
CREATE TABLE replacement (
    grant_id text NOT NULL,
    number integer NOT NULL,
    replaced_by integer NOT NULL,
    PRIMARY KEY (grant_id, number)
);

CREATE TABLE grant_state (
    grant_id text PRIMARY KEY,
    flags smallint NOT NULL,
    at bigint NOT NULL
);

CREATE TABLE seal (
    seal_id text PRIMARY KEY,
    state text NOT NULL,
    seal_seq bigint NOT NULL,
    ended_at bigint NOT NULL -- since when it should not print; 0 where it may
);

-- Facts that concern papers, and the registries' answers, in whichever order they come.
CREATE TABLE fact (
    fact_id text PRIMARY KEY,
    grant_id text NOT NULL,
    number integer NOT NULL,      -- 0: of all
    allotment_id text NOT NULL,   -- '': of all
    kind text NOT NULL,
    digest bytea NOT NULL,
    at bigint NOT NULL,
    registries text[] NOT NULL
);
CREATE INDEX fact_by_grant ON fact (grant_id);
CREATE TABLE receipt (
    fact_id text NOT NULL,
    registry text NOT NULL,
    fact_digest bytea NOT NULL,
    filing_number text NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (fact_id, registry)
);

-- How often a mark was checked in a day (UTC+8); nothing about who did.
CREATE TABLE check_count (
    token text NOT NULL,
    day text NOT NULL,
    n bigint NOT NULL,
    PRIMARY KEY (token, day)
);

-- Wrong ciphers. Unlogged: a crash of the store forgives them, no more.
CREATE UNLOGGED TABLE cipher_try (
    token text PRIMARY KEY,
    wrong integer NOT NULL,
    at bigint NOT NULL,
    next_at bigint NOT NULL
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['mark', 'mark_serial', 'impression', 'outcome'] LOOP
        FOR i IN 0..15 LOOP
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS 16, REMAINDER %s)',
                name || '_' || i, name, i);
        END LOOP;
    END LOOP;
END $$;

-- migration: 2
-- Look-ups of one key in partitions: planning each anew costs more than all the rest of it.
ALTER ROLE CURRENT_USER SET plan_cache_mode = force_generic_plan;

-- migration: 3
-- A plan that is made while tables are empty must be right when they are full: every query has its index.
ALTER ROLE CURRENT_USER SET enable_seqscan = off;
ALTER ROLE CURRENT_USER SET enable_hashjoin = off;
ALTER ROLE CURRENT_USER SET enable_mergejoin = off;
-- All of this can be read again: what a crash of the store takes goes together with the inbox's position.
ALTER ROLE CURRENT_USER SET synchronous_commit = off;

-- query: verification_mark
SELECT m.row, m.state, m.flags, m.not_after, m.cipher_hash, coalesce(s.state, '')
FROM mark m LEFT JOIN seal s ON s.seal_id = m.seal_id WHERE m.token = $1

-- query: verification_marks
-- The same of many tokens at once: what one statement costs is paid once.
SELECT m.row, m.state, m.flags, m.not_after, m.cipher_hash, coalesce(s.state, ''), t.i
FROM unnest($1::text[]) WITH ORDINALITY AS t (token, i)
JOIN mark m ON m.token = t.token LEFT JOIN seal s ON s.seal_id = m.seal_id

-- query: verification_token_of
SELECT token FROM mark_serial WHERE serial = $1

-- query: verification_where
-- Whom to ask: only when the read model may be old.
SELECT grant_id, allotment_id FROM mark WHERE token = $1

-- query: verification_impression_add
INSERT INTO impression (grant_id, number, allotment_id, token, seal_id, not_after, cipher_hash, base)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING

-- query: verification_serial_add
INSERT INTO mark_serial (serial, token) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- query: verification_mark_put
INSERT INTO mark (token, grant_id, allotment_id, seal_id, state, flags, not_after, cipher_hash, row)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (token) DO UPDATE SET state = EXCLUDED.state, flags = EXCLUDED.flags, row = EXCLUDED.row

-- query: verification_build
-- All that a row is made of, of one number or of all numbers ($2 = 0) of a grant.
SELECT i.token, i.seal_id, i.not_after, i.cipher_hash, i.base, i.number, i.allotment_id,
       coalesce(o.state, 0::smallint), coalesce(o.printed_at, 0), coalesce(o.doubtful, false),
       coalesce(r.replaced_by, 0), coalesce(g.flags, 0::smallint)
FROM impression i
LEFT JOIN outcome o ON o.grant_id = i.grant_id AND o.number = i.number AND o.allotment_id = i.allotment_id
LEFT JOIN replacement r ON r.grant_id = i.grant_id AND r.number = i.number
LEFT JOIN grant_state g ON g.grant_id = i.grant_id
WHERE i.grant_id = $1 AND ($2::integer = 0 OR i.number = $2)

-- query: verification_filings
SELECT f.number, f.allotment_id, f.kind, x.registry, coalesce(r.filing_number, ''), coalesce(r.at, f.at), r.fact_id IS NOT NULL
FROM fact f
CROSS JOIN LATERAL (
    SELECT unnest(f.registries) AS registry
    UNION SELECT registry FROM receipt WHERE fact_id = f.fact_id AND fact_digest = f.digest) x
LEFT JOIN receipt r ON r.fact_id = f.fact_id AND r.registry = x.registry AND r.fact_digest = f.digest
WHERE f.grant_id = $1 AND ($2::integer = 0 OR f.number IN (0, $2))
ORDER BY x.registry, f.at, f.fact_id

-- query: verification_outcome
SELECT state, doubtful FROM outcome WHERE grant_id = $1 AND number = $2 AND allotment_id = $3

-- query: verification_outcome_put
INSERT INTO outcome (grant_id, number, allotment_id, state, at, printed_at, doubtful) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (grant_id, number, allotment_id) DO UPDATE SET state = EXCLUDED.state, at = EXCLUDED.at,
    printed_at = greatest(outcome.printed_at, EXCLUDED.printed_at), doubtful = outcome.doubtful OR EXCLUDED.doubtful

-- query: verification_replacement_put
INSERT INTO replacement (grant_id, number, replaced_by) VALUES ($1, $2, $3)
ON CONFLICT (grant_id, number) DO UPDATE SET replaced_by = EXCLUDED.replaced_by

-- query: verification_grant_put
INSERT INTO grant_state (grant_id, flags, at) VALUES ($1, $2, $3)
ON CONFLICT (grant_id) DO UPDATE SET flags = EXCLUDED.flags, at = EXCLUDED.at

-- query: verification_seal
SELECT state, seal_seq, ended_at FROM seal WHERE seal_id = $1

-- query: verification_seal_put
INSERT INTO seal (seal_id, state, seal_seq, ended_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (seal_id) DO UPDATE SET state = EXCLUDED.state, seal_seq = EXCLUDED.seal_seq, ended_at = EXCLUDED.ended_at
WHERE seal.seal_seq < EXCLUDED.seal_seq

-- query: verification_fact_add
INSERT INTO fact (fact_id, grant_id, number, allotment_id, kind, digest, at, registries)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text[]) ON CONFLICT DO NOTHING

-- query: verification_receipt_add
INSERT INTO receipt (fact_id, registry, fact_digest, filing_number, at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING

-- query: verification_fact
SELECT grant_id, number FROM fact WHERE fact_id = $1 AND digest = $2

-- query: verification_checked
INSERT INTO check_count (token, day, n) VALUES ($1, $2, 1)
ON CONFLICT (token, day) DO UPDATE SET n = check_count.n + 1

-- query: verification_cipher_claim
-- A try is counted before it is judged, so that many at once are no way around the pauses: three are free, then 1 s,
-- 2 s, 4 s ... a quarter of an hour; a day of peace forgets. No row: too early.
INSERT INTO cipher_try AS t (token, wrong, at, next_at) VALUES ($1, 1, $2, $2)
ON CONFLICT (token) DO UPDATE SET
    wrong = CASE WHEN t.at < $2 - 86400000 THEN 1 ELSE t.wrong + 1 END,
    at = $2,
    next_at = CASE WHEN t.at < $2 - 86400000 OR t.wrong < 3 THEN $2
        ELSE $2 + least(900000, 1000 * (1 << least(t.wrong - 3, 10))) END
WHERE t.next_at <= $2
RETURNING wrong

-- query: verification_cipher_pause
SELECT next_at FROM cipher_try WHERE token = $1

-- query: verification_facts_right
-- Right facts were no try: the claim is taken back. The wrong ones before it stay counted.
UPDATE cipher_try SET wrong = greatest(wrong - 1, 0), next_at = $2 WHERE token = $1

-- query: verification_cipher_right
DELETE FROM cipher_try WHERE token = $1
