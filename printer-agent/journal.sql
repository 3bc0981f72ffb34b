CREATE TABLE IF NOT EXISTS state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    boot INTEGER NOT NULL, seq INTEGER NOT NULL, turns INTEGER NOT NULL, -- turns: what the witness holds too
    signed_time INTEGER NOT NULL, last_time INTEGER NOT NULL, manifest BLOB);
INSERT OR IGNORE INTO state VALUES (1, 0, 0, 0, 0, 0, NULL);
CREATE TABLE IF NOT EXISTS challenge (
    digest BLOB PRIMARY KEY, issued_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, used INTEGER NOT NULL)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS code (
    id INTEGER PRIMARY KEY CHECK (id = 1), digits TEXT NOT NULL, expires_at INTEGER NOT NULL, tries INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS pairing (
    terminal_id TEXT PRIMARY KEY, member_id TEXT NOT NULL, pair_digest BLOB NOT NULL, paired_at INTEGER NOT NULL)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS number (
    allotment_id TEXT NOT NULL, number INTEGER NOT NULL, grant_id TEXT NOT NULL, job_id TEXT NOT NULL,
    state INTEGER NOT NULL, started_at INTEGER NOT NULL, ended_at INTEGER NOT NULL,
    order_digest BLOB NOT NULL, envelope_digest BLOB NOT NULL,
    PRIMARY KEY (allotment_id, number)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS number_grant ON number (grant_id, number);
CREATE INDEX IF NOT EXISTS number_open ON number (state) WHERE state IN (1, 2);
-- Loaded jobs. The envelope is empty once it was closed out, used up, or dropped with a journal that was put back.
CREATE TABLE IF NOT EXISTS held (
    job_id TEXT PRIMARY KEY, allotment_id TEXT NOT NULL UNIQUE, grant_id TEXT NOT NULL, not_after INTEGER NOT NULL,
    envelope BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS report (
    seq INTEGER PRIMARY KEY, allotment_id TEXT NOT NULL, number INTEGER NOT NULL, digest BLOB NOT NULL,
    bytes BLOB NOT NULL, acked INTEGER NOT NULL DEFAULT 0);
CREATE UNIQUE INDEX IF NOT EXISTS report_number ON report (allotment_id, number);
CREATE INDEX IF NOT EXISTS report_open ON report (seq) WHERE acked = 0;
