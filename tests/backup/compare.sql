-- The source of compare.t: little of everything that has a state of its own.
CREATE EXTENSION hstore;
CREATE SCHEMA shop;
SET search_path = shop, public;

CREATE TABLE person (id int PRIMARY KEY, name text, email text, code char(6), born date);
INSERT INTO person SELECT i, 'name ' || i, 'p' || i || '@corp.example', 'c' || i, date '1970-01-01' + i
  FROM generate_series(1, 2000) i;

-- what the server stores in another form once an address in it was replaced
CREATE TABLE form (id int PRIMARY KEY, doc jsonb, code char(80), pairs hstore, words tsvector, docs jsonb[]);
INSERT INTO form SELECT i,
       jsonb_build_object('z', i, 'a' || i || '@corp.example', 'v', 'bb', '{"x@corp.example": 1, "y": [1.50, null]}'::jsonb),
       i || '@corp.example', hstore('k' || i || '@corp.example', 'v') || hstore('a', NULL),
       to_tsvector('simple', 'write to m' || i || '@corp.example'),
       ARRAY[jsonb_build_object('q' || i || '@corp.example', 1, 'b', 2)]
  FROM generate_series(1, 300) i;

-- the same in COPY's binary format
CREATE TABLE doc (id int PRIMARY KEY, j jsonb);
INSERT INTO doc SELECT i, jsonb_build_object('m' || i || '@corp.example', 'one', 'b', 'two \\ "' || i,
       'zz', jsonb_build_array(i, jsonb_build_object('long-n' || i || '@corp.example', 'x', 'y', NULL)))
  FROM generate_series(1, 100) i;

-- arrays and composites: padding inside of them, and quotes that are needed no more
CREATE TYPE way AS (kind char(50), address text, n int);
CREATE DOMAIN short AS char(60);
CREATE TABLE inside (id int PRIMARY KEY, codes char(60)[], way way, shorts short[], texts text[], ways way[], words varchar(90)[]);
INSERT INTO inside SELECT i, ARRAY[i || '@corp.example', 'b', NULL]::char(60)[], ROW('k' || i || '@corp.example', '"john doe' || i || '"@corp.example', i)::way,
       ARRAY['s' || i || '@corp.example']::short[], ARRAY['"john doe"@corp.example', 'a "b"@corp.example', '\', '', 't' || i || '@corp.example'],
       ARRAY[ROW('w' || i || '@corp.example', NULL, 1)::way, ROW(NULL, '"x y"@corp.example', 2)::way],
       ARRAY['[v' || i || '@corp.example]', 'NULL', '{v@corp.example}']
  FROM generate_series(1, 100) i;
CREATE TABLE twice (kind text, n int); -- no key, and rows that are there more than once
INSERT INTO twice SELECT 'k' || i % 5, i % 7 FROM generate_series(1, 200) i;
CREATE TABLE pair (a uuid, b text, note text, PRIMARY KEY (b, a));
INSERT INTO pair SELECT md5(i::text)::uuid, 'b' || i || '@corp.example', 'n' || i FROM generate_series(1, 50) i;
CREATE TABLE nothing (a int);
CREATE TABLE without_columns ();
INSERT INTO without_columns DEFAULT VALUES;
CREATE TABLE secret (a text);
INSERT INTO secret VALUES ('s@corp.example');
CREATE TABLE moved_here (LIKE person);

-- whole here, cut in the target, and the other way round
CREATE TABLE flat (id int PRIMARY KEY, note text, at date NOT NULL);
INSERT INTO flat SELECT i, 'f' || i || '@corp.example', date '2025-01-01' + i FROM generate_series(1, 500) i;
CREATE TABLE cut (id int, at date, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE cut_2025 PARTITION OF cut FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE cut_2026 (note text, id int NOT NULL, at date NOT NULL);
ALTER TABLE cut ATTACH PARTITION cut_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO cut SELECT i, date '2025-01-01' + i, 'c' || i || '@corp.example' FROM generate_series(1, 500) i;

CREATE SEQUENCE counter;
SELECT setval('counter', 17);
CREATE SEQUENCE untouched START 5;
CREATE MATERIALIZED VIEW adults AS SELECT id FROM person WHERE born < '1975-01-01';
CREATE FUNCTION nothing_to_do() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER nothing_to_do BEFORE INSERT ON nothing FOR EACH ROW EXECUTE FUNCTION nothing_to_do();
ANALYZE;
