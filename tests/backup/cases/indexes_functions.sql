-- Indexes on functions that look things up by search_path, that read other tables, that are written in plpgsql.
CREATE SCHEMA lib;
CREATE FUNCTION lib.clean(t text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT lower(trim(t)) $$;
CREATE FUNCTION public.by_path(t text) RETURNS text IMMUTABLE LANGUAGE plpgsql SET search_path = lib, public AS $$ BEGIN RETURN clean(t); END $$;
CREATE TABLE lookup (id int PRIMARY KEY, name text);
INSERT INTO lookup SELECT i, 'name' || i || '@corp.example' FROM generate_series(1, 20) i;
CREATE FUNCTION name_of(i int) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT name FROM public.lookup WHERE id = i $$;
CREATE TABLE t (id int, note text);
INSERT INTO t SELECT i, ' Note' || i || '@corp.example ' FROM generate_series(1, 300) i;
CREATE INDEX i1 ON t (by_path(note));
CREATE INDEX i2 ON t (name_of(id % 20));
CREATE UNIQUE INDEX i3 ON t (lib.clean(note), id) WHERE by_path(note) <> 'x';
CREATE MATERIALIZED VIEW mv AS SELECT id, by_path(note) AS n FROM t;
CREATE INDEX i4 ON mv (lib.clean(n));
