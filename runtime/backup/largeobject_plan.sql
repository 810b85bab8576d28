-- Large objects cut into $1 ranges of about as many each.
SELECT min(o.oid), count(*)
  FROM (SELECT m.oid, ntile($1::int) OVER (ORDER BY m.oid) AS part
          FROM pg_largeobject_metadata m) o
 GROUP BY o.part
 ORDER BY o.part
