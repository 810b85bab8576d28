-- The newest top-level run. Read only.
SELECT * FROM cloner.run_overview r
WHERE r.parent_run_id IS NULL
ORDER BY r.created_at DESC, r.run_id DESC LIMIT 1
