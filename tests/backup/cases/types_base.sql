-- A base type of one's own, made of built-in functions; one that has no binary form; a shell type.
CREATE TYPE plain;
CREATE FUNCTION plain_in(cstring) RETURNS plain LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION plain_out(plain) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE plain (INPUT = plain_in, OUTPUT = plain_out, LIKE = text, CATEGORY = 'S');
CREATE TYPE never_defined;
CREATE TABLE p (id int, v plain, vs plain[]);
INSERT INTO p SELECT i, ('v' || i || '@corp.example')::plain, ARRAY[('w' || i || '@corp.example, "q"')::plain, NULL] FROM generate_series(1, 200) i;
CREATE TABLE system_types (a regclass, b regtype, c regproc, d regrole, e regnamespace, f aclitem, g pg_lsn, h tid, i xid8, j "char", k oidvector, l pg_snapshot, m txid_snapshot, n regconfig, o jsonpath, p refcursor);
INSERT INTO system_types VALUES ('p', 'plain', 'plain_in', 'postgres', 'public', 'postgres=r/postgres', '16/B374D848', '(3,4)', '77', 'z', '1 2 3',
    '10:20:10,14', '10:20:10,14', 'english', '$.a[*] ? (@.b == "x@corp.example")', 'cur@corp.example');
INSERT INTO system_types (a, j) VALUES (NULL, ''), (0, 'y');
