#!/usr/bin/env bash
# Single tables out of an archive: what comes along, what stays behind.
# shellcheck disable=SC2317 # functions are called through ok
set -u

# shellcheck source=tests/backup/lib.sh
. "$(dirname "$0")/lib.sh"

source_dsn=$(fresh_on "$TEST_DSN" pick_source)
target_admin=$(cluster target)
fresh() { fresh_on "$target_admin" "$1"; }
sql "$source_dsn" >/dev/null <<'SQL' || exit 1
CREATE SCHEMA shop;
CREATE SCHEMA other;
CREATE TYPE shop.state AS ENUM ('new', 'old');
CREATE TYPE shop.unused AS ENUM ('a');
CREATE FUNCTION shop.tidy(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower($1)';
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE shop.customer (id serial PRIMARY KEY, name text NOT NULL, state shop.state DEFAULT 'new',
    tidy text GENERATED ALWAYS AS (shop.tidy(name)) STORED, CHECK (name <> ''));
COMMENT ON TABLE shop.customer IS 'who buys';
CREATE INDEX customer_tidy ON shop.customer (shop.tidy(name));
CREATE TRIGGER customer_touch BEFORE UPDATE ON shop.customer FOR EACH ROW EXECUTE FUNCTION shop.touch();
CREATE TABLE shop."Odd ""name"" %s" (id int PRIMARY KEY, customer int REFERENCES shop.customer);
CREATE TABLE shop.item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int REFERENCES shop.customer,
    odd int REFERENCES shop."Odd ""name"" %s");
CREATE TABLE other.log (line text);
CREATE TABLE shop.measure (at date, v int) PARTITION BY RANGE (at);
CREATE TABLE shop.measure_25 PARTITION OF shop.measure FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE shop.measure_26 PARTITION OF shop.measure FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE VIEW shop.everything AS SELECT * FROM shop.customer, other.log;
CREATE MATERIALIZED VIEW shop.names AS SELECT name FROM shop.customer;
INSERT INTO shop.customer (name) SELECT 'Name ' || i FROM generate_series(1, 500) i;
INSERT INTO shop."Odd ""name"" %s" SELECT i, i FROM generate_series(1, 20) i;
INSERT INTO shop.item (customer, odd) SELECT i, i FROM generate_series(1, 10) i;
INSERT INTO other.log VALUES ('one');
INSERT INTO shop.measure VALUES ('2025-05-05', 1), ('2026-05-05', 2), ('2026-06-06', 3);
SELECT lo_create(0);
SQL
archive=$tmp/archive
verb create source="$source_dsn" to="$archive" >/dev/null
pick() { verb restore archive="$archive" "$@"; }
relations() {
    sql "$1" -c "SELECT string_agg(oid::regclass::text, ' ' ORDER BY oid::regclass::text) FROM pg_class
        WHERE relkind IN ('r', 'p', 'v', 'm', 'S') AND relnamespace::regnamespace::text !~ '^(pg_|information)'"
}
counts() { sql "$1" -c "SELECT count(*) FROM $2"; }

one=$(fresh one)
said=$(pick target="$one" tables=shop.customer compare=yes)
ok "one table" says '"rows":500' "$said"
ok "is proved, too" says '"compared":1' "$said"
ok "what was left out is told" says '2 foreign key\(s\) between these tables and others' "$said"
ok "nothing else is there" test "$(relations "$one")" = 'shop.customer shop.customer_id_seq'
own_dump() { # all that pg_dump says of the table, its sequence and functions
    "$bin/pg_dump" --schema-only -t shop.customer "$1" | grep -vE '^(\\(un)?restrict |-- Dumped)'
}
ok "the table is what it was" diff <(own_dump "$source_dsn") <(own_dump "$one")
ok "its rows, too" diff <(sql "$source_dsn" -c 'TABLE shop.customer ORDER BY 1') <(sql "$one" -c 'TABLE shop.customer ORDER BY 1')
ok "its sequence goes on" test "$(sql "$one" -c "INSERT INTO shop.customer (name) VALUES ('X') RETURNING id")" = 501
ok "functions and types come along as they are needed" test "$(sql "$one" -c \
    "SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'shop'::regnamespace"
    sql "$one" -c "SELECT string_agg(typname, ' ') FROM pg_type WHERE typtype = 'e'")" = $'tidy touch\nstate'

two=$(fresh two)
said=$(pick target="$two" tables='shop.item,shop.customer')
ok "two tables" says '"rows":510' "$said"
ok "have the foreign key between them" test "$(sql "$two" -c \
    "SELECT string_agg(confrelid::regclass::text, ' ') FROM pg_constraint WHERE contype = 'f'")" = shop.customer
odd=$(fresh odd)
said=$(pick target="$odd" tables='shop.Odd "name" %s')
ok "an odd name" says '"rows":20' "$said"
part=$(fresh part)
said=$(pick target="$part" tables=shop.measure_26)
ok "a partition" says '"rows":2' "$said"
ok "comes with what it is a part of" test "$(counts "$part" shop.measure)" = 2
ok "but not with its siblings" test "$(relations "$part")" = 'shop.measure shop.measure_26'
masked=$(fresh masked)
said=$(pick target="$masked" tables=other.log mask_domain=sink.test jobs=1)
ok "with a mask" says '"rows":1,' "$said"
said=$(pick target="$(fresh nobody)" tables=shop.custmer)
ok "a name that is none is refused" says '"class":"not_found","code":"E_NO_TABLE".*shop.custmer' "$said"
said=$(pick target="$one" tables=shop.item)
ok "a database with tables is refused" says '"code":"E_NOT_EMPTY"' "$said"
old() { # an archive that does not say which object a table is
    sed -i 's/, "oid": [0-9]*, "format"/, "format"/' "$archive/manifest.json" &&
        (cd "$archive" && sha256sum manifest.json >manifest.json.sha256)
    says 'E_ARCHIVE_VERSION.*older version' "$(pick target="$(fresh old)" tables=shop.item)" || return 1
    says '"rows":534' "$(pick target="$(fresh whole)")"
}
ok "an older archive is restored as a whole only" old

finish
