-- migration: 1
CREATE TABLE printer (
    printer_id text PRIMARY KEY,
    organization_id text NOT NULL,
    name text NOT NULL,
    state text NOT NULL CHECK (state IN ('enrolled', 'lost', 'retired')),
    printer_cert bytea NOT NULL, -- packed Signed{printer-cert}
    enrolled_at bigint NOT NULL,
    online boolean NOT NULL DEFAULT false,
    last_seen_at bigint NOT NULL DEFAULT 0,
    boot_counter bigint NOT NULL DEFAULT 0, -- the highest ever seen
    agent_version text NOT NULL DEFAULT '',
    manifest_version bigint NOT NULL DEFAULT 0
);
CREATE INDEX printer_organization ON printer (organization_id, printer_id);

CREATE TABLE pairing (
    printer_id text NOT NULL REFERENCES printer,
    terminal_id text NOT NULL,
    member_id text NOT NULL,
    statement bytea NOT NULL, -- packed Signed{paired}
    paired_at bigint NOT NULL,
    PRIMARY KEY (printer_id, terminal_id)
);

-- No reference to printer: its row may come later than its first envelope.
CREATE TABLE delivery (
    job_id text PRIMARY KEY,
    printer_id text NOT NULL,
    organization_id text NOT NULL,
    allotment_id text NOT NULL,
    grant_id text NOT NULL,
    envelope bytea, -- packed SealedEnvelope; NULL when it is not owed any more
    state text NOT NULL CHECK (state IN ('owed', 'sent', 'reported', 'expired')),
    attempts integer NOT NULL DEFAULT 0,
    next_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    created_at bigint NOT NULL,
    changed_at bigint NOT NULL,
    CHECK ((state IN ('owed', 'sent')) = (envelope IS NOT NULL))
);
CREATE INDEX delivery_due ON delivery (printer_id, next_at) WHERE state IN ('owed', 'sent');
CREATE INDEX delivery_allotment ON delivery (allotment_id);

CREATE TABLE delivery_number (
    job_id text NOT NULL REFERENCES delivery,
    number bigint NOT NULL,
    reported_at bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id, number)
);

CREATE TABLE report (
    report_digest bytea PRIMARY KEY, -- SHA-256 of the payload
    printer_id text NOT NULL REFERENCES printer,
    allotment_id text NOT NULL,
    number bigint NOT NULL,
    outcome text NOT NULL,
    report bytea NOT NULL, -- packed Signed{report}
    received_at bigint NOT NULL
);
CREATE INDEX report_number ON report (allotment_id, number);

-- migration: 2
-- Loads: the printer said that it holds the envelope; what it gave back of them.
ALTER TABLE delivery DROP CONSTRAINT delivery_state_check;
ALTER TABLE delivery ADD CONSTRAINT delivery_state_check
    CHECK (state IN ('owed', 'sent', 'held', 'reported', 'expired'));
CREATE TABLE closeout (
    closeout_digest bytea PRIMARY KEY, -- SHA-256 of the payload
    printer_id text NOT NULL REFERENCES printer,
    allotment_id text NOT NULL,
    closeout bytea NOT NULL, -- packed Signed{closeout}
    received_at bigint NOT NULL
);
CREATE INDEX closeout_allotment ON closeout (allotment_id);

-- query: printer_put
INSERT INTO printer (printer_id, organization_id, name, state, printer_cert, enrolled_at)
VALUES ($1::text, $2::text, $3::text, 'enrolled', $4::bytea, $5::bigint)
ON CONFLICT (printer_id) DO UPDATE SET name = excluded.name, printer_cert = excluded.printer_cert
WHERE printer.organization_id = excluded.organization_id

-- query: printer_get
SELECT printer_id, organization_id, name, state, online, last_seen_at, printer_cert, boot_counter, agent_version
FROM printer WHERE printer_id = $1::text

-- query: printer_list
SELECT printer_id, organization_id, name, state, online, last_seen_at, printer_cert, boot_counter, agent_version
FROM printer WHERE organization_id = $1::text ORDER BY printer_id LIMIT $2::bigint

-- query: printer_status
UPDATE printer SET online = $2::boolean, last_seen_at = $3::bigint, agent_version = $5::text,
    boot_counter = greatest(printer.boot_counter, $4::bigint), manifest_version = $6::bigint
FROM (SELECT printer_id, boot_counter AS before FROM printer WHERE printer_id = $1::text FOR UPDATE) old
WHERE printer.printer_id = old.printer_id RETURNING old.before

-- query: printer_all_offline
UPDATE printer SET online = false WHERE online

-- query: pairing_put
INSERT INTO pairing (printer_id, terminal_id, member_id, statement, paired_at)
VALUES ($1::text, $2::text, $3::text, $4::bytea, $5::bigint)
ON CONFLICT (printer_id, terminal_id) DO UPDATE
SET member_id = excluded.member_id, statement = excluded.statement, paired_at = excluded.paired_at

-- query: pairing_list
SELECT p.printer_id, p.terminal_id, p.member_id, p.statement, p.paired_at
FROM pairing p JOIN printer r USING (printer_id)
WHERE r.organization_id = $2 AND ($1 = '' OR p.printer_id = $1) ORDER BY p.paired_at LIMIT 1000

-- query: delivery_add
INSERT INTO delivery (job_id, printer_id, organization_id, allotment_id, grant_id, envelope, state, next_at, expires_at,
    created_at, changed_at)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text, $6::bytea, 'owed', 0, $7::bigint, $8::bigint, $8::bigint)
ON CONFLICT (job_id) DO NOTHING

-- query: delivery_number_add
INSERT INTO delivery_number (job_id, number) VALUES ($1::text, $2::bigint) ON CONFLICT DO NOTHING

-- query: delivery_due
SELECT d.job_id, d.printer_id, d.envelope, d.attempts
FROM delivery d JOIN printer p ON p.printer_id = d.printer_id AND p.online
WHERE d.state IN ('owed', 'sent') AND d.next_at <= $1::bigint AND d.expires_at > $1::bigint
ORDER BY d.created_at LIMIT 50

-- query: delivery_sent
UPDATE delivery SET state = 'sent', attempts = attempts + 1, next_at = $2::bigint, changed_at = $3::bigint
WHERE job_id = $1::text AND state IN ('owed', 'sent')

-- query: delivery_printer_due
UPDATE delivery SET next_at = 0 WHERE printer_id = $1::text AND state IN ('owed', 'sent')

-- query: delivery_expire
UPDATE delivery SET state = 'expired', envelope = NULL, changed_at = $1::bigint
WHERE state IN ('owed', 'sent') AND expires_at <= $1::bigint

-- query: delivery_get
SELECT job_id, printer_id, organization_id, state, attempts, changed_at FROM delivery WHERE job_id = $1::text

-- query: report_add
INSERT INTO report (report_digest, printer_id, allotment_id, number, outcome, report, received_at)
VALUES ($1::bytea, $2::text, $3::text, $4::bigint, $5::text, $6::bytea, $7::bigint)
ON CONFLICT (report_digest) DO NOTHING

-- query: closeout_add
INSERT INTO closeout (closeout_digest, printer_id, allotment_id, closeout, received_at)
VALUES ($1::bytea, $2::text, $3::text, $4::bytea, $5::bigint) ON CONFLICT (closeout_digest) DO NOTHING

-- query: closeout_others
SELECT (SELECT count(*) FROM closeout WHERE allotment_id = $1::text AND closeout_digest <> $2::bytea)

-- query: delivery_held
-- It need not be sent again; a report or close-out may have come first.
UPDATE delivery SET state = 'held', envelope = NULL, changed_at = $4::bigint
WHERE job_id = $1::text AND printer_id = $2::text AND allotment_id = $3::text AND state IN ('owed', 'sent')

-- query: report_others
SELECT count(*) FROM report WHERE allotment_id = $1::text AND number = $2::bigint AND report_digest <> $3::bytea

-- query: delivery_reported
UPDATE delivery_number n SET reported_at = $4::bigint FROM delivery d
WHERE d.job_id = n.job_id AND d.printer_id = $1::text AND d.allotment_id = $2::text AND n.number = $3::bigint
    AND n.reported_at = 0

-- query: delivery_done
UPDATE delivery d SET state = 'reported', envelope = NULL, changed_at = $3::bigint
WHERE d.printer_id = $1::text AND d.allotment_id = $2::text AND d.state <> 'reported'
    AND NOT EXISTS (SELECT 1 FROM delivery_number n WHERE n.job_id = d.job_id AND n.reported_at = 0)
