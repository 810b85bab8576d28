-- The topmost table of every partition, in the order of their oids.
SELECT c.oid, n.nspname, r.relname
  FROM pg_class c
  JOIN pg_class r ON r.oid = pg_partition_root(c.oid)
  JOIN pg_namespace n ON n.oid = r.relnamespace
 WHERE c.relispartition AND c.relkind = 'r'
 ORDER BY c.oid
