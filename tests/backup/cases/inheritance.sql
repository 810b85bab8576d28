-- Inheritance: several parents, columns merged and redefined, constraints that do not pass on.
CREATE TABLE base (id int PRIMARY KEY, note text, CONSTRAINT only_here CHECK (id < 1000) NO INHERIT, CONSTRAINT everywhere CHECK (id > 0));
CREATE TABLE second (id int, more text DEFAULT 'more');
CREATE TABLE child (extra text) INHERITS (base);
CREATE TABLE both_of (more text DEFAULT 'other', own int) INHERITS (child, second);
CREATE TABLE joined (note text, id int NOT NULL, CONSTRAINT everywhere CHECK (id > 0));
ALTER TABLE joined INHERIT base;
INSERT INTO base SELECT i, 'base' || i || '@corp.example' FROM generate_series(1, 300) i;
INSERT INTO child SELECT i, 'child' || i || '@corp.example', 'x' FROM generate_series(2000, 2300) i;
INSERT INTO both_of (id, note, own) SELECT i, 'both' || i || '@corp.example', i FROM generate_series(1, 50) i;
INSERT INTO joined VALUES ('joined@corp.example', 5);
ALTER TABLE child ALTER note SET DEFAULT 'child default';
ALTER TABLE base ADD COLUMN late int DEFAULT 4;
ALTER TABLE child ALTER late SET STATISTICS 50;
