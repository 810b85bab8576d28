-- Checks that are not valid and do not hold, that look elsewhere, that do not inherit.
CREATE TABLE limits (id int, a int, mail text);
INSERT INTO limits SELECT i, i - 5, 'l' || i || '@corp.example' FROM generate_series(1, 300) i;
ALTER TABLE limits ADD CONSTRAINT not_yet CHECK (a > 0) NOT VALID;
ALTER TABLE limits ADD CONSTRAINT fine CHECK (id > 0);
ALTER TABLE limits ADD CONSTRAINT alone CHECK (id < 5000) NO INHERIT NOT VALID;
CREATE FUNCTION known(i int) RETURNS boolean STABLE LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM limits WHERE id = i)';
CREATE TABLE looks (id int);
INSERT INTO looks SELECT i FROM generate_series(1, 100) i;
ALTER TABLE looks ADD CONSTRAINT known CHECK (known(id)) NOT VALID;
CREATE TABLE "Many" (a int CHECK (a > 0), b int CONSTRAINT "b's" CHECK (b > a), CHECK (a + b < 100000));
INSERT INTO "Many" SELECT i, i + 1 FROM generate_series(1, 50) i;
