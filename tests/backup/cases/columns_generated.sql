-- Generated columns, of masked columns and of functions that depend on search_path.
CREATE SCHEMA lib;
CREATE FUNCTION lib.twice(x int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT x * 2';
CREATE FUNCTION lib.four(x int) RETURNS int IMMUTABLE LANGUAGE plpgsql SET search_path = lib AS 'BEGIN RETURN twice(twice(x)); END';
CREATE TABLE gen (
    id int GENERATED ALWAYS AS IDENTITY,
    "first" int GENERATED ALWAYS AS (b + c) STORED,
    b int NOT NULL,
    mail text,
    low text GENERATED ALWAYS AS (lower(mail)) STORED,
    c int DEFAULT 5,
    d int GENERATED ALWAYS AS (lib.four(b)) STORED,
    PRIMARY KEY (id), UNIQUE (low)
);
INSERT INTO gen (b, mail) SELECT i, 'Mail' || i || '@Corp.Example' FROM generate_series(1, 800) i;
ALTER TABLE gen DROP COLUMN c CASCADE;
ALTER TABLE gen ADD COLUMN e text GENERATED ALWAYS AS (upper(mail)) STORED;
