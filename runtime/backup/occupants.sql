-- What stands in a database that should be empty. Members of extensions do not count.
SELECT o.name, count(*) OVER () AS total
  FROM (SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relkind IN ('r', 'p') AS rows
          FROM pg_class c
          JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
           AND c.relpersistence <> 't'
           AND n.nspname !~ '^pg_'
           AND n.nspname <> 'information_schema'
           AND NOT EXISTS (SELECT FROM pg_depend d
                            WHERE d.classid = 'pg_class'::regclass
                              AND d.objid = c.oid
                              AND d.refclassid = 'pg_extension'::regclass
                              AND d.deptype = 'e')
        UNION ALL
        SELECT format('large object %s', l.oid), false
          FROM pg_largeobject_metadata l) o
 ORDER BY o.rows DESC, o.name
 LIMIT 1
