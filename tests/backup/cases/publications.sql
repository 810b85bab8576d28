-- Publications: of all tables, some, with columns and filters, of schemas, options; and their comments.
CREATE SCHEMA s;
CREATE TABLE t (id int PRIMARY KEY, mail text, n int);
CREATE TABLE s.u (id int PRIMARY KEY, mail text);
CREATE TABLE p (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
CREATE TABLE p_1 PARTITION OF p DEFAULT;
INSERT INTO t SELECT i, 't' || i || '@corp.example', i FROM generate_series(1, 100) i;
CREATE PUBLICATION nobody;
CREATE PUBLICATION "every One" FOR ALL TABLES WITH (publish = 'insert, update', publish_via_partition_root);
CREATE PUBLICATION several FOR TABLE t (id, mail) WHERE (n > 5 AND mail <> 'it''s'), TABLE p;
CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA s;
COMMENT ON PUBLICATION several IS 'some';
