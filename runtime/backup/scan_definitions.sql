-- Text of users that stands in the schema and in no column: it came with pg_dump, and the mask of rows
-- does not reach it. NULL: this role may not read it.
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
),
named (classid, objid, objsubid, name) AS ( -- columns of indexes have the names of others, as have types of tables
    SELECT 'pg_class'::regclass, oid, 0, relname FROM pg_class
    UNION ALL
    SELECT 'pg_class'::regclass, a.attrelid, a.attnum, a.attname
      FROM pg_attribute a
      JOIN pg_class c ON c.oid = a.attrelid AND c.relkind NOT IN ('i', 'I')
     WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'pg_type'::regclass, oid, 0, typname FROM pg_type
     WHERE typrelid = 0 AND (typtype <> 'b' OR typelem = 0)
    UNION ALL
    SELECT 'pg_proc'::regclass, oid, 0, proname FROM pg_proc
    UNION ALL
    SELECT 'pg_namespace'::regclass, oid, 0, nspname FROM pg_namespace
    UNION ALL
    SELECT 'pg_constraint'::regclass, oid, 0, conname FROM pg_constraint
    UNION ALL
    SELECT 'pg_trigger'::regclass, oid, 0, tgname FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT 'pg_rewrite'::regclass, oid, 0, rulename FROM pg_rewrite
    UNION ALL
    SELECT 'pg_policy'::regclass, oid, 0, polname FROM pg_policy
    UNION ALL
    SELECT 'pg_statistic_ext'::regclass, oid, 0, stxname FROM pg_statistic_ext
    UNION ALL
    SELECT 'pg_collation'::regclass, oid, 0, collname FROM pg_collation
    UNION ALL
    SELECT 'pg_ts_config'::regclass, oid, 0, cfgname FROM pg_ts_config
    UNION ALL
    SELECT 'pg_ts_dict'::regclass, oid, 0, dictname FROM pg_ts_dict
    UNION ALL
    SELECT 'pg_event_trigger'::regclass, oid, 0, evtname FROM pg_event_trigger
    UNION ALL
    SELECT 'pg_foreign_data_wrapper'::regclass, oid, 0, fdwname FROM pg_foreign_data_wrapper
    UNION ALL
    SELECT 'pg_foreign_server'::regclass, oid, 0, srvname FROM pg_foreign_server
    UNION ALL
    SELECT 'pg_publication'::regclass, oid, 0, pubname FROM pg_publication
    UNION ALL -- that own something here, or may use it
    SELECT DISTINCT 'pg_authid'::regclass, r.oid, 0, r.rolname
      FROM pg_shdepend d
      JOIN pg_roles r ON r.oid = d.refobjid AND d.refclassid = 'pg_authid'::regclass
      JOIN pg_database b ON b.oid = CASE d.classid WHEN 'pg_database'::regclass THEN d.objid ELSE d.dbid END
     WHERE b.datname = current_database()
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
       CASE p.prokind WHEN 'a' THEN concat_ws(' ', a.agginitval, a.aggminitval) ELSE pg_get_functiondef(p.oid) END
  FROM ours o
  JOIN pg_proc p ON p.oid = o.objid AND o.classid = 'pg_proc'::regclass
  LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid
UNION ALL
SELECT CASE r.relkind WHEN 'm' THEN 'materialised view' ELSE 'view definition' END, r.nspname || '.' || r.relname, pg_get_viewdef(r.oid)
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
UNION ALL -- rows from before it was added have it from there
SELECT 'default of an added column', r.nspname || '.' || r.relname || '.' || a.attname, a.attmissingval::text
  FROM relations r
  JOIN pg_attribute a ON a.attrelid = r.oid AND a.atthasmissing
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
SELECT 'extended statistics', n.nspname || '.' || s.stxname, pg_get_statisticsobjdef(s.oid)
  FROM pg_statistic_ext s
  JOIN pg_namespace n ON n.oid = s.stxnamespace
 WHERE s.oid >= 16384
UNION ALL
SELECT 'partition key', r.nspname || '.' || r.relname, pg_get_partkeydef(r.oid)
  FROM relations r
 WHERE r.relkind = 'p'
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
 WHERE s.srvoptions IS NOT NULL
UNION ALL
SELECT 'foreign data wrapper', w.fdwname, array_to_string(w.fdwoptions, ' ')
  FROM pg_foreign_data_wrapper w
 WHERE w.fdwoptions IS NOT NULL
UNION ALL
SELECT 'user mapping', m.srvname || ' for ' || m.usename, array_to_string(m.umoptions, ' ')
  FROM pg_user_mappings m
 WHERE m.umoptions IS NOT NULL
UNION ALL
SELECT 'foreign table column', r.nspname || '.' || r.relname || '.' || a.attname,
       array_to_string(a.attfdwoptions, ' ')
  FROM relations r
  JOIN pg_attribute a ON a.attrelid = r.oid AND a.attfdwoptions IS NOT NULL AND NOT a.attisdropped
UNION ALL
SELECT 'foreign table', r.nspname || '.' || r.relname, array_to_string(f.ftoptions, ' ')
  FROM relations r
  JOIN pg_foreign_table f ON f.ftrelid = r.oid AND f.ftoptions IS NOT NULL
UNION ALL -- the filter came with version 15, hence the detour by JSON
SELECT 'publication', t.pubname || ' of ' || t.schemaname || '.' || t.tablename, to_jsonb(t) ->> 'rowfilter'
  FROM pg_publication_tables t
 WHERE to_jsonb(t) ->> 'rowfilter' IS NOT NULL
UNION ALL -- its connection string by a query of its own, for who may ask it
SELECT 'subscription', s.subname,
       CASE WHEN has_column_privilege('pg_subscription', 'subconninfo', 'SELECT')
            THEN s.subname || ' ' || query_to_xml(
                format('SELECT subconninfo FROM pg_subscription WHERE subdbid = %s AND subname = %L', b.oid, s.subname),
                false, false, '')::text END
  FROM pg_subscription s
  JOIN pg_database b ON b.oid = s.subdbid
 WHERE b.datname = current_database()
UNION ALL
SELECT 'text search dictionary', d.oid::regdictionary::text, d.dictinitoption
  FROM pg_ts_dict d
 WHERE d.oid >= 16384 AND d.dictinitoption IS NOT NULL
UNION ALL
SELECT 'security label', s.objoid::text, s.label
  FROM pg_seclabel s
UNION ALL -- of a name without other signs nothing need be asked
SELECT i.type || ' name', i.identity, n.name::text
  FROM named n, pg_identify_object(n.classid, n.objid, n.objsubid) i
 WHERE n.objid >= 16384
   AND n.name ~ '[^A-Za-z0-9_]'
   AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = n.classid AND d.objid = n.objid AND d.deptype = 'e')
ORDER BY 1, 2
