-- Columns of everything that is a table or can be the type of a column. Those of partitions stand in
-- the order of their root's: rows of one partition may belong to another in a copy, and must look the
-- same there. `chars`: how long a text may be by constraints that say nothing but that, of the table or
-- of the column's domain.
WITH RECURSIVE bounds AS (
    SELECT k.conrelid, k.contypid, m[1] AS name, m[3]::int - (m[2] = '<')::int AS chars
      FROM pg_constraint k
     CROSS JOIN LATERAL regexp_match(pg_get_constraintdef(k.oid),
             '^CHECK \(\(+(?:(?:char_|character_)?length\(\(?(?:"(?:[^"]|"")+"|\w+)\)?(?:::text)?\) >=? \d+\) AND \()?'
             '(?:char_|character_)?length\(\(?("(?:[^"]|"")+"|\w+)\)?(?:::text)?\) (<=?) (\d{1,8})\)+( NO INHERIT)?$') m
     WHERE k.contype = 'c' AND k.convalidated
),
domains (oid, base) AS ( -- what a domain is made of, itself included
    SELECT oid, oid FROM pg_type WHERE typtype = 'd'
    UNION ALL
    SELECT d.oid, t.typbasetype FROM domains d JOIN pg_type t ON t.oid = d.base AND t.typtype = 'd'
),
of_tables AS (
    SELECT conrelid, name, min(chars) AS chars FROM bounds WHERE conrelid <> 0 AND chars > 0 GROUP BY 1, 2
),
of_domains AS (
    SELECT d.oid, min(b.chars) AS chars
      FROM domains d
      JOIN bounds b ON b.contypid = d.base AND b.name = 'VALUE' AND b.chars > 0
     GROUP BY 1
)
SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod,
       format_type(a.atttypid, a.atttypmod) AS type, a.attgenerated <> '' AS generated,
       least(ot.chars, od.chars) AS chars
  FROM pg_attribute a
  JOIN (SELECT oid, relnamespace, CASE WHEN relispartition THEN pg_partition_root(oid) END AS root
          FROM pg_class
         WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'c')
        OFFSET 0) c -- the root is asked for once a table
    ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_attribute r ON r.attrelid = c.root AND r.attname = a.attname
  LEFT JOIN of_tables ot ON ot.conrelid = a.attrelid AND ot.name = quote_ident(a.attname)
  LEFT JOIN of_domains od ON od.oid = a.atttypid
 WHERE a.attnum > 0
   AND NOT a.attisdropped
   AND n.nspname !~ '^pg_'
   AND n.nspname <> 'information_schema'
 ORDER BY a.attrelid, coalesce(r.attnum, a.attnum)
