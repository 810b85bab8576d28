-- A step took effect. Fenced; saying it twice is harmless.
-- $1 run, $2 epoch, $3 owner, $4 step, $5 attempt, $6 result
WITH f AS (
  SELECT run_id FROM cloner.run WHERE run_id = $1::uuid AND epoch = $2::bigint
    AND owner = $3::uuid AND state = 'running' FOR SHARE)
UPDATE cloner.step s SET state = 'done', result = $6::jsonb, error = NULL, finished_at = now()
FROM f WHERE s.run_id = f.run_id AND s.step_key = $4::text AND s.attempts = $5::int
  AND s.epoch = $2::bigint AND s.state IN ('started', 'done')
RETURNING (extract(epoch FROM s.finished_at - s.started_at) * 1000)::bigint AS elapsed_ms
