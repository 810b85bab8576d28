-- A run's audit trail, the newest 500. Read only.
-- $1 run
SELECT * FROM (
  SELECT id, (extract(epoch FROM at) * 1000)::bigint AS at_ms, step_key, kind, data
  FROM cloner.event WHERE run_id = $1::uuid ORDER BY id DESC LIMIT 500) e
ORDER BY id
