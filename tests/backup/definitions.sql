-- Everything a database defines, one line each: for servers that the installed pg_dump cannot read.
-- Two databases on one server are the same when these lines are, and the rows are.
\set QUIET on
\pset tuples_only on
\pset format unaligned
SET search_path = pg_catalog;
WITH mine AS (SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
member AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e')
SELECT line FROM (
    SELECT format('schema %I %s %s %s', nspname, nspowner::regrole, nspacl, obj_description(oid, 'pg_namespace')) AS line
      FROM pg_namespace WHERE oid IN (SELECT oid FROM mine)
    UNION ALL
    SELECT format('relation %s %s %s %s %s %s %s %s %s %s %s %s', c.oid::regclass, relkind, relpersistence, relowner::regrole, relacl, reloptions,
           relrowsecurity, relforcerowsecurity, relreplident, relispopulated, pg_get_expr(relpartbound, c.oid), obj_description(c.oid, 'pg_class'))
      FROM pg_class c WHERE relnamespace IN (SELECT oid FROM mine) AND relkind <> 't'
       AND ('pg_class'::regclass, c.oid) NOT IN (SELECT classid, objid FROM member)
    UNION ALL
    SELECT format('column %s.%I %s %s %s %s %s %s %s %s %s %s %s', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
           attgenerated, attstorage, attstattarget, attislocal, attacl, attcollation::regcollation, pg_get_expr(adbin, adrelid), col_description(attrelid, attnum))
      FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum
     WHERE relnamespace IN (SELECT oid FROM mine) AND relkind NOT IN ('t', 'i', 'I') AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT format('parents %s %s %s', inhrelid::regclass, inhparent::regclass, inhseqno) FROM pg_inherits
    UNION ALL
    SELECT format('index %s %s %s %s %s', indexrelid::regclass, pg_get_indexdef(indexrelid), indisclustered, indisreplident, indisvalid)
      FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE relnamespace IN (SELECT oid FROM mine)
    UNION ALL
    SELECT format('constraint %s %s %I %s %s %s %s', conrelid::regclass, contypid::regtype, conname, pg_get_constraintdef(oid), convalidated,
               -- (since version 18 NOT NULL is one, and whose it is depends on the order of commands)
               CASE WHEN contype <> 'n' THEN conislocal END, obj_description(oid, 'pg_constraint'))
      FROM pg_constraint WHERE connamespace IN (SELECT oid FROM mine)
    UNION ALL
    SELECT format('trigger %s %s', pg_get_triggerdef(oid), tgenabled) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL
    SELECT format('rule %s %s', pg_get_ruledef(r.oid), ev_enabled) FROM pg_rewrite r JOIN pg_class c ON c.oid = ev_class
     WHERE relnamespace IN (SELECT oid FROM mine) AND ('pg_class'::regclass, c.oid) NOT IN (SELECT classid, objid FROM member)
    UNION ALL
    SELECT format('policy %I %s %s %s %s %s %s', polname, polrelid::regclass, polcmd, polpermissive, polroles::regrole[], pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
      FROM pg_policy
    UNION ALL
    SELECT format('function %s %s %s %s %s', p.oid::regprocedure, proowner::regrole, proacl, obj_description(p.oid, 'pg_proc'),
           CASE WHEN prokind <> 'a' THEN pg_get_functiondef(p.oid) END)
      FROM pg_proc p WHERE pronamespace IN (SELECT oid FROM mine) AND ('pg_proc'::regclass, p.oid) NOT IN (SELECT classid, objid FROM member)
    UNION ALL
    SELECT format('type %s %s %s %s %s %s %s', t.oid::regtype, typtype, typowner::regrole, typacl, typbasetype::regtype, typnotnull, typdefault)
      FROM pg_type t WHERE typnamespace IN (SELECT oid FROM mine) AND ('pg_type'::regclass, t.oid) NOT IN (SELECT classid, objid FROM member)
    UNION ALL
    SELECT format('label %s %s %L', enumtypid::regtype, enumsortorder, enumlabel) FROM pg_enum
    UNION ALL
    SELECT format('sequence %I.%I %s %s %s %s %s %s %s %s', schemaname, sequencename, data_type, start_value, min_value, max_value, increment_by, cycle, cache_size, last_value)
      FROM pg_sequences
    UNION ALL
    SELECT format('extension %I %s %s', extname, extnamespace::regnamespace, obj_description(oid, 'pg_extension')) FROM pg_extension
    UNION ALL
    SELECT format('statistics %s', pg_get_statisticsobjdef(oid)) FROM pg_statistic_ext
    UNION ALL
    SELECT format('large object %s %s %s', oid, lomowner::regrole, lomacl) FROM pg_largeobject_metadata
    UNION ALL
    SELECT format('default privileges %s %s %s %s', defaclrole::regrole, defaclnamespace, defaclobjtype, defaclacl) FROM pg_default_acl WHERE defaclnamespace = 0
) lines
ORDER BY line COLLATE "C";
