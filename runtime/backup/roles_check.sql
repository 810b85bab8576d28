-- What is wrong with the roles $1; $2: for which of them this session will act (own things, change
-- their default privileges); $3: as which of them it will grant, for which only superusers may.
SELECT n.name, a.oid IS NULL AS missing
  FROM unnest($1::text[], $2::boolean[], $3::boolean[]) AS n (name, acts, grants)
  LEFT JOIN pg_roles a ON a.rolname = n.name
 WHERE a.oid IS NULL
    OR n.acts AND NOT CASE WHEN current_setting('server_version_num')::int >= 160000
                           THEN pg_has_role(a.oid, 'SET') ELSE pg_has_role(a.oid, 'MEMBER') END
    OR n.grants AND NOT (SELECT u.rolsuper FROM pg_roles u WHERE u.rolname = session_user)
 ORDER BY missing DESC, n.name
