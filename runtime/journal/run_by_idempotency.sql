-- The run started with this idempotency key. Read only.
-- $1 name, $2 key
SELECT * FROM cloner.run_overview r
WHERE r.name = $1::text AND r.idempotency_key = $2::text
