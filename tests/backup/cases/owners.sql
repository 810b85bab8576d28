--cluster: CREATE ROLE ow_a
--cluster: CREATE ROLE "ow B ""q"""
-- Owners of everything that has one.
CREATE SCHEMA s AUTHORIZATION ow_a;
SET ROLE ow_a;
CREATE TABLE s.t (id serial PRIMARY KEY, mail text);
INSERT INTO s.t (mail) SELECT 't' || i || '@corp.example' FROM generate_series(1, 100) i;
CREATE VIEW s.v AS TABLE s.t;
CREATE MATERIALIZED VIEW s.m AS SELECT count(*) FROM s.t;
CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE s.e AS ENUM ('a');
RESET ROLE;
CREATE TYPE s.c AS (a int); ALTER TYPE s.c OWNER TO "ow B ""q""";
CREATE DOMAIN s.d AS int; ALTER DOMAIN s.d OWNER TO "ow B ""q""";
CREATE SEQUENCE s.q; ALTER SEQUENCE s.q OWNER TO "ow B ""q""";
CREATE TABLE s.others (a int); ALTER TABLE s.others OWNER TO "ow B ""q""";
CREATE AGGREGATE s.total(int) (sfunc = int4pl, stype = int); ALTER AGGREGATE s.total(int) OWNER TO ow_a;
CREATE OPERATOR s.### (leftarg = int, rightarg = int, function = int4pl); ALTER OPERATOR s.### (int, int) OWNER TO ow_a;
CREATE COLLATION s.col FROM "C"; ALTER COLLATION s.col OWNER TO ow_a;
CREATE STATISTICS s.st ON id, mail FROM s.t; ALTER STATISTICS s.st OWNER TO "ow B ""q""";
CREATE TEXT SEARCH DICTIONARY s.dict (template = simple); ALTER TEXT SEARCH DICTIONARY s.dict OWNER TO ow_a;
CREATE TEXT SEARCH CONFIGURATION s.conf (copy = simple); ALTER TEXT SEARCH CONFIGURATION s.conf OWNER TO ow_a;
CREATE FOREIGN DATA WRAPPER ow_fdw; ALTER FOREIGN DATA WRAPPER ow_fdw OWNER TO postgres;
CREATE SERVER ow_srv FOREIGN DATA WRAPPER ow_fdw; ALTER SERVER ow_srv OWNER TO ow_a;
CREATE FOREIGN TABLE s.ft (a int) SERVER ow_srv; ALTER FOREIGN TABLE s.ft OWNER TO ow_a;
CREATE PUBLICATION ow_pub FOR TABLE s.t;
ALTER SCHEMA public OWNER TO ow_a;
