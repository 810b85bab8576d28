-- Every index method and option: expressions, partial, INCLUDE, NULLS NOT DISTINCT, opclasses with parameters, collations, order.
CREATE EXTENSION pg_trgm;
CREATE TABLE t (id int, a text, b int, j jsonb, p point, ts timestamptz, arr int[], tsv tsvector, u int);
INSERT INTO t SELECT i, 'a' || i || '@corp.example', i % 100, jsonb_build_object('k', i, 'm', 'j' || i || '@corp.example'), point(i, i), '2026-01-01 00:00:00+00'::timestamptz + i * interval '1 hour',
    ARRAY[i, i % 5], to_tsvector('simple', 'word' || i), i FROM generate_series(1, 600) i;
CREATE UNIQUE INDEX u1 ON t (id DESC NULLS LAST) INCLUDE (b, a);
CREATE UNIQUE INDEX u2 ON t (nullif(u, 5)) NULLS NOT DISTINCT;
CREATE INDEX e1 ON t (lower(a) COLLATE "C" text_pattern_ops, (b + 1) DESC) WHERE b > 5 AND a IS NOT NULL;
CREATE INDEX h1 ON t USING hash (a) WITH (fillfactor = 60);
CREATE INDEX g1 ON t USING gin (j jsonb_path_ops) WITH (fastupdate = off);
CREATE INDEX g2 ON t USING gin (a gin_trgm_ops, arr);
CREATE INDEX g3 ON t USING gist (a gist_trgm_ops (siglen = 32), p);
CREATE INDEX s1 ON t USING spgist (p);
CREATE INDEX b1 ON t USING brin (ts timestamptz_minmax_multi_ops, id) WITH (pages_per_range = 8, autosummarize = on);
CREATE INDEX d1 ON t (b) WITH (deduplicate_items = off, fillfactor = 55);
CREATE INDEX x1 ON t ((j ->> 'k'), (a || b));
ALTER INDEX e1 ALTER COLUMN 1 SET STATISTICS 500;
ALTER TABLE t ADD CONSTRAINT t_pk PRIMARY KEY (id) INCLUDE (a) DEFERRABLE;
ALTER TABLE t ADD CONSTRAINT t_u UNIQUE NULLS NOT DISTINCT (u) INCLUDE (b);
ALTER TABLE t CLUSTER ON d1;
COMMENT ON INDEX g1 IS 'of json';
