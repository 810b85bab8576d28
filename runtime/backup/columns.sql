-- Columns of everything that is a table or can be the type of a column.
SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod,
       format_type(a.atttypid, a.atttypmod) AS type, a.attgenerated <> '' AS generated
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c')
   AND a.attnum > 0
   AND NOT a.attisdropped
   AND n.nspname !~ '^pg_'
   AND n.nspname <> 'information_schema'
 ORDER BY a.attrelid, a.attnum
