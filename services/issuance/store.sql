-- migration: 1
-- One job for each allotment: the unique key is what makes an allotment work once.
CREATE TABLE job (
    job_id text PRIMARY KEY,
    allotment_id text NOT NULL UNIQUE,
    order_digest bytea NOT NULL,
    grant_id text NOT NULL,
    organization_id text NOT NULL,
    member_id text NOT NULL,
    printer_id text NOT NULL,
    printer_name text NOT NULL,
    seal_id text NOT NULL,
    grant_signed bytea NOT NULL,
    allotment_signed bytea NOT NULL,
    created_at bigint NOT NULL
);
CREATE INDEX job_by_grant ON job (grant_id);

-- A number of a grant has marks once, unless the printer's journal proved that it never started ("returned").
CREATE TABLE impression (
    grant_id text NOT NULL,
    number integer NOT NULL,
    allotment_id text NOT NULL,
    job_id text NOT NULL,
    impression_id text NOT NULL,
    token text NOT NULL,
    serial text NOT NULL,
    cipher_hash bytea NOT NULL,
    statement bytea NOT NULL,
    issued_at bigint NOT NULL,
    state text NOT NULL DEFAULT 'issued'
        CHECK (state IN ('issued', 'interrupted', 'printed', 'spoiled', 'returned', 'revoked')),
    at bigint NOT NULL DEFAULT 0,
    reason text NOT NULL DEFAULT '',
    replaces integer NOT NULL DEFAULT 0,
    PRIMARY KEY (grant_id, number, allotment_id)
) PARTITION BY HASH (grant_id);
CREATE UNIQUE INDEX impression_once ON impression (grant_id, number) WHERE state <> 'returned';
CREATE INDEX impression_by_job ON impression (job_id);

-- Tokens and serials are unique over all grants, also those of impressions that never were.
CREATE TABLE impression_token (
    token text PRIMARY KEY,
    grant_id text NOT NULL,
    number integer NOT NULL,
    allotment_id text NOT NULL
) PARTITION BY HASH (token);
CREATE TABLE impression_serial (
    serial text PRIMARY KEY,
    grant_id text NOT NULL,
    number integer NOT NULL,
    allotment_id text NOT NULL
) PARTITION BY HASH (serial);

DO $$
BEGIN
    FOR i IN 0..15 LOOP
        EXECUTE format('CREATE TABLE impression_%s PARTITION OF impression FOR VALUES WITH (MODULUS 16, REMAINDER %s)', i, i);
        EXECUTE format('CREATE TABLE impression_token_%s PARTITION OF impression_token FOR VALUES WITH (MODULUS 16, REMAINDER %s)', i, i);
        EXECUTE format('CREATE TABLE impression_serial_%s PARTITION OF impression_serial FOR VALUES WITH (MODULUS 16, REMAINDER %s)', i, i);
    END LOOP;
END $$;

-- query: issuance_job_by_allotment
SELECT job_id, order_digest FROM job WHERE allotment_id = $1

-- query: issuance_job
SELECT job_id, allotment_id, grant_id, organization_id, member_id, printer_id, grant_signed, allotment_signed, created_at
FROM job WHERE job_id = $1

-- query: issuance_job_marks
SELECT number, token, serial, cipher_hash, state, at, reason, replaces
FROM impression WHERE grant_id = $1 AND job_id = $2 ORDER BY number

-- query: issuance_marks_taken
SELECT (SELECT count(*) FROM impression_token WHERE token = ANY ($1::text[]))
     + (SELECT count(*) FROM impression_serial WHERE serial = ANY ($2::text[]))

-- query: issuance_numbers_live
SELECT number, allotment_id, state FROM impression
WHERE grant_id = $1 AND number = ANY ($2::integer[]) AND state <> 'returned'

-- query: issuance_number_returned
-- Authorization gave the number out again: the marks made before were never on paper.
UPDATE impression SET state = 'returned', at = $4
WHERE grant_id = $1 AND number = $2 AND allotment_id = $3 AND state = 'issued'

-- query: issuance_job_add
INSERT INTO job (job_id, allotment_id, order_digest, grant_id, organization_id, member_id, printer_id, printer_name,
    seal_id, grant_signed, allotment_signed, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (allotment_id) DO NOTHING

-- query: issuance_impression_add
-- The three rows of one impression or none that counts: fewer than three means that a key was taken, and the call fails.
WITH mark AS (INSERT INTO impression_token (token, grant_id, number, allotment_id) VALUES ($5, $1, $2, $3)
        ON CONFLICT DO NOTHING RETURNING 1),
    digits AS (INSERT INTO impression_serial (serial, grant_id, number, allotment_id) VALUES ($6, $1, $2, $3)
        ON CONFLICT DO NOTHING RETURNING 1),
    base AS (INSERT INTO impression (grant_id, number, allotment_id, job_id, token, serial, impression_id, cipher_hash,
        statement, issued_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING 1)
SELECT (SELECT count(*) FROM base), (SELECT count(*) FROM mark) + (SELECT count(*) FROM digits)

-- query: issuance_find_by_token
SELECT i.impression_id, i.grant_id, i.number, i.token, i.serial, i.cipher_hash, i.statement, i.issued_at, i.job_id,
       j.printer_id, j.printer_name, j.grant_signed, j.allotment_signed
FROM impression_token t
JOIN impression i USING (grant_id, number, allotment_id)
JOIN job j ON j.job_id = i.job_id
WHERE t.token = $1

-- query: issuance_find_by_serial
SELECT i.impression_id, i.grant_id, i.number, i.token, i.serial, i.cipher_hash, i.statement, i.issued_at, i.job_id,
       j.printer_id, j.printer_name, j.grant_signed, j.allotment_signed
FROM impression_serial s
JOIN impression i USING (grant_id, number, allotment_id)
JOIN job j ON j.job_id = i.job_id
WHERE s.serial = $1

-- query: issuance_outcome_lock
SELECT state FROM impression WHERE grant_id = $1 AND number = $2 AND allotment_id = $3 FOR UPDATE

-- query: issuance_outcome_put
UPDATE impression SET state = $4, at = $5, reason = $6, replaces = $7
WHERE grant_id = $1 AND number = $2 AND allotment_id = $3
