-- Registers a process with its first lease. Not fenced.
-- $1 worker, $2 host, $3 pid, $4 machine, $5 process start, $6 lease in ms
INSERT INTO cloner.worker (worker_id, host, pid, machine, process_started, lease_expires_at)
VALUES ($1::uuid, $2::text, $3::int, $4::text, $5::bigint, now() + $6::int * interval '1 ms')
ON CONFLICT (worker_id) DO NOTHING
