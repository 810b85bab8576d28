-- A later run of the same target that left its mark there. Read only.
-- $1 run
SELECT r.* FROM cloner.run_overview r
JOIN cloner.run o ON o.run_id = $1::uuid AND o.target_key = r.target_key
WHERE r.created_at > o.created_at AND r.name = o.name
  AND (r.result IS NULL OR r.result IN ('succeeded', 'abandoned'))
ORDER BY r.created_at LIMIT 1
