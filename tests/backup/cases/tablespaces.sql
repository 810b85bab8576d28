--cluster: SET allow_in_place_tablespaces = on; CREATE TABLESPACE ts_one LOCATION ''
--cluster: SET allow_in_place_tablespaces = on; CREATE TABLESPACE "ts Two" LOCATION ''
-- Tables, indexes, materialised views and partitions in tablespaces, and defaults of partitions.
CREATE TABLE t (id int PRIMARY KEY USING INDEX TABLESPACE "ts Two", mail text) TABLESPACE ts_one;
INSERT INTO t SELECT i, 't' || i || '@corp.example' FROM generate_series(1, 100) i;
CREATE INDEX i ON t (mail) TABLESPACE "ts Two";
CREATE MATERIALIZED VIEW m TABLESPACE ts_one AS SELECT count(*) FROM t;
CREATE TABLE p (id int, mail text) PARTITION BY RANGE (id) TABLESPACE ts_one;
CREATE TABLE p_1 PARTITION OF p DEFAULT;
CREATE INDEX p_i ON p (id) TABLESPACE "ts Two";
INSERT INTO p SELECT i, 'p' || i || '@corp.example' FROM generate_series(1, 100) i;
CREATE TABLE plain (a int);
