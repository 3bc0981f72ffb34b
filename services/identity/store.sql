-- migration: 1
CREATE TABLE organization (
    organization_id text PRIMARY KEY,
    name text NOT NULL,
    uscc text NOT NULL,
    slug text NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT organization_slug UNIQUE (slug)
);
CREATE UNIQUE INDEX organization_uscc ON organization (uscc) WHERE uscc <> '';

CREATE TABLE member (
    member_id text PRIMARY KEY,
    organization_id text NOT NULL REFERENCES organization,
    account text NOT NULL,
    name text NOT NULL,
    post text NOT NULL,
    roles text NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'left')),
    created_at bigint NOT NULL,
    CONSTRAINT member_account UNIQUE (organization_id, account),
    CHECK ((state = 'left') = (roles = ''))
);

CREATE TABLE credential (
    credential_id text PRIMARY KEY,
    member_id text NOT NULL REFERENCES member,
    kind text NOT NULL CHECK (kind IN ('password', 'key')),
    name text NOT NULL,
    algorithm text NOT NULL,
    public_key bytea,
    password_hash text,
    state text NOT NULL CHECK (state IN ('active', 'revoked')),
    created_at bigint NOT NULL,
    last_used_at bigint NOT NULL DEFAULT 0,
    CHECK ((kind = 'key') = (public_key IS NOT NULL)),
    CHECK ((kind = 'password') = (password_hash IS NOT NULL))
);
CREATE INDEX credential_member ON credential (member_id);
CREATE UNIQUE INDEX credential_one_password ON credential (member_id) WHERE kind = 'password' AND state = 'active';

CREATE TABLE terminal (
    terminal_id text PRIMARY KEY,
    organization_id text NOT NULL REFERENCES organization,
    member_id text NOT NULL REFERENCES member,
    name text NOT NULL,
    public_key bytea NOT NULL,
    certificate bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'revoked')),
    created_at bigint NOT NULL
);
CREATE INDEX terminal_member ON terminal (member_id);

-- One public key serves one thing, once and for ever: a terminal's device key is never a member's factor.
CREATE TABLE key_claim (
    digest bytea CONSTRAINT key_claim_once PRIMARY KEY,
    use text NOT NULL CHECK (use IN ('factor', 'terminal', 'printer')),
    owner_id text NOT NULL
);

CREATE TABLE session (
    session_id text PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE,
    member_id text NOT NULL REFERENCES member,
    terminal_id text NOT NULL,
    created_at bigint NOT NULL,
    seen_at bigint NOT NULL,
    expires_at bigint NOT NULL
);
CREATE INDEX session_member ON session (member_id);
CREATE INDEX session_expiry ON session (expires_at);

CREATE TABLE sign_in_used (sign_in_id text PRIMARY KEY, expires_at bigint NOT NULL);
CREATE INDEX sign_in_used_expiry ON sign_in_used (expires_at);

CREATE TABLE throttle (
    key bytea PRIMARY KEY,
    failures bigint NOT NULL,
    failed_at bigint NOT NULL,
    blocked_until bigint NOT NULL
);
CREATE INDEX throttle_failed ON throttle (failed_at);

CREATE TABLE proven (
    ticket_digest bytea NOT NULL,
    factor text NOT NULL,
    act_id text NOT NULL,
    amr text NOT NULL,
    credential_id text NOT NULL,
    proven_at bigint NOT NULL,
    algorithm text NOT NULL,
    challenge bytea NOT NULL,
    signature bytea NOT NULL,
    expires_at bigint NOT NULL,
    PRIMARY KEY (ticket_digest, factor)
);
CREATE INDEX proven_expiry ON proven (expires_at);

CREATE TABLE printer (
    printer_id text PRIMARY KEY,
    organization_id text NOT NULL REFERENCES organization,
    name text NOT NULL,
    code_mac bytea NOT NULL,
    tries int NOT NULL DEFAULT 0,
    code_expires_at bigint NOT NULL,
    created_at bigint NOT NULL,
    enrolled_at bigint,
    public_key bytea,
    seal_key bytea,
    tls_certificate bytea,
    printer_cert bytea,
    CHECK ((enrolled_at IS NULL) = (public_key IS NULL)),
    CHECK ((enrolled_at IS NULL) = (printer_cert IS NULL))
);

-- query: organization_add
INSERT INTO organization (organization_id, name, uscc, slug, created_at) VALUES ($1, $2, $3, $4, $5)

-- query: organization_get
SELECT organization_id, name, uscc, slug, created_at FROM organization WHERE organization_id = $1

-- query: organization_lock
-- Changes of who may do what in one organization come one after the other.
SELECT organization_id FROM organization WHERE organization_id = $1 FOR UPDATE

-- query: member_add
INSERT INTO member (member_id, organization_id, account, name, post, roles, state, created_at)
VALUES ($1, $2, $3, $4, $5, $6, 'active', $7)

-- query: member_get
SELECT member_id, organization_id, account, name, post, roles, state, created_at
FROM member WHERE member_id = $1 AND organization_id = $2

-- query: member_by_account
SELECT m.member_id, m.organization_id, m.account, m.name, m.post, m.roles, m.state, m.created_at
FROM member m JOIN organization o USING (organization_id) WHERE o.slug = $1 AND m.account = $2 AND m.state = 'active'

-- query: member_account_taken
SELECT member_id FROM member WHERE organization_id = $1 AND account = $2

-- query: member_list
SELECT member_id, organization_id, account, name, post, roles, state, created_at FROM member
WHERE organization_id = $1 AND member_id > $2
  AND ($3 = '' OR position(',' || $3 || ',' IN ',' || roles || ',') > 0)
ORDER BY member_id LIMIT $4::bigint

-- query: member_change
UPDATE member SET roles = $3, post = $4, state = CASE WHEN $3 = '' THEN 'left' ELSE 'active' END
WHERE member_id = $1 AND organization_id = $2

-- query: member_other_admins
SELECT count(*) FROM member WHERE organization_id = $1 AND member_id <> $2 AND state = 'active'
  AND position(',admin,' IN ',' || roles || ',') > 0

-- query: credential_add
INSERT INTO credential (credential_id, member_id, kind, name, algorithm, public_key, password_hash, state, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'active', $8)

-- query: credential_list
SELECT credential_id, kind, name, algorithm, state, created_at, last_used_at
FROM credential WHERE member_id = $1 ORDER BY credential_id LIMIT 200

-- query: credential_get
SELECT credential_id, kind, name, algorithm, state, created_at, last_used_at
FROM credential WHERE credential_id = $1 AND member_id = $2

-- query: credential_password
SELECT credential_id, password_hash FROM credential WHERE member_id = $1 AND kind = 'password' AND state = 'active'

-- query: credential_keys
SELECT credential_id, algorithm, public_key FROM credential
WHERE member_id = $1 AND kind = 'key' AND state = 'active' AND ($2 = '' OR credential_id = $2)
ORDER BY credential_id LIMIT 20

-- query: credential_active
-- Locked, so that a revocation and a proof by the same credential come one after the other.
SELECT credential_id FROM credential WHERE credential_id = $1 AND state = 'active' FOR UPDATE

-- query: credential_used
UPDATE credential SET last_used_at = $2 WHERE credential_id = $1

-- query: credential_rehash
UPDATE credential SET password_hash = $3 WHERE credential_id = $1 AND password_hash = $2

-- query: credential_password_change
UPDATE credential SET password_hash = $2 WHERE member_id = $1 AND kind = 'password' AND state = 'active'

-- query: credential_revoke
UPDATE credential SET state = 'revoked'
WHERE credential_id = $1 AND member_id = $2 AND kind = 'key' AND state = 'active'

-- query: key_claim
INSERT INTO key_claim (digest, use, owner_id) VALUES ($1, $2, $3)

-- query: key_claimed
SELECT use, owner_id FROM key_claim WHERE digest = $1

-- query: session_add
INSERT INTO session (session_id, token_hash, member_id, terminal_id, created_at, seen_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $5, $6)

-- query: session_forget_old
DELETE FROM session WHERE session_id IN (
    SELECT session_id FROM session WHERE expires_at < $1 ORDER BY expires_at LIMIT 10 FOR UPDATE SKIP LOCKED)

-- query: session_find
SELECT m.member_id, m.organization_id, m.account, m.name, m.post, m.roles, m.state, m.created_at,
       s.session_id, s.terminal_id, s.seen_at, s.expires_at, o.name
FROM session s JOIN member m USING (member_id) JOIN organization o USING (organization_id)
WHERE s.token_hash = $1 AND m.state = 'active'

-- query: session_seen
UPDATE session SET seen_at = $2 WHERE session_id = $1

-- query: session_end_by_token
DELETE FROM session WHERE token_hash = $1

-- query: session_end
DELETE FROM session WHERE session_id = $1

-- query: session_end_member
DELETE FROM session WHERE member_id = $1 AND session_id <> $2

-- query: session_end_terminal
DELETE FROM session WHERE terminal_id = $1

-- query: session_bind_terminal
UPDATE session SET terminal_id = $2 WHERE session_id = $1 AND terminal_id = ''

-- query: sign_in_use
INSERT INTO sign_in_used (sign_in_id, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING

-- query: sign_in_forget_old
DELETE FROM sign_in_used WHERE sign_in_id IN (
    SELECT sign_in_id FROM sign_in_used WHERE expires_at < $1 ORDER BY expires_at LIMIT 10 FOR UPDATE SKIP LOCKED)

-- query: throttle_lock
INSERT INTO throttle AS t (key, failures, failed_at, blocked_until) VALUES ($1, 0, $2, 0)
ON CONFLICT (key) DO UPDATE SET key = t.key RETURNING failures, failed_at, blocked_until

-- query: throttle_charge
UPDATE throttle SET failures = $2, failed_at = $3, blocked_until = $4 WHERE key = $1

-- query: throttle_clear
DELETE FROM throttle WHERE key = $1

-- query: throttle_forget_old
DELETE FROM throttle WHERE key IN (
    SELECT key FROM throttle WHERE failed_at < $1 ORDER BY failed_at LIMIT 10 FOR UPDATE SKIP LOCKED)

-- query: terminal_add
INSERT INTO terminal (terminal_id, organization_id, member_id, name, public_key, certificate, state, created_at)
VALUES ($1, $2, $3, $4, $5, $6, 'active', $7)

-- query: terminal_get
SELECT terminal_id, member_id, name, state, certificate, created_at, public_key
FROM terminal WHERE terminal_id = $1 AND organization_id = $2

-- query: terminal_list
SELECT terminal_id, member_id, name, state, certificate, created_at, public_key
FROM terminal WHERE organization_id = $1 AND member_id = $2 ORDER BY terminal_id LIMIT 200

-- query: terminal_count
SELECT count(*) FROM terminal WHERE member_id = $1 AND state = 'active'

-- query: terminal_revoke
UPDATE terminal SET state = 'revoked' WHERE terminal_id = $1 AND organization_id = $2 AND state = 'active'

-- query: proven_lock
-- Two factors proven at the same moment must see each other, or neither answer would carry the proof.
SELECT pg_advisory_xact_lock(1, ('x' || substr(encode($1::bytea, 'hex'), 1, 8))::bit(32)::int)

-- query: proven_add
INSERT INTO proven (ticket_digest, factor, act_id, amr, credential_id, proven_at, algorithm, challenge, signature,
                    expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING

-- query: proven_list
SELECT p.factor, p.amr, p.credential_id, p.proven_at, p.algorithm, p.challenge, p.signature
FROM proven p JOIN credential c USING (credential_id)
WHERE p.ticket_digest = $1 AND c.state = 'active' ORDER BY p.proven_at, p.factor

-- query: proven_forget_old
DELETE FROM proven WHERE (ticket_digest, factor) IN (
    SELECT ticket_digest, factor FROM proven WHERE expires_at < $1 ORDER BY expires_at LIMIT 10 FOR UPDATE SKIP LOCKED)

-- query: printer_add
INSERT INTO printer (printer_id, organization_id, name, code_mac, code_expires_at, created_at)
VALUES ($1, $2, $3, $4, $5, $6)

-- query: printer_lock
SELECT organization_id, name, code_mac, tries, code_expires_at, enrolled_at IS NOT NULL, public_key, tls_certificate,
       printer_cert
FROM printer WHERE printer_id = $1 FOR UPDATE

-- query: printer_try
UPDATE printer SET tries = tries + 1 WHERE printer_id = $1

-- query: printer_enrol
UPDATE printer SET enrolled_at = $2, public_key = $3, seal_key = $4, tls_certificate = $5, printer_cert = $6
WHERE printer_id = $1 AND enrolled_at IS NULL
