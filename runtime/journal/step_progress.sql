-- How far a step is. Fenced.
-- $1 run, $2 epoch, $3 owner, $4 step, $5 progress
WITH f AS (
  SELECT run_id FROM cloner.run WHERE run_id = $1::uuid AND epoch = $2::bigint
    AND owner = $3::uuid AND state = 'running' FOR SHARE)
UPDATE cloner.step s SET progress = $5::jsonb FROM f
WHERE s.run_id = f.run_id AND s.step_key = $4::text RETURNING s.step_key
