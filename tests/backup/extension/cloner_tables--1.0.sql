\echo Use "CREATE EXTENSION cloner_tables" to load this file. \quit
-- with a condition: what the extension brought stays out of dumps
CREATE TABLE setting (name text PRIMARY KEY, value text, builtin boolean NOT NULL DEFAULT false);
INSERT INTO setting VALUES ('shipped', 'vendor@vendor.example', true), ('changed', 'before', true), ('removed', 'x', true);
SELECT pg_catalog.pg_extension_config_dump('setting', 'WHERE NOT builtin');
CREATE TABLE "Odd %I" ("Mixed Case" int, note text);
INSERT INTO "Odd %I" VALUES (1, 'it''s'), (20, 'shipped');
SELECT pg_catalog.pg_extension_config_dump('"Odd %I"', 'WHERE "Mixed Case" > 10 AND note NOT IN (''it''''s'', ''shipped'')');
-- without one, empty at first; its sequence goes along
CREATE TABLE account (id serial PRIMARY KEY, setting text REFERENCES setting, mail text);
SELECT pg_catalog.pg_extension_config_dump('account', '');
SELECT pg_catalog.pg_extension_config_dump('account_id_seq', '');
-- refers to a table that is smaller and comes later by name, and to itself
CREATE TABLE a_detail (id int PRIMARY KEY, account int REFERENCES account, above int REFERENCES a_detail, note text);
SELECT pg_catalog.pg_extension_config_dump('a_detail', '');
-- without one, and not empty: dumps hold what every installation brings, copies of them have it twice
CREATE TABLE journal (line text);
INSERT INTO journal VALUES ('installed by vendor@vendor.example');
SELECT pg_catalog.pg_extension_config_dump('journal', '');
-- not declared: nothing of it is ever dumped
CREATE TABLE cache (k int, v text);
INSERT INTO cache VALUES (0, 'cold');
CREATE SEQUENCE cache_seq;
