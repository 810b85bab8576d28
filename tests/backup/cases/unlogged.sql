-- Unlogged tables, partitions and sequences keep that, their rows and their state.
CREATE UNLOGGED TABLE u (id serial PRIMARY KEY, mail text);
INSERT INTO u (mail) SELECT 'u' || i || '@corp.example' FROM generate_series(1, 500) i;
CREATE UNLOGGED SEQUENCE us START 9;
SELECT nextval('us');
CREATE TABLE p (id int, mail text) PARTITION BY RANGE (id);
CREATE UNLOGGED TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (100);
CREATE TABLE p2 PARTITION OF p DEFAULT;
INSERT INTO p SELECT i, 'p' || i || '@corp.example' FROM generate_series(1, 300) i;
CREATE TEMPORARY TABLE gone_soon (a int);
