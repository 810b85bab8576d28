-- Columns of tables with rows that are unique by themselves, with the index that says so, and the table
-- whose rules they have: of partitions the topmost.
SELECT n.nspname, c.relname, a.attname, x.relname, rn.nspname, r.relname
  FROM pg_index i
  JOIN pg_class x ON x.oid = i.indexrelid
  JOIN pg_class c ON c.oid = i.indrelid AND c.relkind = 'r'
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class r ON r.oid = CASE WHEN c.relispartition THEN pg_partition_root(c.oid) ELSE c.oid END
  JOIN pg_namespace rn ON rn.oid = r.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
 WHERE i.indisunique AND i.indisvalid AND i.indnkeyatts = 1
   AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 ORDER BY 1, 2, 3, 4
