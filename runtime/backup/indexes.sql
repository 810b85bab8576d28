-- Indexes of ordinary tables that are built beside the copying of rows, and the constraints that
-- take them over. Definitions are complete: search_path is pg_catalog. The rest (exclusion
-- constraints, partitioned indexes, those of materialised views) comes with the schema.
SELECT i.indexrelid, coalesce(k.oid, 0) AS constraint_oid, n.nspname, c.relname, x.relname AS name,
       pg_relation_size(c.oid) AS bytes, pg_get_indexdef(i.indexrelid) AS create,
       CASE WHEN k.oid IS NOT NULL
            THEN format('ALTER TABLE ONLY %I.%I ADD CONSTRAINT %I %s USING INDEX %I%s%s; ',
                        n.nspname, c.relname, k.conname,
                        CASE k.contype WHEN 'p' THEN 'PRIMARY KEY' ELSE 'UNIQUE' END, x.relname,
                        CASE WHEN k.condeferrable THEN ' DEFERRABLE' ELSE '' END,
                        CASE WHEN k.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END)
            ELSE '' END
       || CASE WHEN i.indisclustered
               THEN format('ALTER TABLE %I.%I CLUSTER ON %I; ', n.nspname, c.relname, x.relname)
               ELSE '' END
       || CASE WHEN i.indisreplident
               THEN format('ALTER TABLE ONLY %I.%I REPLICA IDENTITY USING INDEX %I; ', n.nspname,
                           c.relname, x.relname)
               ELSE '' END
       || coalesce((SELECT string_agg(format('ALTER INDEX %I.%I ALTER COLUMN %s SET STATISTICS %s; ',
                                             n.nspname, x.relname, a.attnum, a.attstattarget), ''
                                      ORDER BY a.attnum)
                      FROM pg_attribute a
                     WHERE a.attrelid = x.oid AND a.attstattarget >= 0), '') AS after,
       coalesce(t.spcname, '') AS tablespace
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indrelid
  JOIN pg_class x ON x.oid = i.indexrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_tablespace t ON t.oid = x.reltablespace
  LEFT JOIN pg_constraint k ON k.conindid = x.oid AND k.conrelid = c.oid AND k.contype IN ('p', 'u', 'x')
 WHERE c.relkind = 'r'
   AND c.relpersistence <> 't'
   AND i.indisvalid
   AND NOT i.indisexclusion
   AND n.nspname !~ '^pg_'
   AND n.nspname <> 'information_schema'
   AND coalesce(k.contype, 'p') <> 'x'
   AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass
                      AND d.objid IN (c.oid, x.oid)
                      AND d.deptype IN ('e', 'x'))
 ORDER BY pg_relation_size(x.oid) DESC, n.nspname, x.relname
