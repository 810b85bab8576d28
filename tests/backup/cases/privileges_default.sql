--cluster: CREATE ROLE dp_a
--cluster: CREATE ROLE dp_b
-- Default privileges, of the database and of a schema, given and taken; what is made for the copy must not get them twice.
CREATE SCHEMA s;
CREATE TABLE s.before (a int);
ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO dp_a;
ALTER DEFAULT PRIVILEGES FOR ROLE dp_a IN SCHEMA s GRANT ALL ON SEQUENCES TO dp_b WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SCHEMAS TO dp_b;
ALTER DEFAULT PRIVILEGES FOR ROLE dp_b GRANT USAGE ON TYPES TO dp_a;
CREATE SCHEMA later;
CREATE TABLE s.after (id serial, mail text);
INSERT INTO s.after (mail) SELECT 't' || i || '@corp.example' FROM generate_series(1, 100) i;
CREATE FUNCTION s.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE s.revoked (a int);
REVOKE ALL ON s.revoked FROM dp_a;
CREATE MATERIALIZED VIEW s.m AS SELECT 1 AS one;
