-- Every type and what it is made of. rngmultitypid came with version 14, hence the detour by JSON.
SELECT t.oid, n.nspname, t.typname, t.typtype, t.typcategory, t.typelem, t.typbasetype,
       t.typtypmod, t.typrelid, coalesce(r.rngsubtype, m.rngsubtype, 0) AS subtype
  FROM pg_type t
  JOIN pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_range r ON r.rngtypid = t.oid
  LEFT JOIN pg_range m ON to_jsonb(m) ->> 'rngmultitypid' = t.oid::text
 ORDER BY t.oid
