-- One role and schema a service; nobody reads another's.
-- The psql variables identity, authorization, issuance, filing_relay, verification, printer_bridge hold the passwords.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE TEMP TABLE part (name text, password text);
INSERT INTO part VALUES
    ('identity', :'identity'), ('authorization', :'authorization'), ('issuance', :'issuance'),
    ('filing_relay', :'filing_relay'), ('verification', :'verification'), ('printer_bridge', :'printer_bridge');
REVOKE ALL ON SCHEMA public FROM PUBLIC;
SELECT format('CREATE ROLE %I LOGIN', 'chop_' || name) FROM part
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'chop_' || name) \gexec
SELECT format('ALTER ROLE %I PASSWORD %L', 'chop_' || name, password) FROM part \gexec
SELECT format('CREATE SCHEMA IF NOT EXISTS %I AUTHORIZATION %I', name, 'chop_' || name) FROM part \gexec
SELECT format('ALTER ROLE %I SET search_path = %I', 'chop_' || name, name) FROM part \gexec
-- Its look-ups by key are the busiest queries: planning over the partitions each time costs as much as running them.
ALTER ROLE chop_verification SET plan_cache_mode = force_generic_plan;
