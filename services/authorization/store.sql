-- authorization: seals, artwork, requests, decisions, grants, allotments, numbers, facts, files.
-- Lock order, everywhere: act, seal, request, grant, number (rows are locked in the order in which FOR ... OF names
-- them). The seal's row carries the counter of its facts, so whatever files a fact holds it. NO KEY: rows that only
-- refer to a locked one need not wait.

-- migration: 1
CREATE TABLE seal (
    seal_id text PRIMARY KEY,
    organization_id text NOT NULL,
    organization_name text NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    shape text NOT NULL,
    width_um int NOT NULL,
    height_um int NOT NULL,
    code text NOT NULL CONSTRAINT seal_code UNIQUE CHECK (code ~ '^\d{13}$'),
    state text NOT NULL,
    filing_number text NOT NULL DEFAULT '',
    artwork_digest bytea NOT NULL CHECK (length(artwork_digest) = 32),
    sample_digest bytea CHECK (length(sample_digest) = 32), -- null: an uploaded picture has no SAMPLE version
    policy bytea NOT NULL,
    version int NOT NULL DEFAULT 1,
    last_seq bigint NOT NULL DEFAULT 0,
    last_digest bytea NOT NULL DEFAULT '',
    warnings text NOT NULL DEFAULT '',
    created_at bigint NOT NULL
);
CREATE INDEX seal_of_organization ON seal (organization_id, seal_id);

CREATE TABLE policy (
    seal_id text NOT NULL REFERENCES seal,
    version int NOT NULL,
    policy bytea NOT NULL,
    act_id text NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (seal_id, version)
);

CREATE TABLE artwork (
    digest bytea NOT NULL CHECK (length(digest) = 32),
    organization_id text NOT NULL,
    outline bytea NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (digest, organization_id)
);

CREATE TABLE specimen (
    organization_id text NOT NULL,
    member_id text NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    member_name text NOT NULL,
    sealed bytea NOT NULL,
    act_id text NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (organization_id, member_id, digest)
);

CREATE TABLE request (
    request_id text PRIMARY KEY,
    organization_id text NOT NULL,
    seal_id text NOT NULL REFERENCES seal,
    requester_id text NOT NULL,
    body bytea NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    proof_digest bytea NOT NULL CHECK (length(proof_digest) = 32),
    act_id text NOT NULL UNIQUE,
    state text NOT NULL,
    approver_ids text NOT NULL, -- all, in order; empty: any manager
    approvals_needed int NOT NULL,
    ordered boolean NOT NULL,
    turn text NOT NULL,         -- whose turn it may be; empty: any manager
    awaiting text NOT NULL DEFAULT '',
    grant_id text NOT NULL DEFAULT '',
    file_id text NOT NULL DEFAULT '',
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX request_of_requester ON request (organization_id, requester_id, request_id);
CREATE INDEX request_of_organization ON request (organization_id, request_id);
CREATE INDEX request_waiting ON request (organization_id, request_id) WHERE state IN ('pending', 'signing');
CREATE INDEX request_with_file ON request (file_id) WHERE file_id <> '';

CREATE TABLE decision (
    decision_id text PRIMARY KEY,
    request_id text NOT NULL REFERENCES request,
    member_id text NOT NULL,
    verdict text NOT NULL,
    body bytea NOT NULL,
    terms bytea NOT NULL,
    proof_digest bytea NOT NULL CHECK (length(proof_digest) = 32),
    act_id text NOT NULL UNIQUE,
    at bigint NOT NULL,
    CONSTRAINT decision_once UNIQUE (request_id, member_id)
);

CREATE TABLE seal_grant (
    grant_id text PRIMARY KEY,
    organization_id text NOT NULL,
    request_id text NOT NULL UNIQUE REFERENCES request,
    seal_id text NOT NULL REFERENCES seal,
    member_id text NOT NULL,
    seal_name text NOT NULL,
    document_title text NOT NULL,
    statement bytea NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    state text NOT NULL,
    copies int NOT NULL CHECK (copies > 0),
    spoil_allowance int NOT NULL,
    next_number int NOT NULL DEFAULT 1 CHECK (next_number <= copies + 1),
    returned int NOT NULL DEFAULT 0 CHECK (returned >= 0),
    replaced int NOT NULL DEFAULT 0 CHECK (replaced <= spoil_allowance),
    not_before bigint NOT NULL,
    not_after bigint NOT NULL,
    gate text NOT NULL, -- registries whose receipt is still awaited
    fact_id text NOT NULL,
    fact_digest bytea NOT NULL,
    created_at bigint NOT NULL
);
CREATE INDEX grant_of_member ON seal_grant (organization_id, member_id, grant_id);
CREATE INDEX grant_of_organization ON seal_grant (organization_id, grant_id);

CREATE TABLE allotment (
    allotment_id text PRIMARY KEY,
    grant_id text NOT NULL REFERENCES seal_grant,
    organization_id text NOT NULL,
    printer_id text NOT NULL,
    terminal_id text NOT NULL,
    challenge_digest bytea NOT NULL CONSTRAINT challenge_once UNIQUE,
    statement bytea NOT NULL,
    act_id text NOT NULL UNIQUE,
    not_after bigint NOT NULL,
    at bigint NOT NULL
);
CREATE INDEX allotment_of_grant ON allotment (grant_id);

CREATE TABLE number (
    grant_id text NOT NULL REFERENCES seal_grant,
    number int NOT NULL CHECK (number > 0),
    state text NOT NULL,
    allotment_id text NOT NULL REFERENCES allotment,
    printer_id text NOT NULL,
    at bigint NOT NULL,
    reason text NOT NULL DEFAULT '',
    replaces int NOT NULL DEFAULT 0,
    replaced_by int NOT NULL DEFAULT 0,
    PRIMARY KEY (grant_id, number)
);

CREATE TABLE report (
    allotment_id text NOT NULL REFERENCES allotment,
    number int NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    statement bytea NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (allotment_id, number)
);

CREATE TABLE fact (
    seal_id text NOT NULL REFERENCES seal,
    seal_seq bigint NOT NULL CHECK (seal_seq > 0),
    fact_id text NOT NULL UNIQUE,
    organization_id text NOT NULL,
    kind text NOT NULL,
    grant_id text NOT NULL,
    number int NOT NULL,
    at bigint NOT NULL,
    statement bytea NOT NULL,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    act_id text NOT NULL,
    PRIMARY KEY (seal_id, seal_seq)
);
CREATE INDEX fact_of_grant ON fact (grant_id, seal_seq) WHERE grant_id <> '';

CREATE TABLE file (
    file_id text PRIMARY KEY,
    organization_id text NOT NULL,
    member_id text NOT NULL,
    name text NOT NULL,
    sha256 bytea NOT NULL CHECK (length(sha256) = 32),
    size bigint NOT NULL,
    state text NOT NULL,
    chunks int NOT NULL DEFAULT 0,
    received bigint NOT NULL DEFAULT 0 CHECK (received <= size),
    wrapped_key bytea NOT NULL,
    created_at bigint NOT NULL
);
CREATE TABLE file_chunk (
    file_id text NOT NULL REFERENCES file ON DELETE CASCADE,
    number int NOT NULL,
    box bytea NOT NULL,
    PRIMARY KEY (file_id, number)
);
CREATE INDEX file_open ON file (created_at) WHERE state = 'open';

-- migration: 2
-- Loaded allotments, and what printers gave back of them.
ALTER TABLE allotment ADD COLUMN offline boolean NOT NULL DEFAULT false;
CREATE TABLE closeout (
    allotment_id text PRIMARY KEY REFERENCES allotment,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    statement bytea NOT NULL,
    at bigint NOT NULL
);

-- ---- seals ----
-- query: seal_add
INSERT INTO seal (seal_id, organization_id, organization_name, name, kind, shape, width_um, height_um, code, state,
    artwork_digest, sample_digest, policy, warnings, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)

-- query: seal_get
SELECT seal_id, organization_id, organization_name, name, kind, shape, width_um, height_um, code, state,
    filing_number, artwork_digest, sample_digest, policy, version, last_seq, last_digest, warnings, created_at
FROM seal WHERE seal_id = $1 AND organization_id = $2

-- query: seal_lock
SELECT seal_id, organization_id, organization_name, name, kind, shape, width_um, height_um, code, state,
    filing_number, artwork_digest, sample_digest, policy, version, last_seq, last_digest, warnings, created_at
FROM seal WHERE seal_id = $1 AND organization_id = $2 FOR NO KEY UPDATE

-- query: seal_list
SELECT seal_id, organization_id, organization_name, name, kind, shape, width_um, height_um, code, state,
    filing_number, artwork_digest, sample_digest, policy, version, last_seq, last_digest, warnings, created_at
FROM seal WHERE organization_id = $1 AND ($2::text = '' OR seal_id > $2::text) ORDER BY seal_id LIMIT $3::bigint

-- query: seal_change
UPDATE seal SET state = $3, filing_number = $4, version = version + 1 WHERE seal_id = $1 AND state = $2

-- query: policy_put
WITH changed AS (UPDATE seal SET policy = $3, version = version + 1 WHERE seal_id = $1)
INSERT INTO policy (seal_id, version, policy, act_id, at) VALUES ($1, $2, $3, $4, $5)

-- query: policy_add
INSERT INTO policy (seal_id, version, policy, act_id, at) VALUES ($1, 1, $2, $3, $4)

-- query: artwork_add
INSERT INTO artwork (digest, organization_id, outline, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- query: artwork_get
SELECT outline FROM artwork WHERE digest = $1 AND organization_id = $2

-- query: artwork_fetch
SELECT outline FROM artwork WHERE digest = $1 LIMIT 1

-- ---- facts ----
-- query: fact_add
WITH moved AS (UPDATE seal SET last_seq = $2, last_digest = $9 WHERE seal_id = $1)
INSERT INTO fact (seal_id, seal_seq, fact_id, organization_id, kind, grant_id, number, at, statement, digest, act_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $10, $9, $11)

-- query: fact_list_seal
SELECT fact_id, kind, seal_id, seal_seq, at, grant_id, number, statement, digest FROM fact
WHERE seal_id = $1 AND organization_id = $2 AND seal_seq > $3 ORDER BY seal_seq LIMIT $4::bigint

-- query: fact_list_grant
SELECT fact_id, kind, seal_id, seal_seq, at, grant_id, number, statement, digest FROM fact
WHERE grant_id = $1 AND grant_id <> '' AND organization_id = $2 AND seal_seq > $3 ORDER BY seal_seq LIMIT $4::bigint

-- ---- registries' orders, gaps ----
-- migration: 3
-- Each order once, with what became of it.
CREATE TABLE registry_order (
    registry text NOT NULL,
    order_id text NOT NULL,
    sequence bigint NOT NULL,
    seal_id text NOT NULL, -- empty: none that the registry may order about
    action text NOT NULL,
    outcome text NOT NULL, -- applied, refused
    error text NOT NULL DEFAULT '',
    digest bytea NOT NULL CHECK (length(digest) = 32),
    statement bytea NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (registry, order_id)
);
-- Who holds a suspended seal besides the unit; see rules_seal.h.
CREATE TABLE seal_hold (
    seal_id text NOT NULL REFERENCES seal,
    registry text NOT NULL,
    order_id text NOT NULL,
    at bigint NOT NULL,
    PRIMARY KEY (seal_id, registry)
);

-- query: order_seal
SELECT seal_id, organization_id FROM seal WHERE seal_id = $1 OR code = $2

-- query: order_add
INSERT INTO registry_order (registry, order_id, sequence, seal_id, action, outcome, digest, statement, at)
VALUES ($1, $2, $3, $4, $5, 'applied', $6, $7, $8) ON CONFLICT DO NOTHING

-- query: order_same
SELECT 1 FROM registry_order WHERE registry = $1 AND order_id = $2 AND digest = $3

-- query: order_refuse
UPDATE registry_order SET outcome = 'refused', error = $3 WHERE registry = $1 AND order_id = $2

-- query: hold_list
SELECT registry FROM seal_hold WHERE seal_id = $1 ORDER BY registry

-- query: hold_add
INSERT INTO seal_hold (seal_id, registry, order_id, at) VALUES ($1, $2, $3, $4)

-- query: hold_end
-- What the unit suspended before stays its own to lift.
DELETE FROM seal_hold WHERE seal_id = $1
    AND (registry = $2 OR (registry = '' AND NOT EXISTS (
        SELECT 1 FROM seal_hold h WHERE h.seal_id = $1 AND h.registry NOT IN ('', $2))))

-- query: fact_find
SELECT fact_id, seal_seq, digest FROM fact WHERE seal_id = $1 AND organization_id = $2
    AND ($3::text = '' OR fact_id = $3::text) AND ($4::bigint = 0 OR seal_seq = $4::bigint)
    AND ($3::text <> '' OR $4::bigint <> 0)

-- ---- specimens ----
-- query: specimen_add
INSERT INTO specimen (organization_id, member_id, digest, member_name, sealed, act_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (organization_id, member_id, digest) DO UPDATE SET sealed = $5, act_id = $6, created_at = $7

-- query: specimen_latest
SELECT digest, member_name FROM specimen WHERE organization_id = $1 AND member_id = $2 ORDER BY created_at DESC LIMIT 1

-- query: specimen_get
SELECT sealed FROM specimen WHERE organization_id = $1 AND member_id = $2 AND digest = $3

-- ---- requests ----
-- query: request_add
INSERT INTO request (request_id, organization_id, seal_id, requester_id, body, digest, proof_digest, act_id, state,
    approver_ids, approvals_needed, ordered, turn, file_id, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', $9, $10, $11, $15, $12, $13, $14)

-- query: request_get
SELECT r.request_id, r.organization_id, r.seal_id, r.requester_id, r.body, r.digest, r.proof_digest, r.state,
    r.approver_ids, r.approvals_needed, r.ordered, r.turn, r.awaiting, r.grant_id, r.expires_at,
    s.seal_id, s.organization_id, s.organization_name, s.name, s.kind, s.shape, s.width_um, s.height_um, s.code, s.state,
    s.filing_number, s.artwork_digest, s.sample_digest, s.policy, s.version, s.last_seq, s.last_digest, s.warnings,
    s.created_at
FROM request r JOIN seal s ON s.seal_id = r.seal_id WHERE r.request_id = $1 AND r.organization_id = $2

-- query: request_lock
SELECT r.request_id, r.organization_id, r.seal_id, r.requester_id, r.body, r.digest, r.proof_digest, r.state,
    r.approver_ids, r.approvals_needed, r.ordered, r.turn, r.awaiting, r.grant_id, r.expires_at,
    s.seal_id, s.organization_id, s.organization_name, s.name, s.kind, s.shape, s.width_um, s.height_um, s.code, s.state,
    s.filing_number, s.artwork_digest, s.sample_digest, s.policy, s.version, s.last_seq, s.last_digest, s.warnings,
    s.created_at
FROM request r JOIN seal s ON s.seal_id = r.seal_id WHERE r.request_id = $1 AND r.organization_id = $2
FOR NO KEY UPDATE OF s, r

-- query: request_move
UPDATE request SET state = $3, turn = $4, awaiting = $5, grant_id = $6 WHERE request_id = $1 AND state = $2

-- query: request_list
-- view: $2 mine | inbox | all; an approver's inbox is what waits for this very member.
SELECT r.request_id, r.organization_id, r.seal_id, r.requester_id, r.body, r.digest, r.proof_digest, r.state,
    r.approver_ids, r.approvals_needed, r.ordered, r.turn, r.awaiting, r.grant_id, r.expires_at
FROM request r
WHERE r.organization_id = $1
  AND ($2::text <> 'mine' OR r.requester_id = $3::text)
  AND ($2::text <> 'inbox' OR (r.expires_at > $4::bigint AND (
        (r.state = 'signing' AND r.awaiting = $3::text)
        OR (r.state = 'pending' AND $5::boolean AND r.requester_id <> $3::text
            AND (r.turn = '' OR position(',' || $3::text || ',' IN ',' || r.turn || ',') > 0)
            AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.request_id = r.request_id AND d.member_id = $3::text)))))
  AND ($6::text = '' OR $6::text = CASE WHEN r.state IN ('pending', 'signing') AND r.expires_at <= $4::bigint
        THEN 'expired' ELSE r.state END)
  AND ($7::text = '' OR r.request_id < $7::text)
ORDER BY r.request_id DESC LIMIT $8::bigint

-- query: decision_add
INSERT INTO decision (decision_id, request_id, member_id, verdict, body, terms, proof_digest, act_id, at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- query: decision_list
SELECT member_id, verdict, body, terms, proof_digest FROM decision WHERE request_id = $1 ORDER BY decision_id

-- ---- grants ----
-- query: grant_add
INSERT INTO seal_grant (grant_id, organization_id, request_id, seal_id, member_id, seal_name, document_title, statement,
    digest, state, copies, spoil_allowance, not_before, not_after, gate, fact_id, fact_digest, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)

-- query: grant_get
SELECT g.grant_id, g.organization_id, g.request_id, g.seal_id, g.member_id, g.seal_name, g.document_title, g.statement,
    g.digest, g.state, g.copies, g.spoil_allowance, g.next_number, g.returned, g.replaced, g.not_before, g.not_after,
    g.gate, g.fact_id, g.fact_digest,
    s.seal_id, s.organization_id, s.organization_name, s.name, s.kind, s.shape, s.width_um, s.height_um, s.code, s.state,
    s.filing_number, s.artwork_digest, s.sample_digest, s.policy, s.version, s.last_seq, s.last_digest, s.warnings,
    s.created_at, r.approver_ids, r.awaiting
FROM seal_grant g JOIN seal s ON s.seal_id = g.seal_id JOIN request r ON r.request_id = g.request_id
WHERE g.grant_id = $1 AND g.organization_id = $2

-- query: grant_lock
SELECT g.grant_id, g.organization_id, g.request_id, g.seal_id, g.member_id, g.seal_name, g.document_title, g.statement,
    g.digest, g.state, g.copies, g.spoil_allowance, g.next_number, g.returned, g.replaced, g.not_before, g.not_after,
    g.gate, g.fact_id, g.fact_digest,
    s.seal_id, s.organization_id, s.organization_name, s.name, s.kind, s.shape, s.width_um, s.height_um, s.code, s.state,
    s.filing_number, s.artwork_digest, s.sample_digest, s.policy, s.version, s.last_seq, s.last_digest, s.warnings,
    s.created_at
FROM seal_grant g JOIN seal s ON s.seal_id = g.seal_id WHERE g.grant_id = $1 AND g.organization_id = $2
FOR NO KEY UPDATE OF s, g

-- query: grant_list
-- view: $2 mine | all; a manager sees, beside the own, those that were the own to decide.
SELECT g.grant_id, g.organization_id, g.request_id, g.seal_id, g.member_id, g.seal_name, g.document_title, g.statement,
    g.digest, g.state, g.copies, g.spoil_allowance, g.next_number, g.returned, g.replaced, g.not_before, g.not_after,
    g.gate, g.fact_id, g.fact_digest, s.state
FROM seal_grant g JOIN seal s ON s.seal_id = g.seal_id JOIN request r ON r.request_id = g.request_id
WHERE g.organization_id = $1 AND ($2::text <> 'mine' OR g.member_id = $3::text)
  AND ($2::text <> 'all' OR $4::boolean OR g.member_id = $3::text OR r.approver_ids = ''
        OR position(',' || $3::text || ',' IN ',' || r.approver_ids || ',') > 0)
  AND ($5::text = '' OR g.grant_id < $5::text)
ORDER BY g.grant_id DESC LIMIT $6::bigint

-- query: grant_find
SELECT g.state, g.copies, g.spoil_allowance, g.next_number, g.returned, g.replaced, g.not_after, s.state,
    n.number, n.state, n.allotment_id, n.printer_id, n.at, n.reason, n.replaces, n.replaced_by
FROM seal_grant g JOIN seal s ON s.seal_id = g.seal_id
LEFT JOIN number n ON n.grant_id = g.grant_id AND n.number = $2 WHERE g.grant_id = $1

-- query: grant_for_receipt
SELECT g.state, g.gate, g.fact_digest, g.organization_id, g.seal_id, g.statement
FROM seal_grant g JOIN seal s ON s.seal_id = g.seal_id WHERE g.grant_id = $1 AND g.fact_id = $2
FOR NO KEY UPDATE OF s, g

-- query: grant_gate
UPDATE seal_grant SET gate = $2, state = $3 WHERE grant_id = $1 AND state = 'waiting'

-- query: grant_cancel
WITH ended AS (UPDATE request SET state = 'cancelled'
    WHERE request_id = (SELECT request_id FROM seal_grant WHERE grant_id = $1))
UPDATE seal_grant SET state = 'cancelled' WHERE grant_id = $1 AND state = $2

-- query: grant_specimen
SELECT statement FROM seal_grant WHERE grant_id = $1

-- ---- printing ----
-- query: number_free
SELECT number FROM number WHERE grant_id = $1 AND state = 'returned' ORDER BY number LIMIT 1000

-- query: number_list
SELECT number, state, allotment_id, printer_id, at, reason, replaces, replaced_by FROM number
WHERE grant_id = $1 ORDER BY number

-- query: print_commit
-- All that one print act changes, in one round trip: allotment, numbers, the grant's count, the fact and its chain.
WITH allotted AS (
    INSERT INTO allotment (allotment_id, grant_id, organization_id, printer_id, terminal_id, challenge_digest, statement,
        act_id, not_after, at, offline)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $21)
    RETURNING allotment_id
), counted AS (
    UPDATE seal_grant SET next_number = $11, returned = $12, replaced = $13 WHERE grant_id = $2
), reserved AS (
    INSERT INTO number (grant_id, number, state, allotment_id, printer_id, at, replaces)
    SELECT $2, n, 'reserved', a.allotment_id, $4, $10, $15
    FROM allotted a, unnest(string_to_array($14::text, ',')::int[]) AS n
    ON CONFLICT (grant_id, number) DO UPDATE SET state = 'reserved', allotment_id = EXCLUDED.allotment_id,
        printer_id = EXCLUDED.printer_id, at = EXCLUDED.at, reason = '', replaces = EXCLUDED.replaces
    WHERE number.state = 'returned'
    RETURNING number
), linked AS (
    UPDATE number SET replaced_by = (string_to_array($14::text, ',')::int[])[1]
    WHERE grant_id = $2 AND number = $15 AND $15 > 0
), moved AS (
    UPDATE seal SET last_seq = $17, last_digest = $18 WHERE seal_id = $16
), filed AS (
    INSERT INTO fact (seal_id, seal_seq, fact_id, organization_id, kind, grant_id, number, at, statement, digest, act_id)
    VALUES ($16, $17, $19, $3, 'print-commanded', $2, 0, $10, $20, $18, $8)
)
SELECT count(*) FROM reserved

-- query: number_for_replace
SELECT state, replaced_by FROM number WHERE grant_id = $1 AND number = $2

-- query: report_lock
SELECT g.grant_id, g.organization_id, g.request_id, g.seal_id, g.member_id, g.seal_name, g.document_title, g.statement,
    g.digest, g.state, g.copies, g.spoil_allowance, g.next_number, g.returned, g.replaced, g.not_before, g.not_after,
    g.gate, g.fact_id, g.fact_digest,
    s.seal_id, s.organization_id, s.organization_name, s.name, s.kind, s.shape, s.width_um, s.height_um, s.code, s.state,
    s.filing_number, s.artwork_digest, s.sample_digest, s.policy, s.version, s.last_seq, s.last_digest, s.warnings,
    s.created_at,
    n.number, n.state, n.allotment_id, n.printer_id, n.at, n.reason, n.replaces, n.replaced_by,
    a.not_after, a.terminal_id
FROM seal_grant g JOIN number n ON n.grant_id = g.grant_id JOIN seal s ON s.seal_id = g.seal_id
JOIN allotment a ON a.allotment_id = n.allotment_id
WHERE g.grant_id = $1 AND n.number = $2 AND g.organization_id = $3
FOR NO KEY UPDATE OF s, g, n

-- query: report_get
SELECT digest FROM report WHERE allotment_id = $1 AND number = $2

-- query: report_add
INSERT INTO report (allotment_id, number, digest, statement, at) VALUES ($1, $2, $3, $4, $5)

-- query: closeout_lock
-- The allotment's own row: close-outs of one allotment come one after the other.
SELECT a.grant_id, a.organization_id, a.printer_id, a.offline, c.digest
FROM allotment a LEFT JOIN closeout c ON c.allotment_id = a.allotment_id WHERE a.allotment_id = $1
FOR NO KEY UPDATE OF a

-- query: closeout_add
INSERT INTO closeout (allotment_id, digest, statement, at) VALUES ($1, $2, $3, $4)

-- query: grant_at_risk
-- What a lost printer could have printed without anybody knowing yet, and until when.
SELECT count(*), coalesce(max(a.not_after), 0) FROM number n JOIN allotment a ON a.allotment_id = n.allotment_id
WHERE n.grant_id = $1 AND n.state = 'reserved' AND a.offline

-- query: number_move
UPDATE number SET state = $4, reason = $5, at = $6 WHERE grant_id = $1 AND number = $2 AND state = $3

-- query: number_return
-- A number that never started is free again; a refused replacement frees the spoiled number's link.
WITH back AS (
    UPDATE number SET state = 'returned', reason = $3, at = $4, replaces = 0 WHERE grant_id = $1 AND number = $2
), unlinked AS (
    UPDATE number SET replaced_by = 0 WHERE grant_id = $1 AND replaced_by = $2
)
UPDATE seal_grant SET returned = returned + CASE WHEN $2 <= copies THEN 1 ELSE 0 END WHERE grant_id = $1

-- ---- files ----
-- query: file_add
WITH stale AS (
    DELETE FROM file WHERE file_id IN (SELECT file_id FROM file WHERE state = 'open' AND created_at < $8::bigint - 86400000
        ORDER BY created_at LIMIT 5)
)
INSERT INTO file (file_id, organization_id, member_id, name, sha256, size, state, wrapped_key, created_at)
VALUES ($1, $2, $3, $4, $5, $6, 'open', $7, $8)

-- query: file_count
SELECT count(*) FROM file WHERE organization_id = $1 AND member_id = $2 AND state = 'open' AND created_at > $3

-- query: file_lock
SELECT member_id, name, sha256, size, state, chunks, received, wrapped_key FROM file
WHERE file_id = $1 AND organization_id = $2 FOR NO KEY UPDATE

-- query: file_get
SELECT member_id, name, sha256, size, state, chunks, received, wrapped_key FROM file
WHERE file_id = $1 AND organization_id = $2

-- query: file_put
WITH grown AS (UPDATE file SET chunks = chunks + 1, received = received + $4 WHERE file_id = $1)
INSERT INTO file_chunk (file_id, number, box) VALUES ($1, $2, $3)

-- query: file_chunk
SELECT box FROM file_chunk WHERE file_id = $1 AND number = $2

-- query: file_finish
UPDATE file SET state = 'complete' WHERE file_id = $1 AND state = 'open'

-- query: file_requests
SELECT requester_id, approver_ids, awaiting FROM request WHERE file_id = $1 AND organization_id = $2 LIMIT 20
