-- Tables without columns, or without any that is copied.
CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES;
INSERT INTO nothing DEFAULT VALUES;
INSERT INTO nothing DEFAULT VALUES;
CREATE TABLE all_dropped (a int, b text);
INSERT INTO all_dropped SELECT i, 'x' FROM generate_series(1, 500) i;
ALTER TABLE all_dropped DROP COLUMN a, DROP COLUMN b;
CREATE TABLE only_generated (a int GENERATED ALWAYS AS (40 + 2) STORED);
INSERT INTO only_generated DEFAULT VALUES;
CREATE TABLE empty_one (a int, b text);
CREATE TABLE parent_of_none ();
CREATE TABLE child_of_none (a text) INHERITS (parent_of_none);
INSERT INTO child_of_none VALUES ('child@corp.example');
CREATE TYPE no_fields AS ();
