-- Sequences whose state pg_dump would dump (see tables.sql for members of extensions).
SELECT n.nspname, c.relname
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'S'
   AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_'
   AND n.nspname <> 'information_schema'
   AND (NOT EXISTS (SELECT FROM pg_depend d
                     WHERE d.classid = 'pg_class'::regclass
                       AND d.objid = c.oid
                       AND d.refclassid = 'pg_extension'::regclass
                       AND d.deptype = 'e')
        OR EXISTS (SELECT FROM pg_extension e WHERE c.oid = ANY (e.extconfig)))
   -- a standby cannot read those of unlogged tables, which it cannot copy either
   AND NOT (pg_is_in_recovery() AND c.relpersistence = 'u'
            AND EXISTS (SELECT FROM pg_depend d
                         WHERE d.classid = 'pg_class'::regclass
                           AND d.objid = c.oid
                           AND d.refclassid = 'pg_class'::regclass
                           AND d.deptype IN ('a', 'i')))
 ORDER BY n.nspname, c.relname
