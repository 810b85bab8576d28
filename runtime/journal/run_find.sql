-- The runs whose id begins or ends like this. Read only.
-- $1 part of an id
SELECT * FROM cloner.run_overview r
WHERE r.run_id::text LIKE $1::text || '%' OR r.run_id::text LIKE '%' || $1::text
ORDER BY r.created_at DESC LIMIT 3
