-- A step is undone, or has nothing to undo. Fenced; saying it twice is harmless.
-- $1 run, $2 epoch, $3 owner, $4 step, $5 done or skipped
WITH f AS (
  SELECT run_id FROM cloner.run WHERE run_id = $1::uuid AND epoch = $2::bigint
    AND owner = $3::uuid AND state = 'running' FOR SHARE)
UPDATE cloner.step s SET undo_state = $5::text, undo_error = NULL, undo_finished_at = now()
FROM f WHERE s.run_id = f.run_id AND s.step_key = $4::text
RETURNING s.undo_state
