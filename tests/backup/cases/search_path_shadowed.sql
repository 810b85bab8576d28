-- Objects that shadow the system's: functions, operators and types named as built-in ones stand in public.
CREATE FUNCTION public.count(anyelement) RETURNS int LANGUAGE sql AS 'SELECT 666';
CREATE FUNCTION public.lower(varchar) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT ''shadow''';
CREATE FUNCTION public.pg_table_size(oid) RETURNS bigint LANGUAGE sql AS 'SELECT 1/0';
CREATE TYPE public.text AS (a int);
CREATE DOMAIN public.int8 AS int;
CREATE TABLE public.pg_namespace (oid oid, nspname name);
INSERT INTO public.pg_namespace VALUES (1, 'x@corp.example');
CREATE FUNCTION public.never(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT NULL::boolean';
CREATE FUNCTION public.never2(oid, int) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR public.= (leftarg = oid, rightarg = int, function = public.never2);
CREATE TABLE t (id int, a public.text, b public.int8, c pg_catalog.text);
INSERT INTO t SELECT i, ROW(i)::public.text, i, 't' || i || '@corp.example' FROM generate_series(1, 100) i;
