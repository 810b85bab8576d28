-- Turns a run round: from here on its steps are undone. Fenced.
-- $1 run, $2 epoch, $3 owner
UPDATE cloner.run SET phase = 'undo' WHERE run_id = $1::uuid AND epoch = $2::bigint AND owner = $3::uuid
  AND state = 'running'
RETURNING phase
