-- Roles that large objects name: owners; those who are granted something, or lost some of what owners
-- have by themselves; those other than owners who granted it. As largeobject.sql writes it.
SELECT pg_get_userbyid(r.role), bool_or(r.owns), bool_or(r.granted), bool_or(r.grants)
  FROM (SELECT lomowner AS role, true AS owns, false AS granted, false AS grants
          FROM pg_largeobject_metadata
         UNION ALL
        SELECT m.lomowner, false, true, false
          FROM pg_largeobject_metadata m
         WHERE m.lomacl IS NOT NULL
           AND 2 <> (SELECT count(*) FROM aclexplode(m.lomacl) x
                      WHERE x.grantor = m.lomowner AND x.grantee = m.lomowner AND NOT x.is_grantable)
         UNION ALL
        SELECT u.role, false, true, u.role = x.grantor
          FROM pg_largeobject_metadata m
         CROSS JOIN aclexplode(m.lomacl) x
         CROSS JOIN unnest(ARRAY[x.grantor, x.grantee]) AS u (role)
         WHERE u.role NOT IN (0, m.lomowner)) r
 GROUP BY r.role
