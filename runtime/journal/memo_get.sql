-- A value a step remembered. Read only.
-- $1 run, $2 step, $3 key
SELECT value FROM cloner.memo WHERE run_id = $1::uuid AND step_key = $2::text AND key = $3::text
