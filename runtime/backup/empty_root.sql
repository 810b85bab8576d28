-- A partitioned table that is no partition itself, by name: has it these two columns, not generated?
SELECT count(*) FILTER (WHERE a.attname = $3) > 0, count(*) FILTER (WHERE a.attname = $4) > 0
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
 WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind = 'p' AND NOT c.relispartition
HAVING count(*) > 0
