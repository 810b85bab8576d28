-- Constraints about one column alone that may say how long its text is, and what they call it. Those that
-- are not valid are made after the rows; one that only a partition has would not bind where rows move to.
WITH RECURSIVE domains (oid, part) AS (
    SELECT t.oid, t.oid FROM pg_type t WHERE t.typtype = 'd'
    UNION ALL
    SELECT d.oid, t.typbasetype
      FROM domains d
      JOIN pg_type t ON t.oid = d.part
      JOIN pg_type b ON b.oid = t.typbasetype AND b.typtype = 'd'
)
SELECT a.attrelid, a.attname, pg_get_expr(k.conbin, k.conrelid) AS expr, a.attname::text AS called
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid
  JOIN pg_attribute a ON a.attrelid = k.conrelid AND k.conkey = ARRAY[a.attnum]
 WHERE k.contype = 'c' AND k.convalidated AND (NOT c.relispartition OR k.coninhcount > 0)
   AND pg_get_expr(k.conbin, k.conrelid) LIKE '%length(%'
UNION ALL
SELECT a.attrelid, a.attname, pg_get_expr(k.conbin, k.conrelid), 'VALUE'
  FROM domains d
  JOIN pg_constraint k ON k.contypid = d.part AND k.contype = 'c' AND k.convalidated
  JOIN pg_attribute a ON a.atttypid = d.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE pg_get_expr(k.conbin, k.conrelid) LIKE '%length(%'
 ORDER BY 1
