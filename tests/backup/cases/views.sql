-- Views on views, in a circle by way of functions, recursive, with columns of dropped tables' types, with options.
CREATE TABLE t (id int PRIMARY KEY, mail text, n int);
INSERT INTO t SELECT i, 't' || i || '@corp.example', i FROM generate_series(1, 100) i;
CREATE VIEW z_first AS SELECT id, mail FROM t;
CREATE VIEW a_second AS SELECT z.id AS "Z Id", z.mail, t.n FROM z_first z JOIN t USING (id);
CREATE VIEW m_third ("one", "two") AS SELECT "Z Id", count(*) FROM a_second GROUP BY "Z Id";
CREATE RECURSIVE VIEW up (i) AS SELECT 1 UNION ALL SELECT i + 1 FROM up WHERE i < 5;
CREATE VIEW grouped AS SELECT id, mail, n FROM t GROUP BY id;
CREATE FUNCTION rows_of() RETURNS SETOF z_first LANGUAGE sql AS 'SELECT * FROM z_first';
CREATE VIEW by_function AS SELECT * FROM rows_of() f;
CREATE OR REPLACE VIEW z_first AS SELECT id, mail FROM t WHERE (SELECT count(*) FROM pg_class) > 0;
ALTER VIEW a_second ALTER "Z Id" SET DEFAULT 5;
CREATE VIEW odd AS SELECT 'it''s "x" \ %' AS "odd %", now() AT TIME ZONE 'UTC' AS at, ARRAY[1, 2] AS a;
CREATE VIEW nothing AS SELECT FROM t;
CREATE VIEW windowed AS SELECT id, sum(n) OVER w AS s FROM t WINDOW w AS (PARTITION BY n % 3 ORDER BY id ROWS BETWEEN 2 PRECEDING AND CURRENT ROW);
