-- migration: 1
-- Every fact once, whatever registries it concerns: a registry that joins later is given what it asks for.
CREATE TABLE fact (
    fact_id text PRIMARY KEY,
    organization_id text NOT NULL,
    seal_id text NOT NULL,
    seal_seq bigint NOT NULL,
    kind text NOT NULL,
    grant_id text NOT NULL,
    number integer NOT NULL,
    digest bytea NOT NULL,    -- SHA-256 of the payload
    statement bytea NOT NULL, -- packed Signed{fact}, as it came
    at bigint NOT NULL,
    UNIQUE (seal_id, seal_seq)
);

-- (registry, seal): in order, one in flight. due_at: when there is something to do; NULL: nothing. Whoever claims a lane
-- holds it until lease_until; the fence tells a late one that another has taken over.
CREATE TABLE lane (
    registry text NOT NULL,
    seal_id text NOT NULL,
    due_at bigint,
    lease_until bigint NOT NULL DEFAULT 0,
    fence bigint NOT NULL DEFAULT 0,
    stopped boolean NOT NULL DEFAULT false, -- by a dead letter
    PRIMARY KEY (registry, seal_id)
);
CREATE INDEX lane_due ON lane (registry, due_at) WHERE due_at IS NOT NULL AND NOT stopped;

CREATE TABLE filing (
    filing_id text PRIMARY KEY,
    registry text NOT NULL,
    fact_id text NOT NULL REFERENCES fact,
    organization_id text NOT NULL,
    seal_id text NOT NULL,
    seal_seq bigint NOT NULL,
    grant_id text NOT NULL,
    idempotency_key text NOT NULL UNIQUE,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sending', 'unknown', 'receipted', 'dead')),
    attempts integer NOT NULL DEFAULT 0, -- exchanges in all
    failures integer NOT NULL DEFAULT 0, -- in a row
    last_error text NOT NULL DEFAULT '',
    number text NOT NULL DEFAULT '',     -- the registry's
    receipt bytea,                       -- packed Signed{receipt}
    at bigint NOT NULL,                  -- of the last change of state
    next_at bigint NOT NULL DEFAULT 0,
    UNIQUE (registry, seal_id, seal_seq)
);
CREATE INDEX filing_open ON filing (registry, seal_id, seal_seq) WHERE state <> 'receipted';
CREATE INDEX filing_open_of ON filing (organization_id) WHERE state <> 'receipted';
CREATE INDEX filing_by_grant ON filing (grant_id) WHERE grant_id <> '';
CREATE INDEX filing_by_organization ON filing (organization_id, filing_id);
CREATE INDEX filing_by_seal ON filing (seal_id, filing_id);

CREATE TABLE replay (
    filing_id text NOT NULL REFERENCES filing,
    member_id text NOT NULL,
    member_name text NOT NULL,
    reason text NOT NULL,
    last_error text NOT NULL,
    at bigint NOT NULL
);
CREATE INDEX replay_by_filing ON replay (filing_id);

-- migration: 2
-- A gap notice stands in a dead filing's place: what is sent for that row is the notice then; skipped: it was receipted.
ALTER TABLE filing ADD COLUMN notice_id text REFERENCES fact,
    DROP CONSTRAINT filing_state_check,
    ADD CHECK (state IN ('waiting', 'sending', 'unknown', 'receipted', 'dead', 'skipped'));

-- How far each registry's orders were taken over into the outbox.
CREATE TABLE order_place (
    registry text PRIMARY KEY,
    sequence bigint NOT NULL
);

-- migration: 3
-- A few keys each, handed over as text: planning such a query anew costs the store more than running it. A plan that is
-- made while tables are empty must be right when they are full: every query has its index.
ALTER ROLE CURRENT_USER SET plan_cache_mode = force_generic_plan;
ALTER ROLE CURRENT_USER SET enable_seqscan = off;
ALTER ROLE CURRENT_USER SET enable_hashjoin = off;
ALTER ROLE CURRENT_USER SET enable_mergejoin = off;
CREATE INDEX filing_of_grant ON filing (grant_id, filing_id) WHERE grant_id <> '';
DROP INDEX filing_by_grant;

-- query: fact_add
INSERT INTO fact (fact_id, organization_id, seal_id, seal_seq, kind, grant_id, number, digest, statement, at)
VALUES ($1, $2, $3, $4::bigint, $5, $6, $7::integer, $8::bytea, $9::bytea, $10::bigint)
ON CONFLICT (fact_id) DO NOTHING

-- query: filings_add
-- $1: registries, $2: filing ids; joined by commas.
INSERT INTO filing (filing_id, registry, fact_id, organization_id, seal_id, seal_seq, grant_id, idempotency_key, at)
SELECT r.filing_id, r.registry, f.fact_id, f.organization_id, f.seal_id, f.seal_seq, f.grant_id,
       encode(sha256(convert_to('chop/1/filing/' || r.registry || '/' || encode(f.digest, 'hex'), 'UTF8')), 'hex'),
       $4::bigint
FROM unnest(string_to_array($1, ','), string_to_array($2, ',')) AS r (registry, filing_id), fact f
WHERE f.fact_id = $3
ON CONFLICT (registry, seal_id, seal_seq) DO NOTHING

-- query: lanes_wake
-- Locks each lane also where it changes nothing: so a sender that is settling it sees the new filing, or this sees it idle.
INSERT INTO lane (registry, seal_id, due_at)
SELECT r, $2, $3::bigint FROM unnest(string_to_array($1, ',')) r ORDER BY r
ON CONFLICT (registry, seal_id) DO UPDATE SET due_at = excluded.due_at WHERE lane.due_at IS NULL AND NOT lane.stopped

-- query: lanes_claim
WITH picked AS (
    SELECT registry, seal_id FROM lane
    WHERE registry = $1 AND due_at <= $2::bigint AND lease_until <= $2::bigint AND NOT stopped
    ORDER BY due_at LIMIT $3::bigint FOR UPDATE SKIP LOCKED
)
UPDATE lane l SET lease_until = $4::bigint, fence = l.fence + 1
FROM picked p WHERE l.registry = p.registry AND l.seal_id = p.seal_id
RETURNING l.seal_id, l.fence

-- query: filings_claim
-- The first open filings of each claimed lane ($2: seals joined by commas), in order.
WITH head AS (
    SELECT f.filing_id, f.state AS was
    FROM unnest(string_to_array($2, ',')) s (seal_id)
    CROSS JOIN LATERAL (
        SELECT filing_id, state FROM filing
        WHERE registry = $1 AND seal_id = s.seal_id AND state <> 'receipted' AND state <> 'skipped' ORDER BY seal_seq LIMIT $3::bigint) f
), claimed AS (
    UPDATE filing f SET state = 'sending' FROM head h
    WHERE f.filing_id = h.filing_id AND h.was IN ('waiting', 'unknown', 'sending')
    RETURNING f.filing_id, h.was, f.seal_id, f.seal_seq, f.idempotency_key, f.failures, f.notice_id IS NOT NULL AS notice,
        coalesce(f.notice_id, f.fact_id) AS fact_id
)
SELECT c.filing_id, c.was, c.seal_id, c.seal_seq, c.idempotency_key, c.failures, c.fact_id, t.digest, t.statement, t.kind,
       t.grant_id, t.number, t.organization_id, t.at, t.seal_seq, c.notice
FROM claimed c JOIN fact t USING (fact_id) ORDER BY c.seal_id, c.seal_seq

-- query: lanes_lock
SELECT seal_id, fence FROM lane
WHERE registry = $1 AND seal_id = ANY (string_to_array($2, ',')) ORDER BY seal_id FOR UPDATE

-- query: filing_receipt
-- Of one that is skipped, it stays known why.
UPDATE filing SET state = $6, attempts = attempts + $2::integer, failures = 0, number = $3, receipt = $4::bytea,
    at = $5::bigint, next_at = 0, last_error = CASE WHEN notice_id IS NULL THEN '' ELSE last_error END
WHERE filing_id = $1 AND state = 'sending'

-- query: filing_fail
UPDATE filing SET state = $2, attempts = attempts + $3::integer, failures = $4::integer, last_error = $5, at = $6::bigint,
    next_at = $7::bigint
WHERE filing_id = $1 AND state = 'sending'

-- query: filings_back
UPDATE filing f SET state = b.was FROM unnest(string_to_array($1, ','), string_to_array($2, ',')) b (filing_id, was)
WHERE f.filing_id = b.filing_id AND f.state = 'sending'

-- query: lanes_settle
-- The lane is due when its first open filing is; a dead one stops it.
UPDATE lane l SET lease_until = 0, due_at = CASE WHEN f.state <> 'dead' THEN f.next_at END,
    stopped = coalesce(f.state = 'dead', false)
FROM unnest(string_to_array($2, ',')) s (seal_id)
LEFT JOIN LATERAL (
    SELECT state, next_at FROM filing
    WHERE registry = $1 AND seal_id = s.seal_id AND state <> 'receipted' AND state <> 'skipped' ORDER BY seal_seq LIMIT 1) f ON true
WHERE l.registry = $1 AND l.seal_id = s.seal_id

-- query: lanes_hurry
-- A registry is back: nothing needs to wait out its pause.
UPDATE lane SET due_at = $2::bigint WHERE registry = $1 AND due_at > $2::bigint AND NOT stopped

-- query: facts_missing
-- What a registry asks for, of a seal, and the relay has.
SELECT f.fact_id, coalesce(g.filing_id, ''), coalesce(g.number, '')
FROM fact f LEFT JOIN filing g ON g.registry = $1 AND g.fact_id = f.fact_id
WHERE f.seal_id = $2 AND f.seal_seq >= $3::bigint AND f.seal_seq < $4::bigint ORDER BY f.seal_seq LIMIT $5::bigint

-- query: fact_held
SELECT 1 FROM fact WHERE seal_id = $1 AND seal_seq = $2::bigint

-- query: filing_refile
UPDATE filing SET state = 'waiting', next_at = 0, at = $2::bigint
WHERE filing_id = $1 AND state IN ('receipted', 'skipped')

-- query: registries_count
SELECT registry, count(*) FILTER (WHERE state <> 'dead'), count(DISTINCT seal_id) FILTER (WHERE state = 'dead')
FROM filing WHERE organization_id = $1 AND state <> 'receipted' AND state <> 'skipped' GROUP BY registry

-- query: filings_list
SELECT g.filing_id, g.registry, g.fact_id, f.kind, g.seal_id, g.seal_seq, g.state, g.attempts, g.last_error, g.number,
       g.receipt, g.at, g.next_at, g.grant_id, f.number, g.organization_id
FROM filing g JOIN fact f USING (fact_id)
WHERE g.organization_id = $1 AND ($2 = '' OR g.grant_id = $2) AND ($3 = '' OR g.seal_id = $3)
  AND ($4 = '' OR g.registry = $4) AND ($5 = '' OR g.state = $5) AND ($6 = '' OR g.filing_id < $6)
ORDER BY g.filing_id DESC LIMIT $7::bigint

-- query: filings_of_grant
SELECT g.filing_id, g.registry, g.fact_id, f.kind, g.seal_id, g.seal_seq, g.state, g.attempts, g.last_error, g.number,
       g.receipt, g.at, g.next_at, g.grant_id, f.number, g.organization_id
FROM filing g JOIN fact f USING (fact_id)
WHERE g.organization_id = $1 AND g.grant_id = $2 AND g.grant_id <> '' AND ($3 = '' OR g.seal_id = $3)
  AND ($4 = '' OR g.registry = $4) AND ($5 = '' OR g.state = $5) AND ($6 = '' OR g.filing_id < $6)
ORDER BY g.filing_id DESC LIMIT $7::bigint

-- query: filings_of_seal
SELECT g.filing_id, g.registry, g.fact_id, f.kind, g.seal_id, g.seal_seq, g.state, g.attempts, g.last_error, g.number,
       g.receipt, g.at, g.next_at, g.grant_id, f.number, g.organization_id
FROM filing g JOIN fact f USING (fact_id)
WHERE g.organization_id = $1 AND $2 = '' AND g.seal_id = $3
  AND ($4 = '' OR g.registry = $4) AND ($5 = '' OR g.state = $5) AND ($6 = '' OR g.filing_id < $6)
ORDER BY g.filing_id DESC LIMIT $7::bigint

-- query: filing_find
SELECT g.filing_id, g.registry, g.fact_id, f.kind, g.seal_id, g.seal_seq, g.state, g.attempts, g.last_error, g.number,
       g.receipt, g.at, g.next_at, g.grant_id, f.number, g.organization_id
FROM filing g JOIN fact f USING (fact_id)
WHERE g.filing_id = $1 AND g.organization_id = $2

-- query: filing_replay
UPDATE filing SET state = $2, failures = 0, at = $3::bigint, next_at = $3::bigint WHERE filing_id = $1 AND state = 'dead'

-- query: replay_add
INSERT INTO replay (filing_id, member_id, member_name, reason, last_error, at) VALUES ($1, $2, $3, $4, $5, $6::bigint)

-- query: lane_resume
UPDATE lane SET stopped = false, due_at = $3::bigint WHERE registry = $1 AND seal_id = $2

-- query: filing_dead
SELECT filing_id, state, last_error FROM filing
WHERE registry = $1 AND seal_id = $2 AND seal_seq = $3::bigint AND fact_id = $4 FOR UPDATE

-- query: filing_skip
-- The notice goes under a key of its own, for it comes again as the fact that it is.
UPDATE filing f SET state = $2, notice_id = t.fact_id, failures = 0, at = $4::bigint, next_at = $4::bigint,
    idempotency_key = encode(sha256(convert_to(
        'chop/1/filing/' || f.registry || '/' || encode(t.digest, 'hex') || '/' || f.seal_seq, 'UTF8')), 'hex')
FROM fact t WHERE f.filing_id = $1 AND f.state = 'dead' AND t.fact_id = $3

-- query: order_place
SELECT sequence FROM order_place WHERE registry = $1

-- query: order_place_move
-- Only from where it was: of two pollers one moves it.
INSERT INTO order_place AS p (registry, sequence) VALUES ($1, $3::bigint)
ON CONFLICT (registry) DO UPDATE SET sequence = $3::bigint WHERE p.sequence = $2::bigint
