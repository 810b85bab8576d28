-- The columns by which rows of a table can be told apart: its primary key, else a unique index
-- without holes.
SELECT a.attname
  FROM (SELECT i.indrelid, i.indkey::int2[] AS keys, i.indnkeyatts
          FROM pg_index i
         WHERE i.indrelid = $1::oid
           AND i.indisunique
           AND i.indisvalid
           AND i.indpred IS NULL
           AND i.indexprs IS NULL
           AND (i.indisprimary
                OR NOT EXISTS (SELECT FROM pg_attribute n
                                WHERE n.attrelid = i.indrelid
                                  AND n.attnum = ANY (i.indkey)
                                  AND NOT n.attnotnull))
         ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid
         LIMIT 1) k
 CROSS JOIN LATERAL unnest(k.keys) WITH ORDINALITY AS u (attnum, place)
  JOIN pg_attribute a ON a.attrelid = k.indrelid AND a.attnum = u.attnum
 WHERE u.place <= k.indnkeyatts
 ORDER BY u.place
