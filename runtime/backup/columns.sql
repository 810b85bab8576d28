-- Columns of everything that is a table or can be the type of a column. Those of partitions stand in
-- the order of their root's: rows of one partition may belong to another in a copy, and must look the
-- same there.
SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod,
       format_type(a.atttypid, a.atttypmod) AS type, a.attgenerated <> '' AS generated
  FROM pg_attribute a
  JOIN (SELECT oid, relnamespace, CASE WHEN relispartition THEN pg_partition_root(oid) END AS root
          FROM pg_class
         WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'c')
        OFFSET 0) c -- the root is asked for once a table
    ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute r ON r.attrelid = c.root AND r.attname = a.attname
 WHERE a.attnum > 0
   AND NOT a.attisdropped
   AND n.nspname !~ '^pg_'
   AND n.nspname <> 'information_schema'
 ORDER BY a.attrelid, coalesce(r.attnum, a.attnum)
