-- Tables whose rows pg_dump would dump; with $1 also those that have none but their partitions'.
-- Members of an extension only when it declares them as configuration; `condition` then says which
-- of their rows. Their foreign keys stand before they have rows: `rank` puts what is referred to
-- first; tables without such have rank 0.
WITH RECURSIVE config (oid, condition) AS (
    SELECT u.oid, u.condition
      FROM pg_extension e, unnest(e.extconfig, e.extcondition) AS u (oid, condition)),
ranks (oid, rank) AS (
    SELECT oid, 1 FROM config
     UNION
    SELECT k.conrelid, ranks.rank + 1
      FROM ranks
      JOIN pg_constraint k ON k.confrelid = ranks.oid AND k.contype = 'f' AND k.conrelid <> k.confrelid
      JOIN config ON config.oid = k.conrelid
     WHERE ranks.rank < (SELECT count(*) FROM config)) -- keys may go round in a circle
SELECT c.oid, n.nspname, c.relname, pg_table_size(c.oid) AS bytes,
       pg_relation_size(c.oid) / current_setting('block_size')::bigint AS pages,
       coalesce(m.amname = 'heap', false) AS heap,
       CASE WHEN member.objid IS NULL THEN NULL ELSE coalesce(config.condition, '') END AS condition,
       EXISTS (WITH RECURSIVE below (oid) AS (
                   SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = c.oid
                    UNION
                   SELECT i.inhrelid FROM pg_inherits i JOIN below ON below.oid = i.inhparent)
               SELECT FROM below JOIN pg_class f ON f.oid = below.oid
                WHERE f.relkind = 'f') AS foreign_below,
       pg_is_in_recovery() AND c.relpersistence = 'u' AS out_of_reach,
       root.nspname AS root_schema, root.relname AS root_name,
       coalesce(keys.of_enum, false) AS by_enum, coalesce(keys.of_text, false) AS by_text,
       c.relkind = 'p' AS partitioned,
       coalesce((SELECT max(ranks.rank) FROM ranks WHERE ranks.oid = c.oid), 0) AS rank
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_am m ON m.oid = c.relam
  LEFT JOIN (SELECT DISTINCT d.objid
               FROM pg_depend d
              WHERE d.classid = 'pg_class'::regclass
                AND d.refclassid = 'pg_extension'::regclass
                AND d.deptype = 'e') member ON member.objid = c.oid
  LEFT JOIN config ON config.oid = c.oid
  LEFT JOIN LATERAL (
      SELECT rn.nspname, r.relname
        FROM pg_class r JOIN pg_namespace rn ON rn.oid = r.relnamespace
       WHERE c.relispartition AND r.oid = pg_partition_root(c.oid)) root ON true
  -- keys of the tables above it: hashes of enums are of their oids, which differ in every database;
  -- whatever may hold text may be masked
  LEFT JOIN LATERAL (
      SELECT bool_or(p.partstrat = 'h' AND t.typtype = 'e') AS of_enum,
             bool_or(t.oid IS NULL OR t.typcategory NOT IN ('B', 'D', 'E', 'I', 'N', 'T')
                     AND t.typname <> 'uuid') AS of_text
        FROM pg_partition_ancestors(CASE WHEN c.relispartition THEN c.oid END) above
        JOIN pg_partitioned_table p ON p.partrelid = above.relid
       CROSS JOIN unnest(p.partattrs::int2[]) AS k (attnum)
        LEFT JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.attnum AND k.attnum > 0
        LEFT JOIN pg_type t ON t.oid = a.atttypid) keys ON true
 WHERE (c.relkind = 'r' OR ($1::boolean AND c.relkind = 'p'))
   AND c.relpersistence <> 't'
   AND n.nspname !~ '^pg_'
   AND n.nspname <> 'information_schema'
   AND (member.objid IS NULL OR config.oid IS NOT NULL)
