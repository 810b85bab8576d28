-- The newest top-level run. Read only.
SELECT r.run_id, r.name, r.title, r.bundle_hash, r.target_key, r.idempotency_key, r.parent_run_id,
  r.params, r.output, r.error, r.state, r.phase, r.result, r.owner, r.epoch, r.claims, r.steps_total,
  r.cancel_requested_at IS NOT NULL AS cancel_requested, r.cancel_reason,
  (extract(epoch FROM r.created_at) * 1000)::bigint AS created_ms,
  (extract(epoch FROM r.finished_at) * 1000)::bigint AS finished_ms,
  (extract(epoch FROM coalesce(r.finished_at, now()) - r.created_at) * 1000)::bigint AS age_ms,
  (SELECT count(*) FROM cloner.step s WHERE s.run_id = r.run_id AND s.state IN ('done', 'skipped'))
    AS steps_done,
  (SELECT s.step_key FROM cloner.step s WHERE s.run_id = r.run_id
   AND s.state IN ('started', 'failed') ORDER BY s.seq DESC LIMIT 1) AS step_key,
  w.host, w.pid
FROM cloner.run r LEFT JOIN cloner.worker w ON w.worker_id = r.owner
WHERE r.parent_run_id IS NULL
ORDER BY r.created_at DESC, r.run_id DESC LIMIT 1
