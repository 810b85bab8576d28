-- Columns that a row cannot do without: neither nullable nor filled in by themselves.
SELECT a.attrelid, a.attname
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p')
   AND a.attnum > 0
   AND NOT a.attisdropped
   AND a.attnotnull
   AND NOT a.atthasdef
   AND a.attidentity = ''
   AND n.nspname !~ '^pg_'
   AND n.nspname <> 'information_schema'
 ORDER BY a.attrelid, a.attnum
