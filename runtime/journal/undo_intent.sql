-- A step is about to be undone. Fenced.
-- $1 run, $2 epoch, $3 owner, $4 step
WITH f AS (
  SELECT run_id FROM cloner.run WHERE run_id = $1::uuid AND epoch = $2::bigint
    AND owner = $3::uuid AND state = 'running' FOR SHARE)
UPDATE cloner.step s SET undo_state = 'started', undo_attempts = s.undo_attempts + 1,
  undo_started_at = coalesce(s.undo_started_at, now()), undo_finished_at = NULL
FROM f WHERE s.run_id = f.run_id AND s.step_key = $4::text AND s.undo_state <> 'done'
RETURNING s.undo_attempts
