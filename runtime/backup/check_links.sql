-- Foreign keys, a row for each pair of columns: who refers, and to what. `free`: a NULL in one of the
-- columns is enough for a row to refer to nothing. Where a key of one column does not compare bytes:
-- `pairs` of values that are equal though written in two ways, and whether two values are equal.
SELECT k.conname, n.nspname, c.relname, a.attname, rn.nspname, r.relname, ra.attname,
       k.oid, k.convalidated, k.confmatchtype <> 'f' OR cardinality(k.conkey) = 1 AS free, c.oid AS relid,
       CASE WHEN f.folds THEN
           format('SELECT c.%1$I::text, p.%2$I::text FROM ONLY %3$I.%4$I c JOIN %5$I.%6$I p '
                  'ON p.%2$I OPERATOR(%7$I.%8$s) c.%1$I WHERE c.%1$I::text COLLATE "C" <> p.%2$I::text COLLATE "C" '
                  'LIMIT 10000', a.attname, ra.attname, n.nspname, c.relname, rn.nspname, r.relname, f.nspname,
                  f.oprname) END AS pairs,
       CASE WHEN f.folds THEN
           format('SELECT $1::%s%s OPERATOR(%I.%s) $2::%s', f.spelled, f.collation, f.nspname, f.oprname, f.spelled)
       END AS equal
  FROM pg_constraint k
 CROSS JOIN LATERAL unnest(k.conkey, k.confkey) AS u (attnum, refnum)
  JOIN pg_class c ON c.oid = k.conrelid AND c.relkind = 'r'
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class r ON r.oid = k.confrelid
  JOIN pg_namespace rn ON rn.oid = r.relnamespace
  JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
  JOIN pg_attribute ra ON ra.attrelid = k.confrelid AND ra.attnum = u.refnum
  LEFT JOIN LATERAL (
      SELECT cardinality(k.conkey) = 1 AND a.attcollation = ra.attcollation
               AND (o.oprleft >= 16384 OR NOT coalesce(co.collisdeterministic, true)) AS folds,
             format_type(o.oprleft, NULL) AS spelled, opn.nspname, o.oprname,
             coalesce(' COLLATE ' || quote_ident(cn.nspname) || '.' || quote_ident(co.collname), '') AS collation
        FROM pg_operator o
        JOIN pg_namespace opn ON opn.oid = o.oprnamespace
        LEFT JOIN pg_collation co ON co.oid = a.attcollation
        LEFT JOIN pg_namespace cn ON cn.oid = co.collnamespace
       WHERE o.oid = k.conpfeqop[1]) f ON true
 WHERE k.contype = 'f' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 ORDER BY k.oid, u.attnum
