-- Stores the bytes of one script under their hash. Idempotent.
-- $1 hash, $2 bytes
INSERT INTO cloner.script_blob (hash, source) VALUES ($1::text, $2::bytea)
ON CONFLICT (hash) DO NOTHING
