-- Enough rows for several parts: updated, deleted and dead ones between, wide ones in TOAST, an empty middle.
CREATE TABLE big (id int PRIMARY KEY, mail text, pad text);
INSERT INTO big SELECT i, 'b' || i || '@corp.example', repeat('x', i % 300) FROM generate_series(1, 20000) i;
DELETE FROM big WHERE id BETWEEN 6000 AND 12000;
UPDATE big SET pad = 'updated' WHERE id % 7 = 0;
CREATE TABLE wide (id int, body text, b bytea);
ALTER TABLE wide ALTER body SET STORAGE EXTERNAL;
INSERT INTO wide SELECT i, repeat('w' || i || '@corp.example ', 400), decode(md5(i::text), 'hex') FROM generate_series(1, 300) i;
CREATE TABLE few (a int);
INSERT INTO few SELECT i FROM generate_series(1, 5000) i;
DELETE FROM few WHERE a < 4990;
CREATE TABLE emptied (a int, b text);
INSERT INTO emptied SELECT i, 'x' FROM generate_series(1, 3000) i;
DELETE FROM emptied;
CREATE INDEX ON big (mail);
CREATE INDEX ON big (id, pad);
ALTER TABLE wide ADD FOREIGN KEY (id) REFERENCES big;
