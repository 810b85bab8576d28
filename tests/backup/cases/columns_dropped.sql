-- Dropped columns at either end and between, with rows from before and after; added ones with fast defaults.
CREATE TABLE holes (a text, b int, c text, d int, e text);
INSERT INTO holes SELECT 'a' || i || '@corp.example', i, 'c', i, 'e' FROM generate_series(1, 400) i;
ALTER TABLE holes DROP COLUMN a, DROP COLUMN c;
ALTER TABLE holes ADD COLUMN f text DEFAULT 'fast@corp.example', ADD COLUMN a int DEFAULT 3;
INSERT INTO holes SELECT i, i, 'e' || i || '@corp.example', 'f', i FROM generate_series(1, 400) i;
ALTER TABLE holes DROP COLUMN e;
CREATE TYPE shape AS (x int, y text, z int);
CREATE TABLE shapes (id int, s shape, many shape[]);
INSERT INTO shapes VALUES (1, (1, 'y@corp.example', 2), ARRAY[(3, 'in@corp.example', 4)::shape, NULL]);
ALTER TYPE shape DROP ATTRIBUTE x;
ALTER TYPE shape ADD ATTRIBUTE w text;
INSERT INTO shapes VALUES (2, ('y2@corp.example', 5, 'w'), '{}');
CREATE TABLE of_type OF shape (y WITH OPTIONS DEFAULT 'typed@corp.example', PRIMARY KEY (z));
INSERT INTO of_type VALUES (DEFAULT, 1, 'w');
