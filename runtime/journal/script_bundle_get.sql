-- A bundle's head. Read only.
-- $1 hash
SELECT hash, folder, entry FROM cloner.script_bundle WHERE hash = $1::text
