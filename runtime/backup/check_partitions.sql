-- What the partitions of the table $1 take, as one condition about a row; and how many they are, but not
-- more than one beyond $2.
SELECT count(*), string_agg(format('(%s)', coalesce(pg_get_partition_constraintdef(c.oid), 'true')), ' OR ')
  FROM (SELECT p.oid
          FROM pg_class p
         WHERE p.relispartition AND p.relkind IN ('r', 'f') AND pg_partition_root(p.oid) = $1::oid
         LIMIT $2::bigint + 1) c
