-- Takes a finished run to undo it. Fails (23505) when its target has a live run.
-- $1 run, $2 worker
UPDATE cloner.run SET state = 'running', phase = 'undo', result = NULL, finished_at = NULL,
  owner = $2::uuid, epoch = epoch + 1, claims = claims + 1, error = NULL
WHERE run_id = $1::uuid AND state = 'done' AND result IN ('succeeded', 'abandoned')
  AND EXISTS (SELECT 1 FROM cloner.worker WHERE worker_id = $2::uuid AND stopped_at IS NULL)
RETURNING epoch
