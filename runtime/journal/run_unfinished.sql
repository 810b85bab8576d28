-- What `resume` without an id may mean: top-level runs that are not done. Read only.
SELECT * FROM cloner.run_overview r
WHERE r.state <> 'done' AND r.parent_run_id IS NULL
ORDER BY r.created_at DESC LIMIT 20
