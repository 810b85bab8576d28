-- Takes a run nobody owns. No row: somebody does, or it is done. The epoch moves on.
-- $1 run, $2 worker
UPDATE cloner.run SET state = 'running', owner = $2::uuid, epoch = epoch + 1, claims = claims + 1,
  error = NULL
WHERE run_id = $1::uuid AND state IN ('ready', 'paused')
  AND EXISTS (SELECT 1 FROM cloner.worker WHERE worker_id = $2::uuid AND stopped_at IS NULL)
RETURNING epoch
