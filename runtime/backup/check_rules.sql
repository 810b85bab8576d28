-- What masked values could break: unique indexes, CHECK constraints of tables and of domains, bounds of
-- partitions. A row for each column a rule looks at, in the rule's order. `probe` is to be asked about
-- masked rows: the hashes of a row's key, NULL when the index does not hold the row; is the constraint
-- kept? That of partitions is in check_partitions.sql. `root` is what rules of partitions are parts of: the
-- index, or the table, at the top.
WITH RECURSIVE bases (oid, base, typmod, via) AS ( -- what a domain is made of, and by way of which
    SELECT t.oid, t.oid, -1, ARRAY[]::oid[] FROM pg_type t WHERE t.typtype <> 'd'
    UNION ALL
    SELECT d.oid, b.base, CASE WHEN d.typtypmod <> -1 THEN d.typtypmod ELSE b.typmod END, b.via || d.oid
      FROM pg_type d JOIN bases b ON b.oid = d.typbasetype
     WHERE d.typtype = 'd'
),
cols AS (
    SELECT a.attrelid, a.attnum, a.attname, a.atttypid, b.via, a.attgenerated <> '' AS generated,
           pg_get_expr(d.adbin, d.adrelid) AS formula,
           ARRAY(SELECT m[1]::int2 FROM regexp_matches(d.adbin::text, ':varattno (-?\d+)', 'g') m) AS sources,
           format_type(b.base, CASE WHEN a.atttypmod <> -1 THEN a.atttypmod ELSE b.typmod END)
             || coalesce(' COLLATE ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname), '') AS spelled,
           b.base IN ('text'::regtype, 'varchar'::regtype, 'int2'::regtype, 'int4'::regtype,
                      'int8'::regtype, 'uuid'::regtype, 'date'::regtype, 'bool'::regtype)
             AND coalesce(co.collisdeterministic, true) AND a.attgenerated = '' AS bytewise
      FROM pg_attribute a
      JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'm')
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN bases b ON b.oid = a.atttypid
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.attgenerated <> ''
      LEFT JOIN pg_collation co ON co.oid = a.attcollation
      LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
     WHERE a.attnum > 0 AND NOT a.attisdropped
       AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
),
indexes AS (
    SELECT i.indexrelid AS oid, i.indrelid AS relid, x.relname AS name, c.relkind, i.indisexclusion,
           CASE WHEN x.relispartition THEN pg_partition_root(x.oid)::oid END AS root,
           pg_get_expr(i.indpred, i.indrelid) AS predicate,
           coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) AS nulls_too,
           ARRAY(SELECT u.attnum FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS u (attnum, place)
                  WHERE u.attnum <> 0 AND u.place <= i.indnkeyatts
                  UNION
                 SELECT m[1]::int2 FROM regexp_matches(coalesce(i.indexprs::text, '')
                   || coalesce(i.indpred::text, ''), ':varattno (-?\d+)', 'g') m) AS attnums,
           i.indexprs IS NULL AND i.indpred IS NULL AS columns_only,
           -- may rows without an address meet one that was masked? Not by their case alone
           (i.indexprs IS NOT NULL AND EXISTS (
               SELECT FROM generate_series(1, i.indnkeyatts) AS k (place)
                WHERE i.indkey[k.place - 1] = 0
                  AND pg_get_indexdef(i.indexrelid, k.place, false)
                        !~ '^(lower|upper)\(\(?("[^"]+"|\w+)\)?(::text)?\)$'))
             OR (pg_get_expr(i.indpred, i.indrelid)
                   !~ '^\(+("[^"]+"|\w+)\)?(::text)? (IS NOT NULL|<> ''''::text)\)$'
                 AND EXISTS (SELECT FROM regexp_matches(i.indpred::text, ':varattno (\d+)', 'g') m
                               JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = m[1]::int2
                               JOIN pg_type t ON t.oid = a.atttypid
                              WHERE t.typcategory NOT IN ('B', 'D', 'E', 'N'))) AS obscure,
           (SELECT string_agg(format('(%s)%s', pg_get_indexdef(i.indexrelid, k.place, false),
                                     ' COLLATE ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname)), ', '
                              ORDER BY k.place)
              FROM generate_series(1, i.indnkeyatts) AS k (place)
              LEFT JOIN pg_collation co ON co.oid = i.indcollation[k.place - 1]
              LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace) AS keys,
           coalesce((SELECT bool_and(co.collisdeterministic) FROM pg_collation co
                      WHERE co.oid = ANY (i.indcollation::oid[])), true) AS deterministic
      FROM pg_index i
      JOIN pg_class x ON x.oid = i.indexrelid
      JOIN pg_class c ON c.oid = i.indrelid
     WHERE i.indisvalid AND (i.indisunique OR i.indisexclusion) AND c.relkind IN ('r', 'm')
),
trees AS MATERIALIZED ( -- which columns decide where a row of a partitioned table lies
    SELECT pg_partition_root(p.partrelid) AS root, array_agg(a.attname) AS keys
      FROM pg_partitioned_table p
      JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum > 0
       AND (a.attnum = ANY (p.partattrs::int2[]) OR p.partexprs::text ~ (':varattno ' || a.attnum || '\y'))
     GROUP BY 1
    HAVING bool_or(p.partstrat <> 'h') -- a hash takes whatever comes
),
rules AS (
    SELECT 'unique' AS kind, x.oid, x.relid, x.name, x.attnums,
           format('CASE WHEN %s AND %s THEN hash_record_extended(ROW(%s), 0) || '' '' || '
                  'hash_record_extended(ROW(%s), 1) END', coalesce('(' || x.predicate || ')', 'true'),
                  CASE WHEN x.nulls_too THEN 'true' ELSE format('num_nulls(%s) = 0', x.keys) END, x.keys,
                  x.keys) AS probe,
           x.columns_only AND x.deterministic AND NOT x.nulls_too AS may_be_bytewise,
           x.obscure AS every,
           CASE WHEN x.indisexclusion THEN 'an exclusion constraint'
                WHEN x.relkind = 'm' THEN 'of a materialised view, which is filled in the copy' END AS reason,
           x.root
      FROM indexes x
    UNION ALL
    SELECT 'check', k.oid, k.conrelid, k.conname, coalesce(k.conkey, '{}'),
           pg_get_expr(k.conbin, k.conrelid), false, false, NULL, NULL
      FROM pg_constraint k
     WHERE k.contype = 'c' AND k.conrelid <> 0 AND k.convalidated
    UNION ALL
    SELECT 'domain', k.oid, c.attrelid, k.conname, ARRAY[c.attnum],
           pg_get_expr(k.conbin, 0), false, false, NULL, NULL
      FROM cols c
      JOIN pg_constraint k ON k.contype = 'c' AND k.contypid = ANY (c.via) AND k.convalidated
    UNION ALL
    SELECT 'domain', k.oid, c.attrelid, k.conname, ARRAY[c.attnum], 'true', false, false,
           'of the elements of an array', NULL
      FROM cols c
      JOIN pg_type t ON t.oid = c.atttypid AND t.typcategory = 'A'
      JOIN bases e ON e.oid = t.typelem
      JOIN pg_constraint k ON k.contype = 'c' AND k.contypid = ANY (e.via) AND k.convalidated
    UNION ALL
    SELECT 'partition', c.oid, c.oid, r.relname,
           ARRAY(SELECT a.attnum FROM pg_attribute a
                  WHERE a.attrelid = c.oid AND a.attname = ANY (t.keys) AND NOT a.attisdropped),
           '', false, false, NULL, t.root::oid
      FROM trees t
      JOIN pg_class c ON c.relispartition AND c.relkind = 'r' AND pg_partition_root(c.oid) = t.root
      JOIN pg_class r ON r.oid = t.root
),
numbered AS MATERIALIZED (SELECT row_number() OVER () AS id, r.* FROM rules r),
used AS ( -- columns, and what generated ones are made of
    SELECT r.id, c.*
      FROM numbered r JOIN cols c ON c.attrelid = r.relid AND c.attnum = ANY (r.attnums)
    UNION
    SELECT r.id, c.*
      FROM numbered r
      JOIN cols g ON g.attrelid = r.relid AND g.attnum = ANY (r.attnums) AND g.generated
      JOIN cols c ON c.attrelid = r.relid AND c.attnum = ANY (g.sources)
),
made AS (
    SELECT u.id, bool_or(u.generated) AS generated, bool_and(u.bytewise) AS bytewise,
           coalesce(string_agg(format(', LATERAL (SELECT (%s)::%s AS %I) AS "g %s"', u.formula, u.spelled,
                                      u.attname, u.attnum), '' ORDER BY u.attnum)
                      FILTER (WHERE u.generated), '') AS extra
      FROM used u GROUP BY u.id
)
SELECT r.id, r.kind, r.relid, n.nspname, t.relname, r.name, r.probe, m.extra,
       r.may_be_bytewise AND m.bytewise AS bytewise,
       coalesce(r.every, false) OR (r.kind = 'unique' AND m.generated) AS every,
       CASE WHEN r.reason IS NOT NULL THEN r.reason
            WHEN 0 >= ANY (r.attnums) THEN 'looks at the whole row' END AS reason,
       u.attname, u.spelled, CASE r.kind WHEN 'domain' THEN 'value' ELSE u.attname END AS alias,
       r.root
  FROM numbered r
  JOIN made m ON m.id = r.id
  JOIN used u ON u.id = r.id AND NOT u.generated
  JOIN pg_class t ON t.oid = r.relid
  JOIN pg_namespace n ON n.oid = t.relnamespace
 ORDER BY r.kind DESC, r.root, r.relid, r.id, u.attnum
