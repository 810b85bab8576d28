-- An attempt failed. Fenced; the step stays started until the last one.
-- $1 run, $2 epoch, $3 owner, $4 step, $5 attempt, $6 error, $7 started or failed
WITH f AS (
  SELECT run_id FROM cloner.run WHERE run_id = $1::uuid AND epoch = $2::bigint
    AND owner = $3::uuid AND state = 'running' FOR SHARE),
s AS (
  UPDATE cloner.step s SET state = $7::text, error = $6::jsonb,
    finished_at = CASE $7::text WHEN 'failed' THEN now() END
  FROM f WHERE s.run_id = f.run_id AND s.step_key = $4::text AND s.attempts = $5::int
    AND s.epoch = $2::bigint AND s.state IN ('started', 'failed')
  RETURNING s.run_id, s.step_key, s.attempts, s.epoch, s.started_at),
a AS (
  INSERT INTO cloner.step_attempt (run_id, step_key, kind, attempt, epoch, started_at, error)
  SELECT run_id, step_key, 'run', attempts, epoch, started_at, $6::jsonb FROM s
  ON CONFLICT (run_id, step_key, kind, attempt) DO NOTHING)
SELECT attempts FROM s
