-- Materialised views on one another against the order of their names, unpopulated, indexed, with unfilled ones among them.
CREATE TABLE t (id int PRIMARY KEY, mail text);
INSERT INTO t SELECT i, 't' || i || '@corp.example' FROM generate_series(1, 200) i;
CREATE MATERIALIZED VIEW z_base AS SELECT id, lower(mail) AS mail FROM t WHERE id < 150;
CREATE VIEW y_over AS SELECT id, mail FROM z_base;
CREATE MATERIALIZED VIEW x_next AS SELECT count(*) AS n, min(mail) AS least FROM y_over;
CREATE MATERIALIZED VIEW a_last ("N", "M") AS SELECT x.n, z.mail FROM x_next x, z_base z WHERE z.id = 1;
CREATE MATERIALIZED VIEW unfilled AS SELECT id FROM t WITH NO DATA;
CREATE MATERIALIZED VIEW on_unfilled AS SELECT 1 AS one WHERE NOT EXISTS (SELECT FROM t WHERE id < 0) WITH NO DATA;
CREATE UNIQUE INDEX ON z_base (id);
CREATE INDEX ON a_last ("M");
CREATE FUNCTION through() RETURNS bigint STABLE LANGUAGE sql AS 'SELECT n FROM public.x_next';
CREATE INDEX x_idx ON x_next (n);
ALTER MATERIALIZED VIEW x_next CLUSTER ON x_idx;
