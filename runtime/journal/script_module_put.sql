-- Stores one module of a bundle. Idempotent.
-- $1 bundle, $2 path, $3 blob
INSERT INTO cloner.script_bundle_module (bundle_hash, path, blob_hash)
VALUES ($1::text, $2::text, $3::text) ON CONFLICT (bundle_hash, path) DO NOTHING
