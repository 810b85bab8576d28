-- What of a copy's definitions can be masked in place: statements that set it again. With a text they take that,
-- masked; others hold default expressions. The limit of a column stands where pg_dump would have it.
SELECT format('UPDATE pg_description SET description = $1 WHERE objoid = %s AND classoid = %s AND objsubid = %s',
              d.objoid, d.classoid, d.objsubid) AS statement,
       d.description AS text
  FROM pg_description d
 WHERE d.objoid >= 16384
UNION ALL
SELECT format('UPDATE pg_seclabel SET label = $1 WHERE objoid = %s AND classoid = %s AND objsubid = %s AND provider = %L',
              s.objoid, s.classoid, s.objsubid, s.provider),
       s.label
  FROM pg_seclabel s
UNION ALL
SELECT format('ALTER TABLE ONLY %s ALTER COLUMN %I%s SET DEFAULT %s', a.attrelid::regclass, a.attname,
              CASE WHEN coalesce(nullif(t.typelem, 0), t.oid) IN ('varchar'::regtype, 'bpchar'::regtype)
                   THEN format(' /* %s */', format_type(a.atttypid, a.atttypmod)) END,
              pg_get_expr(d.adbin, d.adrelid)),
       NULL
  FROM pg_attrdef d
  JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
  JOIN pg_type t ON t.oid = a.atttypid
 WHERE a.attgenerated = ''
UNION ALL
SELECT format('ALTER DOMAIN %s%s SET DEFAULT %s', t.oid::regtype,
              CASE WHEN t.typbasetype IN ('varchar'::regtype, 'bpchar'::regtype)
                   THEN format(' /* %s */', format_type(t.typbasetype, t.typtypmod)) END,
              t.typdefault),
       NULL
  FROM pg_type t
 WHERE t.typtype = 'd' AND t.typdefault IS NOT NULL AND t.oid >= 16384
