-- The newest runs. Read only.
-- $1 how many
SELECT * FROM cloner.run_overview r
ORDER BY r.created_at DESC, r.run_id DESC LIMIT $1::int
