-- A database with whatever a copier stumbles over. Addresses end in corp.example.
CREATE SCHEMA crm7;
CREATE SCHEMA "Odd "" schema
name %s";
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
SET search_path = crm7, public;

CREATE TYPE mood AS ENUM ('sad', 'so so', 'happy');
CREATE DOMAIN mail AS varchar(80) CHECK (value LIKE '%@%');
CREATE DOMAIN short AS mail;
CREATE TYPE contact_way AS (kind text, address mail, n int);
CREATE TYPE textrange AS RANGE (subtype = text);

CREATE TABLE person (
    id int GENERATED ALWAYS AS IDENTITY (START 7 INCREMENT 3),
    gone text,
    name varchar(40) NOT NULL,
    email varchar(60),
    fixed char(50),
    born date DEFAULT 'infinity',
    seen timestamptz,
    upper_name text GENERATED ALWAYS AS (upper(name)) STORED,
    boss int,
    doc jsonb,
    raw json,
    CONSTRAINT person_pk PRIMARY KEY (id),
    CONSTRAINT person_boss FOREIGN KEY (boss) REFERENCES person (id) DEFERRABLE INITIALLY DEFERRED
);
ALTER TABLE person DROP COLUMN gone;
INSERT INTO person (name, email, fixed, seen, boss, doc, raw)
SELECT 'n' || i, 'p' || i || '@corp.example', 'f' || i || '@corp.example',
       CASE i % 4 WHEN 0 THEN NULL WHEN 1 THEN '-infinity' WHEN 2 THEN 'infinity'
            ELSE '2026-02-24 13:05:09.123456+01'::timestamptz END,
       CASE WHEN i > 1 THEN 7 + 3 * ((i * 7) % (i - 1)) END,
       CASE WHEN i % 3 > 0 THEN jsonb_build_object('zz', 'j' || i || '@corp.example',
            'k' || i || '@corp.example', jsonb_build_array(i, NULL, 1.50)) END,
       ('{"b": "r' || i || '@corp.example", "a"  : "tab\tquote\" \u0040"}')::json
  FROM generate_series(1, 3000) i
 ORDER BY i;
CREATE INDEX person_lower ON person (lower(email));
CREATE UNIQUE INDEX person_email ON person (email);

CREATE TABLE every (
    i2 smallint, i8 bigint, f4 real, f8 float8, n numeric, n2 numeric(12, 3), b boolean, y bytea,
    c citext, nm name, ch "char", d date, t time, tz timetz, ts timestamp, iv interval, u uuid,
    ip inet, net cidr, m macaddr, p point, bx box, bits bit(5), vb varbit, x xml, md mood, ml short,
    cw contact_way, ti int[], tt text[], tm mood[], tc contact_way[], tj jsonb[], vc varchar(90)[],
    h hstore, r int4range, tr textrange, mr nummultirange, v tsvector, rc regclass, mny money
);
INSERT INTO every VALUES (
    -32768, 9223372036854775807, 'NaN', '-Infinity', 'NaN', 123456789.125, true, '\x0000ff5c0a09',
    'C@Corp.Example', 'nm@corp.example', 'x', '-infinity', '24:00', '12:30:00.5+05:30', 'infinity',
    '1 year -3 days 04:05:06.789', '11111111-2222-3333-4444-555555555555', '10.1.2.3/24',
    '10.1.2.0/24', '08:00:2b:01:02:03', '(1.5,-2)', '((0,0),(1,1))', '10101', '1',
    '<a m="xm@corp.example">t</a>', 'so so', 'ml@corp.example', ('k,"', 'cw@corp.example', 4),
    '{1,NULL,3}', ARRAY['tt@corp.example', NULL, 'a"b\c', ''], '{happy,sad}',
    ARRAY[('a', 'tc@corp.example', 1)::contact_way], ARRAY['{"a": "tj@corp.example"}'::jsonb],
    ARRAY['vc@corp.example'], 'h1=>"hs@corp.example", "hk@corp.example"=>NULL', '[3,9)',
    '["ra@corp.example","rb@corp.example")', '{[1,2],[5,6)}', to_tsvector('simple', 'write to ts@corp.example'),
    'crm7.person', '-12.34');
INSERT INTO every DEFAULT VALUES;
INSERT INTO every (i2, i8, f4, f8, n) VALUES (0, 0, 0, '-0', 0);
INSERT INTO every (tt, y, n) SELECT ARRAY['multi' || chr(10) || 'line' || chr(9) || '\.', i || '@corp.example'],
    decode(md5(i::text), 'hex'), i::numeric / 7 FROM generate_series(1, 500) i;

CREATE TABLE nothing ();
INSERT INTO nothing DEFAULT VALUES;
INSERT INTO nothing DEFAULT VALUES;
CREATE TABLE only_generated (a int GENERATED ALWAYS AS (1 + 1) STORED);
INSERT INTO only_generated DEFAULT VALUES;
CREATE TABLE empty_table (a text, b int);
CREATE UNLOGGED TABLE unlogged (a text);
INSERT INTO unlogged VALUES ('ul@corp.example');

CREATE TABLE "Odd "" schema
name %s"."Tab	le
""%I"" ünï" ("Col ""1"" %" text, "sElect" int, "ÄÖ
ü" varchar(30));
INSERT INTO "Odd "" schema
name %s"."Tab	le
""%I"" ünï" SELECT 'odd' || i || '@corp.example', i, repeat('ü', i % 30) FROM generate_series(1, 100) i;

CREATE TABLE part (id int, at date, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE part_2025 PARTITION OF part FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE part_2026 PARTITION OF part FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
    PARTITION BY HASH (id);
CREATE TABLE part_2026_0 PARTITION OF part_2026 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE part_2026_1 (note text, at date NOT NULL, id int NOT NULL);
ALTER TABLE part_2026 ATTACH PARTITION part_2026_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO part SELECT i, date '2025-06-01' + i, 'n' || i || '@corp.example' FROM generate_series(1, 400) i;
CREATE TABLE base (a int, note text);
CREATE TABLE derived (extra text) INHERITS (base);
INSERT INTO base VALUES (1, 'base@corp.example');
INSERT INTO derived VALUES (2, 'derived@corp.example', 'extra@corp.example');

CREATE TABLE email_item (id int, body text);
INSERT INTO email_item SELECT i, 'never@corp.example' FROM generate_series(1, 50) i;

CREATE TABLE audit (what text);
CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO crm7.audit VALUES (TG_TABLE_NAME); RETURN NEW; END $$;
CREATE TRIGGER person_audit AFTER INSERT ON person FOR EACH ROW EXECUTE FUNCTION note_it();
CREATE RULE base_rule AS ON INSERT TO base DO ALSO INSERT INTO crm7.audit VALUES ('rule');
ALTER TABLE empty_table ENABLE ROW LEVEL SECURITY;
CREATE POLICY only_positive ON empty_table USING (b > 0);

CREATE VIEW people AS SELECT id, email FROM person;
CREATE MATERIALIZED VIEW m_first AS SELECT id, email FROM people WHERE id < 100;
CREATE MATERIALIZED VIEW a_second AS SELECT count(*) AS n, min(email) AS least FROM m_first;
CREATE MATERIALIZED VIEW unfilled AS SELECT 1 AS one WITH NO DATA;
CREATE UNIQUE INDEX ON m_first (id);

CREATE SEQUENCE called START 5 INCREMENT -2 MINVALUE -100 MAXVALUE 100;
SELECT nextval('called'), nextval('called');
CREATE SEQUENCE fresh START 42;
CREATE SEQUENCE "Odd Seq" AS smallint CYCLE;
SELECT setval('"Odd Seq"', 17, false);
COMMENT ON TABLE person IS 'people';
CREATE STATISTICS person_stats ON name, email FROM person;
ANALYZE;
