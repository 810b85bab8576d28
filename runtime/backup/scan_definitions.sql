-- Text of users that stands in the schema and in no column: it came with pg_dump, and the mask of rows
-- does not reach it.
-- What extensions brought along is the same everywhere.
WITH ours (classid, objid) AS (
    SELECT 'pg_class'::regclass, c.oid FROM pg_class c WHERE c.oid >= 16384
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p WHERE p.oid >= 16384
    EXCEPT
    SELECT d.classid, d.objid FROM pg_depend d WHERE d.deptype = 'e'
),
relations AS (
    SELECT c.oid, c.relname, c.relkind, c.relpartbound, n.nspname
      FROM ours o
      JOIN pg_class c ON c.oid = o.objid AND o.classid = 'pg_class'::regclass
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
)
SELECT 'comment' AS kind, coalesce(i.identity, d.objoid::text) AS name, d.description AS text
  FROM pg_description d, pg_identify_object(d.classoid, d.objoid, d.objsubid) i
 WHERE (d.objoid >= 16384 OR d.classoid = 'pg_largeobject'::regclass)
   AND d.classoid <> 'pg_extension'::regclass
UNION ALL
SELECT 'comment', 'database', d.description
  FROM pg_shdescription d
  JOIN pg_database b ON b.oid = d.objoid AND d.classoid = 'pg_database'::regclass
 WHERE b.datname = current_database()
UNION ALL
SELECT 'function', p.oid::regprocedure::text,
       CASE p.prokind WHEN 'a' THEN p.prosrc ELSE pg_get_functiondef(p.oid) END
  FROM ours o
  JOIN pg_proc p ON p.oid = o.objid AND o.classid = 'pg_proc'::regclass
UNION ALL
SELECT 'view definition', r.nspname || '.' || r.relname, pg_get_viewdef(r.oid)
  FROM relations r
 WHERE r.relkind IN ('v', 'm')
UNION ALL
SELECT 'rule', r.nspname || '.' || r.relname, pg_get_ruledef(w.oid)
  FROM relations r
  JOIN pg_rewrite w ON w.ev_class = r.oid AND w.rulename <> '_RETURN'
UNION ALL
SELECT 'default or generated expression', r.nspname || '.' || r.relname, pg_get_expr(a.adbin, a.adrelid)
  FROM relations r
  JOIN pg_attrdef a ON a.adrelid = r.oid
UNION ALL
SELECT 'domain default', t.oid::regtype::text, t.typdefault
  FROM pg_type t
 WHERE t.typtype = 'd' AND t.oid >= 16384 AND t.typdefault IS NOT NULL
UNION ALL
SELECT 'check constraint', coalesce(r.nspname || '.' || r.relname, c.contypid::regtype::text),
       pg_get_constraintdef(c.oid)
  FROM pg_constraint c
  LEFT JOIN relations r ON r.oid = c.conrelid
 WHERE c.contype IN ('c', 'x') AND c.oid >= 16384
UNION ALL
SELECT 'trigger', r.nspname || '.' || r.relname, pg_get_triggerdef(t.oid)
  FROM relations r
  JOIN pg_trigger t ON t.tgrelid = r.oid AND NOT t.tgisinternal
UNION ALL
SELECT 'policy', r.nspname || '.' || r.relname,
       concat_ws(' ', pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
  FROM relations r
  JOIN pg_policy p ON p.polrelid = r.oid
UNION ALL
SELECT 'index definition', r.nspname || '.' || r.relname, pg_get_indexdef(r.oid)
  FROM relations r
 WHERE r.relkind IN ('i', 'I')
UNION ALL
SELECT 'partition bound', r.nspname || '.' || r.relname, pg_get_expr(r.relpartbound, r.oid)
  FROM relations r
 WHERE r.relpartbound IS NOT NULL
UNION ALL
SELECT 'enum label', e.enumtypid::regtype::text, e.enumlabel
  FROM pg_enum e
 WHERE e.oid >= 16384
UNION ALL
SELECT 'foreign server', s.srvname, array_to_string(s.srvoptions, ' ')
  FROM pg_foreign_server s
UNION ALL
SELECT 'foreign data wrapper', w.fdwname, array_to_string(w.fdwoptions, ' ')
  FROM pg_foreign_data_wrapper w
UNION ALL
SELECT 'user mapping', m.srvname || ' for ' || m.usename, array_to_string(m.umoptions, ' ')
  FROM pg_user_mappings m
UNION ALL
SELECT 'foreign table column', r.nspname || '.' || r.relname || '.' || a.attname,
       array_to_string(a.attfdwoptions, ' ')
  FROM relations r
  JOIN pg_attribute a ON a.attrelid = r.oid AND a.attfdwoptions IS NOT NULL AND NOT a.attisdropped
UNION ALL
SELECT 'foreign table', r.nspname || '.' || r.relname, array_to_string(f.ftoptions, ' ')
  FROM relations r
  JOIN pg_foreign_table f ON f.ftrelid = r.oid
UNION ALL
SELECT 'security label', s.objoid::text, s.label
  FROM pg_seclabel s
ORDER BY 1, 2
