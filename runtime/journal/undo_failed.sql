-- An attempt to undo a step failed. Fenced.
-- $1 run, $2 epoch, $3 owner, $4 step, $5 attempt, $6 error, $7 started or failed
WITH f AS (
  SELECT run_id FROM cloner.run WHERE run_id = $1::uuid AND epoch = $2::bigint
    AND owner = $3::uuid AND state = 'running' FOR SHARE),
s AS (
  UPDATE cloner.step s SET undo_state = $7::text, undo_error = $6::jsonb
  FROM f WHERE s.run_id = f.run_id AND s.step_key = $4::text
  RETURNING s.run_id, s.step_key, s.undo_started_at),
a AS (
  INSERT INTO cloner.step_attempt (run_id, step_key, kind, attempt, epoch, started_at, error)
  SELECT run_id, step_key, 'undo', $5::int, $2::bigint, undo_started_at, $6::jsonb FROM s
  ON CONFLICT (run_id, step_key, kind, attempt) DO NOTHING)
SELECT step_key FROM s
