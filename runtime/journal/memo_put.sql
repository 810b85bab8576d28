-- Remembers a value computed inside a step (run:once). Fenced; the first one stays.
-- $1 run, $2 epoch, $3 owner, $4 step, $5 key, $6 value
WITH f AS (
  SELECT run_id FROM cloner.run WHERE run_id = $1::uuid AND epoch = $2::bigint
    AND owner = $3::uuid AND state = 'running' FOR SHARE)
INSERT INTO cloner.memo AS m (run_id, step_key, key, value)
SELECT f.run_id, $4::text, $5::text, $6::jsonb FROM f
ON CONFLICT (run_id, step_key, key) DO UPDATE SET at = m.at
RETURNING m.value
