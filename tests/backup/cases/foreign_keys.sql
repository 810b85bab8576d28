-- Foreign keys: to itself, in a circle, deferrable, not valid and broken, of several columns, all actions, to unique indexes.
CREATE TABLE a (id int PRIMARY KEY, boss int REFERENCES a DEFERRABLE INITIALLY DEFERRED, b_id int, mail text UNIQUE);
CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a ON DELETE SET NULL ON UPDATE CASCADE, x int, y int);
ALTER TABLE a ADD CONSTRAINT a_b FOREIGN KEY (b_id) REFERENCES b DEFERRABLE INITIALLY IMMEDIATE;
INSERT INTO a SELECT i, 601 - i, NULL, 'a' || i || '@corp.example' FROM generate_series(1, 600) i;
INSERT INTO b SELECT i, 601 - i, i, i % 7 FROM generate_series(1, 600) i;
UPDATE a SET b_id = id;
CREATE UNIQUE INDEX b_xy ON b (y, x);
CREATE TABLE c (x int, y int, a int DEFAULT 0, FOREIGN KEY (x, y) REFERENCES b (x, y) MATCH FULL ON DELETE SET DEFAULT);
INSERT INTO c SELECT i, i % 7 FROM generate_series(1, 200) i;
INSERT INTO c VALUES (NULL, NULL);
CREATE TABLE broken (id int, a_id int);
INSERT INTO broken VALUES (1, 5), (2, 99999);
ALTER TABLE broken ADD CONSTRAINT dangling FOREIGN KEY (a_id) REFERENCES a NOT VALID;
CREATE TABLE by_mail (mail text REFERENCES a (mail) ON UPDATE CASCADE);
INSERT INTO by_mail SELECT 'a' || i || '@corp.example' FROM generate_series(1, 50) i;
CREATE TABLE part_set (id int, p int, q int, FOREIGN KEY (p, q) REFERENCES b (y, x) ON DELETE SET NULL (q));
COMMENT ON CONSTRAINT dangling ON broken IS 'known to be broken';
