-- Populated materialised views in an order in which each comes after those it reads, directly or
-- through views. Members of extensions are left to them.
WITH RECURSIVE reads (reader, oid, relkind) AS (
    SELECT c.oid, d.refobjid, s.relkind
      FROM pg_class c
      JOIN pg_rewrite r ON r.ev_class = c.oid
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass
                      AND d.objid = r.oid
                      AND d.refclassid = 'pg_class'::regclass
                      AND d.refobjid <> c.oid
      JOIN pg_class s ON s.oid = d.refobjid AND s.relkind IN ('m', 'v')
     WHERE c.relkind = 'm'
    UNION
    SELECT reads.reader, d.refobjid, s.relkind
      FROM reads
      JOIN pg_rewrite r ON r.ev_class = reads.oid
      JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass
                      AND d.objid = r.oid
                      AND d.refclassid = 'pg_class'::regclass
                      AND d.refobjid <> reads.oid
      JOIN pg_class s ON s.oid = d.refobjid AND s.relkind IN ('m', 'v')
)
SELECT n.nspname, c.relname
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind = 'm'
   AND c.relispopulated
   AND NOT EXISTS (SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_class'::regclass
                      AND d.objid = c.oid
                      AND d.refclassid = 'pg_extension'::regclass
                      AND d.deptype = 'e')
 ORDER BY (SELECT count(DISTINCT reads.oid) FROM reads
            WHERE reads.reader = c.oid AND reads.relkind = 'm'), n.nspname, c.relname
