-- What the planner wants statistics of besides tables: parents of partitions, materialised views.
-- Not of parents of foreign tables: that would read them, from servers a copy has no business with.
SELECT n.nspname, c.relname
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('p', 'm')
   AND (c.relkind = 'p' OR c.relispopulated)
   AND NOT EXISTS (SELECT FROM pg_partition_tree(c.oid) t
                     JOIN pg_class f ON f.oid = t.relid
                    WHERE f.relkind = 'f')
   AND n.nspname !~ '^pg_'
   AND n.nspname <> 'information_schema'
 ORDER BY n.nspname, c.relname
