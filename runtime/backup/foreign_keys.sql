-- Foreign keys between ordinary tables: made NOT VALID, then validated side by side. Those of
-- partitioned tables come with the schema.
SELECT k.oid, n.nspname, c.relname, k.conname,
       format('ALTER TABLE ONLY %I.%I ADD CONSTRAINT %I %s%s', n.nspname, c.relname, k.conname,
              pg_get_constraintdef(k.oid), CASE WHEN k.convalidated THEN ' NOT VALID' ELSE '' END) AS create,
       k.convalidated
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class r ON r.oid = k.confrelid
 WHERE k.contype = 'f'
   AND k.conparentid = 0
   AND c.relkind = 'r'
   AND r.relkind = 'r'
   AND n.nspname !~ '^pg_'
   AND coalesce(to_jsonb(k) ->> 'conenforced', 'true') = 'true'
   AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY pg_relation_size(c.oid) DESC, n.nspname, c.relname, k.conname
