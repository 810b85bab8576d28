-- The workers of one machine that did not say goodbye. Read only.
-- $1 machine
SELECT worker_id, pid, process_started FROM cloner.worker
WHERE machine = $1::text AND stopped_at IS NULL
