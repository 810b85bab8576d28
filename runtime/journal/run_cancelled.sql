-- Which runs of this worker should be cancelled. Read only.
-- $1 worker
SELECT run_id, cancel_reason FROM cloner.run
WHERE owner = $1::uuid AND state = 'running' AND cancel_requested_at IS NOT NULL
