-- Renews the lease of a worker that was not declared dead; no row: it was.
-- $1 worker, $2 lease in ms
UPDATE cloner.worker SET lease_expires_at = now() + $2::int * interval '1 ms'
WHERE worker_id = $1::uuid AND stopped_at IS NULL AND lease_expires_at >= now()
RETURNING worker_id
