-- Extended statistics of each kind, on expressions, with targets.
CREATE TABLE t (a int, b int, mail text);
INSERT INTO t SELECT i % 10, i % 20, 't' || i % 7 || '@corp.example' FROM generate_series(1, 500) i;
CREATE STATISTICS s_all ON a, b FROM t;
CREATE STATISTICS s_nd (ndistinct) ON a, b, mail FROM t;
CREATE STATISTICS "S Dep" (dependencies, mcv) ON a, mail FROM t;
CREATE STATISTICS s_expr ON (lower(mail)), (a + b), b FROM t;
CREATE STATISTICS s_one ON (abs(a)) FROM t;
ALTER STATISTICS s_nd SET STATISTICS 300;
COMMENT ON STATISTICS s_expr IS 'expressions';
ANALYZE t;
