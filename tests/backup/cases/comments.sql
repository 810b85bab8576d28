--cluster: CREATE ROLE cm_role
-- Comments on everything not commented elsewhere, long ones, with quotes, in other scripts, and one that is removed.
CREATE SCHEMA s;
COMMENT ON SCHEMA s IS E'two\nlines \\ and ''quotes'' and "these" and $$dollars$$ and ünï';
COMMENT ON SCHEMA public IS 'not the standard one';
CREATE TABLE s.t (id int PRIMARY KEY, mail text CHECK (mail <> ''));
INSERT INTO s.t SELECT i, 't' || i || '@corp.example' FROM generate_series(1, 20) i;
COMMENT ON TABLE s.t IS 'table';
COMMENT ON COLUMN s.t.mail IS 'column';
COMMENT ON CONSTRAINT t_pkey ON s.t IS 'pk';
COMMENT ON CONSTRAINT t_mail_check ON s.t IS 'check';
COMMENT ON INDEX s.t_pkey IS 'index';
CREATE VIEW s.v AS TABLE s.t;
COMMENT ON VIEW s.v IS 'view';
COMMENT ON COLUMN s.v.mail IS 'view column';
CREATE MATERIALIZED VIEW s.m AS TABLE s.t;
COMMENT ON MATERIALIZED VIEW s.m IS 'matview';
CREATE TYPE s.c AS (a int);
COMMENT ON TYPE s.c IS 'type';
COMMENT ON COLUMN s.c.a IS 'attribute';
CREATE FUNCTION s.f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';
COMMENT ON FUNCTION s.f(int) IS 'function';
CREATE EXTENSION pg_trgm;
COMMENT ON EXTENSION pg_trgm IS NULL;
COMMENT ON EXTENSION plpgsql IS 'still here';
DO $$ BEGIN EXECUTE format('COMMENT ON TABLE s.t IS %L', repeat('long ''comment'' ', 20000)); END $$;
