-- Bounds that cut a table into ranges of about as many rows: those of the histogram of its integer
-- primary key, where there is such a key and the table was analysed.
SELECT format('%I', a.attname) AS key, b.bound
  FROM pg_index i
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
  JOIN pg_class c ON c.oid = i.indrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname
                 AND NOT s.inherited
 CROSS JOIN unnest(s.histogram_bounds::text::bigint[]) AS b (bound)
 WHERE i.indrelid = $1::oid
   AND i.indisprimary
   AND i.indnkeyatts = 1
   AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
 ORDER BY b.bound
