-- Foreign keys: their two tables (partitions count as their root), whether rows are promised to keep
-- them, and the query that counts rows that do not. It is NULL where there is none yet (periods).
SELECT k.conname, format('%I.%I', n.nspname, c.relname),
       coalesce(pg_partition_root(k.conrelid), k.conrelid)::oid,
       coalesce(pg_partition_root(k.confrelid), k.confrelid)::oid,
       CASE WHEN coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false) THEN NULL
            ELSE format('SELECT count(*) FROM %s%I.%I f WHERE (%s) AND NOT EXISTS (SELECT FROM %s%I.%I p WHERE %s)',
                        CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END, n.nspname, c.relname,
                        (SELECT string_agg(format('f.%I IS NOT NULL', a.attname),
                                           CASE k.confmatchtype WHEN 'f' THEN ' OR ' ELSE ' AND ' END)
                           FROM unnest(k.conkey) u (attnum)
                           JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum),
                        CASE p.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END, pn.nspname, p.relname,
                        (SELECT string_agg(format('p.%I OPERATOR(%I.%s) f.%I', pa.attname, op.nspname,
                                                  o.oprname, fa.attname), ' AND ')
                           FROM unnest(k.conkey, k.confkey, k.conpfeqop) u (f, p, op)
                           JOIN pg_attribute fa ON fa.attrelid = k.conrelid AND fa.attnum = u.f
                           JOIN pg_attribute pa ON pa.attrelid = k.confrelid AND pa.attnum = u.p
                           JOIN pg_operator o ON o.oid = u.op
                           JOIN pg_namespace op ON op.oid = o.oprnamespace))
       END,
       k.convalidated
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class p ON p.oid = k.confrelid
  JOIN pg_namespace pn ON pn.oid = p.relnamespace
 WHERE k.contype = 'f'
   AND k.conparentid = 0
   AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)
 ORDER BY 2, 1
