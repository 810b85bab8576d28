-- Hash partitions of text (masking moves the hash), of enums (whose oids differ in every database), of expressions, nested.
CREATE TYPE colour AS ENUM ('red', 'green', 'blue');
CREATE TABLE by_int (id int PRIMARY KEY, note text) PARTITION BY HASH (id);
CREATE TABLE by_int_0 PARTITION OF by_int FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE by_int_1 PARTITION OF by_int FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE by_int_2 PARTITION OF by_int FOR VALUES WITH (MODULUS 3, REMAINDER 2) PARTITION BY RANGE (id);
CREATE TABLE by_int_2_a PARTITION OF by_int_2 FOR VALUES FROM (0) TO (500);
CREATE TABLE by_int_2_b PARTITION OF by_int_2 DEFAULT;
INSERT INTO by_int SELECT i, 'n' || i || '@corp.example' FROM generate_series(1, 900) i;
CREATE TABLE by_lower (id int, note text) PARTITION BY HASH (abs(id));
CREATE TABLE by_lower_0 PARTITION OF by_lower FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE by_lower_1 PARTITION OF by_lower FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO by_lower SELECT -i, 'l' || i || '@corp.example' FROM generate_series(1, 300) i;
