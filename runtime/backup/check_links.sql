-- Foreign keys, a row for each pair of columns: who refers, and to what. `free`: a NULL in one of the
-- columns is enough for a row to refer to nothing.
SELECT k.conname, n.nspname, c.relname, a.attname, rn.nspname, r.relname, ra.attname,
       k.oid, k.convalidated, k.confmatchtype <> 'f' OR cardinality(k.conkey) = 1 AS free
  FROM pg_constraint k
 CROSS JOIN LATERAL unnest(k.conkey, k.confkey) AS u (attnum, refnum)
  JOIN pg_class c ON c.oid = k.conrelid AND c.relkind = 'r'
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class r ON r.oid = k.confrelid
  JOIN pg_namespace rn ON rn.oid = r.relnamespace
  JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
  JOIN pg_attribute ra ON ra.attrelid = k.confrelid AND ra.attnum = u.refnum
 WHERE k.contype = 'f' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 ORDER BY k.oid, u.attnum
