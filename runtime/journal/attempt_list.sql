-- The failed attempts of a run. Read only.
-- $1 run
SELECT step_key, kind, attempt, error, (extract(epoch FROM started_at) * 1000)::bigint AS started_ms,
  (extract(epoch FROM ended_at) * 1000)::bigint AS ended_ms
FROM cloner.step_attempt WHERE run_id = $1::uuid ORDER BY id
