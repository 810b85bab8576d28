-- List partitions with NULL and booleans and enums; a foreign key into them and one out of them.
CREATE TYPE state AS ENUM ('new', 'open', 'done');
CREATE TABLE kinds (id int PRIMARY KEY, name text);
INSERT INTO kinds SELECT i, 'kind' || i || '@corp.example' FROM generate_series(1, 20) i;
CREATE TABLE item (id int, s state, kind int REFERENCES kinds, note text, UNIQUE (id, s)) PARTITION BY LIST (s);
CREATE TABLE item_new PARTITION OF item FOR VALUES IN ('new', NULL);
CREATE TABLE item_more PARTITION OF item FOR VALUES IN ('open', 'done');
INSERT INTO item SELECT i, CASE i % 4 WHEN 0 THEN 'new' WHEN 1 THEN 'open' WHEN 2 THEN 'done' END::state, 1 + i % 20,
    'n' || i || '@corp.example' FROM generate_series(1, 900) i;
CREATE TABLE refers (id int PRIMARY KEY, item_id int, item_s state, FOREIGN KEY (item_id, item_s) REFERENCES item (id, s) ON DELETE CASCADE);
INSERT INTO refers SELECT i, i * 4, 'new' FROM generate_series(1, 100) i;
CREATE TABLE flag (b boolean, t text) PARTITION BY LIST (b);
CREATE TABLE flag_t PARTITION OF flag FOR VALUES IN (true);
CREATE TABLE flag_f PARTITION OF flag FOR VALUES IN (false);
INSERT INTO flag SELECT i % 2 = 0, 'f' || i || '@corp.example' FROM generate_series(1, 100) i;
CREATE FUNCTION noop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''a trigger fired''; END';
CREATE TRIGGER on_item AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION noop();
ALTER TABLE item_more DISABLE TRIGGER on_item;
