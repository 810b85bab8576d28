-- Foreign keys into partitioned tables, out of them, between them, and to a single partition; not validated ones.
CREATE TABLE dim (id int, r int, mail text, PRIMARY KEY (id, r)) PARTITION BY RANGE (r);
CREATE TABLE dim_1 PARTITION OF dim FOR VALUES FROM (0) TO (50);
CREATE TABLE dim_2 PARTITION OF dim FOR VALUES FROM (50) TO (1000) PARTITION BY HASH (id);
CREATE TABLE dim_2_0 PARTITION OF dim_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE dim_2_1 PARTITION OF dim_2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO dim SELECT i, i, 'd' || i || '@corp.example' FROM generate_series(1, 500) i;
CREATE TABLE fact (id int, at int, dim_id int, dim_r int, note text, CONSTRAINT to_dim FOREIGN KEY (dim_id, dim_r) REFERENCES dim) PARTITION BY LIST (at);
CREATE TABLE fact_1 PARTITION OF fact FOR VALUES IN (1);
CREATE TABLE fact_2 (note text, dim_r int, dim_id int, at int, id int);
ALTER TABLE fact ATTACH PARTITION fact_2 FOR VALUES IN (2);
INSERT INTO fact SELECT i, 1 + i % 2, 1 + i % 500, 1 + i % 500, 'f' || i || '@corp.example' FROM generate_series(1, 800) i;
CREATE TABLE flat (id int, r int, FOREIGN KEY (id, r) REFERENCES dim ON DELETE CASCADE, FOREIGN KEY (id, r) REFERENCES dim_1 NOT VALID);
INSERT INTO flat SELECT i, i FROM generate_series(1, 40) i;
