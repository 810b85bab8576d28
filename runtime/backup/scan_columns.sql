-- Every column a scan reads ("text"), or cannot read, of every user table. Text-like are the types
-- that hold text, bytea, and whatever an extension brings; numbers, dates and the like are left out.
WITH RECURSIVE parts (whole, part) AS MATERIALIZED ( -- what a type is made of, one level deep
    SELECT oid, typbasetype FROM pg_type WHERE typtype = 'd'
    UNION ALL
    SELECT oid, typelem FROM pg_type WHERE typcategory = 'A'
    UNION ALL
    SELECT rngtypid, rngsubtype FROM pg_range
    UNION ALL -- rngmultitypid came with version 14, hence the detour by JSON
    SELECT (to_jsonb(r) ->> 'rngmultitypid')::oid, r.rngtypid FROM pg_range r
    UNION ALL
    SELECT t.oid, a.atttypid
      FROM pg_type t
      JOIN pg_attribute a ON a.attrelid = t.typrelid
     WHERE t.typtype = 'c' AND a.attnum > 0 AND NOT a.attisdropped
),
kinds (oid, bytes) AS (
    SELECT t.oid, t.oid = 'bytea'::regtype
      FROM pg_type t
      JOIN pg_namespace n ON n.oid = t.typnamespace
     WHERE t.typtype = 'b'
       AND t.typcategory <> 'A'
       AND (n.nspname <> 'pg_catalog'
            OR t.typname IN ('text', 'varchar', 'bpchar', 'name', 'json', 'jsonb', 'jsonpath', 'xml',
                             'tsvector', 'tsquery', 'bytea'))
    UNION
    SELECT p.whole, k.bytes
      FROM kinds k
      JOIN parts p ON p.part = k.oid
),
known AS (SELECT oid, bool_or(bytes) AS bytes FROM kinds GROUP BY oid),
bases (oid, base) AS ( -- below domains
    SELECT oid, oid FROM pg_type WHERE typtype <> 'd'
    UNION ALL
    SELECT t.oid, b.base
      FROM bases b
      JOIN pg_type t ON t.typbasetype = b.oid AND t.typtype = 'd'
)
SELECT n.nspname AS schema, c.relname AS table, a.attname AS column,
       CASE c.relkind WHEN 'f' THEN 'foreign' ELSE 'text' END AS kind,
       CASE WHEN b.base IN ('json'::regtype, 'jsonb'::regtype) THEN 'json'
            WHEN b.base = 'bytea'::regtype THEN 'bytes'
            WHEN k.bytes THEN 'nested'
            ELSE 'text' END AS carrier,
       pg_catalog.format_type(a.atttypid, NULL) AS type,
       CASE WHEN c.relkind = 'f' THEN 0 ELSE pg_table_size(c.oid) END AS bytes,
       c.oid AS oid,
       CASE WHEN c.relkind = 'f' THEN 0
            ELSE pg_relation_size(c.oid) / current_setting('block_size')::bigint END AS pages,
       coalesce(m.amname = 'heap', false) AS heap
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN known k ON k.oid = a.atttypid
  JOIN bases b ON b.oid = a.atttypid
  LEFT JOIN pg_am m ON m.oid = c.relam
 WHERE c.relkind IN ('r', 'm', 'f')
   AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
   AND (c.relkind <> 'm' OR c.relispopulated)
   AND ($1::text[] IS NULL OR n.nspname || '.' || c.relname = ANY ($1::text[]))
 ORDER BY pg_table_size(c.oid) DESC, n.nspname, c.relname, a.attnum
