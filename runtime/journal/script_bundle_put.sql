-- Stores a bundle's head. Idempotent.
-- $1 hash, $2 folder, $3 entry
INSERT INTO cloner.script_bundle (hash, folder, entry) VALUES ($1::text, $2::text, $3::text)
ON CONFLICT (hash) DO NOTHING
