-- A worker says goodbye, or is known to be dead. Its runs are freed by the sweep.
-- $1 worker
UPDATE cloner.worker SET stopped_at = now() WHERE worker_id = $1::uuid AND stopped_at IS NULL
