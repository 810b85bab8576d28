-- The modules of a bundle. Read only.
-- $1 hash
SELECT m.path, b.source FROM cloner.script_bundle_module m
JOIN cloner.script_blob b ON b.hash = m.blob_hash WHERE m.bundle_hash = $1::text
