-- Extensions, in schemas of their own, with members that were granted, commented, dropped; columns of their types.
CREATE SCHEMA ext;
CREATE EXTENSION citext SCHEMA ext;
CREATE EXTENSION hstore SCHEMA ext;
CREATE EXTENSION pg_trgm;
CREATE EXTENSION ltree;
CREATE EXTENSION "uuid-ossp";
CREATE EXTENSION intarray;
CREATE EXTENSION pgcrypto SCHEMA ext;
CREATE EXTENSION unaccent;
CREATE EXTENSION isn;
CREATE EXTENSION seg;
CREATE EXTENSION cube;
CREATE EXTENSION tablefunc;
CREATE EXTENSION pg_stat_statements;
SET search_path = public, ext;
CREATE TABLE t (id int, c citext, h hstore, l ltree, s seg, q cube, i ean13, cs citext[], lq lquery);
INSERT INTO t SELECT i, 'C' || i || '@Corp.Example', 'a=>"h@corp.example"', ('Top.A' || i)::ltree, '1 .. 2', '(1,2),(3,4)', '978-0-393-04002-9', ARRAY['x@corp.example'::citext], '*.a'
    FROM generate_series(1, 200) i;
CREATE UNIQUE INDEX ON t (c);
CREATE INDEX ON t USING gin (h);
CREATE INDEX ON t USING gist (l gist_ltree_ops (siglen = 100));
CREATE FUNCTION calls(text) RETURNS text IMMUTABLE LANGUAGE sql AS $$ SELECT public.unaccent($1) $$;
CREATE INDEX ON t (calls(c::text));
REVOKE EXECUTE ON FUNCTION ext.digest(text, text) FROM PUBLIC;
COMMENT ON EXTENSION citext IS 'ours';
