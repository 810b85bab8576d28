-- Range partitions: several columns, unbounded, a default, columns in another order, dropped columns, indexes of their own.
CREATE TABLE ev (at date NOT NULL, kind int, note text, gone int, PRIMARY KEY (at, kind)) PARTITION BY RANGE (at, kind);
ALTER TABLE ev DROP COLUMN gone;
CREATE TABLE ev_low PARTITION OF ev FOR VALUES FROM (MINVALUE, MINVALUE) TO ('2025-01-01', 5);
CREATE TABLE ev_mid (note text, kind int NOT NULL, x int, at date NOT NULL);
ALTER TABLE ev_mid DROP COLUMN x;
ALTER TABLE ev ATTACH PARTITION ev_mid FOR VALUES FROM ('2025-01-01', 5) TO ('2026-01-01', MINVALUE);
CREATE TABLE ev_rest PARTITION OF ev DEFAULT;
CREATE INDEX ON ev (note);
CREATE INDEX own_index ON ev_mid (kind);
ALTER TABLE ev_low ALTER note SET DEFAULT 'low';
INSERT INTO ev SELECT date '2024-01-01' + i, i % 10, 'n' || i || '@corp.example' FROM generate_series(1, 1500) i;
CREATE INDEX half ON ONLY ev (kind);
COMMENT ON TABLE ev_rest IS 'what fits nowhere';
CREATE TABLE detached (LIKE ev INCLUDING ALL);
INSERT INTO detached SELECT * FROM ev ORDER BY at LIMIT 10;
