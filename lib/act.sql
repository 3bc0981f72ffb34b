-- migration: 1
-- One row for each prepared act. What was proven is in `proof`, what was shown is `content`, byte for byte.
CREATE TABLE act (
    act_id text PRIMARY KEY,
    kind text NOT NULL,
    organization_id text NOT NULL,
    member_id text NOT NULL,
    terminal_id text NOT NULL,
    content bytea NOT NULL,
    secret bytea,
    ticket bytea NOT NULL,
    prepared_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    committed_at bigint,
    proof bytea,
    result bytea,
    CHECK ((committed_at IS NULL) = (result IS NULL)),
    CHECK ((committed_at IS NULL) = (proof IS NULL)),
    CHECK (committed_at IS NULL OR secret IS NULL)
);
CREATE INDEX act_stale ON act (expires_at) WHERE committed_at IS NULL;

-- query: act_add
INSERT INTO act (act_id, kind, organization_id, member_id, terminal_id, content, secret, ticket, prepared_at,
                 expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)

-- query: act_forget_stale
-- Acts that nobody committed: a few at a time, whoever prepares the next one.
DELETE FROM act WHERE act_id IN (
    SELECT act_id FROM act WHERE committed_at IS NULL AND expires_at < $1
    ORDER BY expires_at LIMIT 10 FOR UPDATE SKIP LOCKED)

-- query: act_lock
SELECT kind, organization_id, member_id, terminal_id, content, secret, ticket, prepared_at, expires_at,
       committed_at IS NOT NULL, result, proof
FROM act WHERE act_id = $1 FOR UPDATE

-- query: act_commit
UPDATE act SET committed_at = $2, result = $3, proof = $4, secret = NULL
WHERE act_id = $1 AND committed_at IS NULL
