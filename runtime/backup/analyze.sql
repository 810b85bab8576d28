-- What the planner wants statistics of besides tables: parents of partitions, materialised views.
SELECT n.nspname, c.relname
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('p', 'm')
   AND (c.relkind = 'p' OR c.relispopulated)
   AND n.nspname !~ '^pg_'
   AND n.nspname <> 'information_schema'
 ORDER BY n.nspname, c.relname
