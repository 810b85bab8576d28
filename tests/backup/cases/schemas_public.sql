-- No schema public; objects that live in pg_catalog's neighbourhood; empty schemas; the same name in several.
DROP SCHEMA public;
CREATE SCHEMA a; CREATE SCHEMA b; CREATE SCHEMA empty_one;
CREATE TABLE a.t (id int PRIMARY KEY, mail text); CREATE TABLE b.t (LIKE a.t INCLUDING ALL);
INSERT INTO a.t SELECT i, 'a' || i || '@corp.example' FROM generate_series(1, 100) i;
INSERT INTO b.t SELECT i, 'b' || i || '@corp.example' FROM generate_series(1, 50) i;
CREATE FUNCTION a.t() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE a.x AS ENUM ('q');
CREATE TABLE a.pg_class (oid int, relname text);
INSERT INTO a.pg_class VALUES (1, 'mine@corp.example');
CREATE TABLE b."information_schema" (a int);
CREATE FUNCTION a.a_eq(int, text) RETURNS boolean LANGUAGE sql AS 'SELECT false';
CREATE OPERATOR a.= (leftarg = int, rightarg = text, function = a.a_eq);
