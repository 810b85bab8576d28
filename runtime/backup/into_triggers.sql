-- What keeps triggers on inserted rows and on TRUNCATE from firing while rows come in, and what gives
-- them back as they were, for each table (partitions count as their root). $1: as a replica.
SELECT coalesce(pg_partition_root(t.tgrelid), t.tgrelid)::oid,
       string_agg(format('ALTER TABLE ONLY %I.%I DISABLE TRIGGER %I; ', n.nspname, c.relname, t.tgname), ''),
       string_agg(format('ALTER TABLE ONLY %I.%I ENABLE %sTRIGGER %I; ', n.nspname, c.relname,
                         CASE t.tgenabled WHEN 'A' THEN 'ALWAYS ' WHEN 'R' THEN 'REPLICA ' ELSE '' END,
                         t.tgname), '')
  FROM pg_trigger t
  JOIN pg_class c ON c.oid = t.tgrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT t.tgisinternal
   AND (t.tgtype & 36) <> 0 -- INSERT, TRUNCATE
   AND t.tgenabled = ANY (CASE WHEN $1::boolean THEN '{A,R}' ELSE '{O,A}' END::"char"[])
 GROUP BY 1
