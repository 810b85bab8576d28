-- Frees the runs of dead workers: the epoch moves on, so their late writes find no row.
UPDATE cloner.run r SET state = 'ready', owner = NULL, epoch = epoch + 1
WHERE state = 'running' AND NOT EXISTS (
  SELECT 1 FROM cloner.worker w WHERE w.worker_id = r.owner AND w.stopped_at IS NULL)
RETURNING run_id
