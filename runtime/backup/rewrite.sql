-- What keeps tables of a copy from being emptied and filled again, undone and done again: statements to
-- run before, after, and last of all, in this order. $1: the tables, "schema.table". Indexes stay, and everything
-- that hangs on them.
WITH RECURSIVE chosen AS (
    SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS name
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND n.nspname || '.' || c.relname = ANY ($1::text[])
),
known (oid) AS ( -- whose statistics hold values of theirs: what they are parts of, and every view
    SELECT oid FROM chosen
    UNION
    SELECT i.inhparent
      FROM known
      JOIN pg_inherits i ON i.inhrelid = known.oid
),
stale AS (
    SELECT k.oid, format('%I.%I', n.nspname, c.relname) AS name, k.oid NOT IN (SELECT oid FROM chosen) AS other
      FROM (SELECT oid FROM known
            UNION
            SELECT oid FROM pg_class WHERE relkind = 'm' AND relispopulated) k
      JOIN pg_class c ON c.oid = k.oid
      JOIN pg_namespace n ON n.oid = c.relnamespace
),
touching (oid) AS ( -- foreign keys from and to them; a partition's is part of its parent's
    SELECT k.oid
      FROM pg_constraint k
     WHERE k.contype = 'f'
       AND (k.conrelid IN (SELECT oid FROM chosen) OR k.confrelid IN (SELECT oid FROM chosen))
    UNION
    SELECT k.conparentid
      FROM touching t
      JOIN pg_constraint k ON k.oid = t.oid
     WHERE k.conparentid <> 0
),
keys AS (
    SELECT k.oid, k.conname, format('%I.%I', n.nspname, c.relname) AS name,
           pg_get_constraintdef(k.oid) AS definition, obj_description(k.oid, 'pg_constraint') AS note
      FROM touching t
      JOIN pg_constraint k ON k.oid = t.oid
      JOIN pg_class c ON c.oid = k.conrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE k.conparentid = 0
),
triggers AS (
    SELECT t.tgname, t.tgenabled, c.name
      FROM chosen c
      JOIN pg_trigger t ON t.tgrelid = c.oid
     WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
),
statements (turn, statement) AS (
    SELECT 1, format('ALTER TABLE %s DISABLE TRIGGER %I', name, tgname) FROM triggers
    UNION ALL
    SELECT 2, format('ALTER TABLE %s DROP CONSTRAINT %I', name, conname) FROM keys
    UNION ALL
    SELECT 3, 'TRUNCATE ONLY ' || string_agg(name, ', ONLY ') FROM chosen HAVING count(*) > 0
    UNION ALL -- the most common values of the rows that were: ANALYZE keeps those of an empty table
    SELECT 3, format('DELETE FROM pg_statistic WHERE starelid = %s', oid) FROM stale
    UNION ALL
    SELECT 3, format('DELETE FROM pg_statistic_ext_data WHERE stxoid = %s', s.oid)
      FROM stale t
      JOIN pg_statistic_ext s ON s.stxrelid = t.oid
    UNION ALL
    SELECT 3, format('DELETE FROM pg_statistic WHERE starelid = %s', c::oid)
      FROM unnest('{pg_largeobject,pg_description,pg_seclabel,pg_attrdef,pg_type}'::regclass[]) c
    UNION ALL
    SELECT 4, format('ALTER TABLE %s ADD CONSTRAINT %I %s', name, conname, definition) FROM keys
    UNION ALL
    SELECT 5, format('COMMENT ON CONSTRAINT %I ON %s IS %L', conname, name, note)
      FROM keys
     WHERE note IS NOT NULL
    UNION ALL
    SELECT 6, format('ALTER TABLE %s ENABLE %sTRIGGER %I', name,
                     CASE tgenabled WHEN 'A' THEN 'ALWAYS ' WHEN 'R' THEN 'REPLICA ' ELSE '' END, tgname)
      FROM triggers
    UNION ALL
    SELECT 7, 'ANALYZE ' || name FROM stale WHERE other
    UNION ALL -- and the pages of those are given back, as are those of definitions …
    SELECT 8, 'VACUUM (FULL) ' || c
      FROM unnest('{pg_statistic,pg_statistic_ext_data,pg_description,pg_seclabel,pg_attrdef,pg_type}'::text[]) c
    UNION ALL -- … and of large objects that were
    SELECT 8, 'VACUUM (FULL) ' || c
      FROM unnest('{pg_largeobject,pg_largeobject_metadata}'::text[]) c
     WHERE EXISTS (SELECT FROM pg_largeobject_metadata)
)
SELECT CASE WHEN turn <= 3 THEN 'before' WHEN turn < 8 THEN 'after' ELSE 'last' END AS phase, statement
  FROM statements ORDER BY turn, statement
