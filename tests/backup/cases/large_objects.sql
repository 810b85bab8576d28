--cluster: CREATE ROLE lo_owner
--cluster: CREATE ROLE lo_reader
-- Large objects: empty, binary, of many pages, with holes, owners, grants and comments.
SELECT lo_create(50001);
SELECT lo_from_bytea(50002, '\x00ff0a5c27');
SELECT lo_from_bytea(50003, decode(repeat('00112233445566778899', 30000), 'hex'));
SELECT lo_create(50004);
SELECT lo_put(50004, 1000000, 'far out');
SELECT lo_from_bytea(4000000000, 'high oid');
SELECT lo_from_bytea(60000 + i, ('text of lo' || i || '@corp.example')::bytea) FROM generate_series(1, 300) i;
ALTER LARGE OBJECT 50002 OWNER TO lo_owner;
GRANT SELECT ON LARGE OBJECT 50002 TO lo_reader;
GRANT ALL ON LARGE OBJECT 50003 TO PUBLIC;
COMMENT ON LARGE OBJECT 50003 IS 'it''s large';
CREATE TABLE refers (id int, o oid);
INSERT INTO refers SELECT i, 60000 + i FROM generate_series(1, 300) i;
COMMENT ON LARGE OBJECT 50001 IS 'ob
ject';
