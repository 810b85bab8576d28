-- Takes a run nobody owns. No row: somebody does, or did since it was read, or it is done. The epoch
-- moves on. Saying it twice is harmless.
-- $1 run, $2 worker, $3 the epoch it had when it was read
UPDATE cloner.run SET state = 'running', owner = $2::uuid, epoch = $3::bigint + 1,
  claims = claims + (state <> 'running')::int, error = NULL
WHERE run_id = $1::uuid
  AND (state IN ('ready', 'paused') AND epoch = $3::bigint
    OR state = 'running' AND owner = $2::uuid AND epoch = $3::bigint + 1)
  AND EXISTS (SELECT 1 FROM cloner.worker WHERE worker_id = $2::uuid AND stopped_at IS NULL)
RETURNING epoch
