-- The steps of a run in the order they began. Read only.
-- $1 run
SELECT step_key, seq, title, state, attempts, result, error, reason, progress, undo_state,
  undo_attempts, undo_error,
  (extract(epoch FROM started_at) * 1000)::bigint AS started_ms,
  (extract(epoch FROM finished_at) * 1000)::bigint AS finished_ms,
  (extract(epoch FROM coalesce(finished_at, now()) - started_at) * 1000)::bigint AS elapsed_ms,
  (extract(epoch FROM undo_started_at) * 1000)::bigint AS undo_started_ms,
  (extract(epoch FROM undo_finished_at) * 1000)::bigint AS undo_finished_ms
FROM cloner.step WHERE run_id = $1::uuid ORDER BY seq
