-- Large objects with oids from $1 to $2 and all that belongs to them. data is NULL when an object
-- holds more than $3 bytes: it is then read in pieces. Privileges are written as pg_dump writes them.
SELECT m.oid,
       CASE WHEN pg_catalog.octet_length(d.head) <= $3::int THEN d.head END AS data,
       pg_catalog.pg_get_userbyid(m.lomowner)::text AS owner,
       CASE WHEN m.lomacl IS NOT NULL THEN g.sql END AS grants,
       r.sql AS remarks
  FROM (SELECT o.oid, o.lomowner, o.lomacl
          FROM pg_catalog.pg_largeobject_metadata o
         WHERE o.oid BETWEEN $1::oid AND $2::oid
         ORDER BY o.oid
        OFFSET 0) m -- sorted before anything is read: contents are never sorted, nor kept
 CROSS JOIN LATERAL (SELECT pg_catalog.lo_get(m.oid, 0, $3::int + 1) AS head OFFSET 0) d
 CROSS JOIN LATERAL (
       SELECT pg_catalog.concat_ws('; ',
                CASE WHEN NOT coalesce(bool_or(a.whole), false)
                     THEN pg_catalog.format('REVOKE ALL ON LARGE OBJECT %s FROM %I', m.oid,
                                            pg_catalog.pg_get_userbyid(m.lomowner)) END,
                pg_catalog.string_agg(
                  CASE WHEN a.whole THEN NULL
                       ELSE CASE WHEN a.grantor <> m.lomowner
                                 THEN pg_catalog.format('SET SESSION AUTHORIZATION %I; ',
                                        pg_catalog.pg_get_userbyid(a.grantor)) ELSE '' END
                         || pg_catalog.format('GRANT %s ON LARGE OBJECT %s TO %s%s', a.rights, m.oid,
                              CASE WHEN a.grantee = 0 THEN 'PUBLIC'
                                   ELSE pg_catalog.quote_ident(
                                          pg_catalog.pg_get_userbyid(a.grantee)) END,
                              CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
                         || CASE WHEN a.grantor <> m.lomowner
                                 THEN '; RESET SESSION AUTHORIZATION' ELSE '' END
                  END, '; ' ORDER BY a.grantor <> m.lomowner, a.n)) AS sql
         FROM (SELECT x.grantor, x.grantee, x.is_grantable,
                      pg_catalog.string_agg(x.privilege_type, ', ' ORDER BY x.n) AS rights,
                      min(x.n) AS n,
                      x.grantor = m.lomowner AND x.grantee = m.lomowner
                        AND NOT x.is_grantable AND count(*) = 2 AS whole
                 FROM pg_catalog.aclexplode(m.lomacl)
                      WITH ORDINALITY x (grantor, grantee, privilege_type, is_grantable, n)
                GROUP BY x.grantor, x.grantee, x.is_grantable) a) g
 CROSS JOIN LATERAL (
       SELECT pg_catalog.string_agg(s.sql, '; ' ORDER BY s.sql) AS sql
         FROM (SELECT pg_catalog.format('COMMENT ON LARGE OBJECT %s IS %L', m.oid, c.description) AS sql
                 FROM pg_catalog.pg_description c
                WHERE c.classoid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass
                  AND c.objoid = m.oid AND c.objsubid = 0
                UNION ALL
               SELECT pg_catalog.format('SECURITY LABEL FOR %I ON LARGE OBJECT %s IS %L',
                        l.provider, m.oid, l.label)
                 FROM pg_catalog.pg_seclabel l
                WHERE l.classoid = 'pg_catalog.pg_largeobject'::pg_catalog.regclass
                  AND l.objoid = m.oid AND l.objsubid = 0) s) r
