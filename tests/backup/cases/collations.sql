-- ICU, libc, C and nondeterministic collations; columns, domains, indexes and partitions that use them.
CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION "German Phone" (provider = icu, locale = 'de-u-co-phonebk');
CREATE COLLATION posix_copy FROM "POSIX";
CREATE COLLATION numeric (provider = icu, locale = 'en-u-kn-true');
CREATE TABLE t (id int, a text COLLATE ci UNIQUE, b text COLLATE "German Phone", c varchar(90) COLLATE "C", d text COLLATE numeric);
INSERT INTO t SELECT i, 'Müller' || i || '@corp.example', 'Ärger' || i, 'c' || i || '@corp.example', 'n' || i FROM generate_series(1, 300) i;
CREATE INDEX ON t (b);
CREATE INDEX ON t (lower(c COLLATE "C"), d COLLATE "ucs_basic");
CREATE DOMAIN ci_text AS text COLLATE ci;
CREATE TABLE p (k text COLLATE "C", mail text) PARTITION BY RANGE (k COLLATE "C");
CREATE TABLE p_1 PARTITION OF p FOR VALUES FROM (MINVALUE) TO ('m');
CREATE TABLE p_2 PARTITION OF p FOR VALUES FROM ('m') TO (MAXVALUE);
INSERT INTO p SELECT chr(97 + i % 26), 'p' || i || '@corp.example' FROM generate_series(1, 100) i;
CREATE VIEW v AS SELECT a FROM t ORDER BY b COLLATE "C" DESC;
COMMENT ON COLLATION ci IS 'ignores case';
