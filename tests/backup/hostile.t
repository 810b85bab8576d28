#!/usr/bin/env bash
# Settings of databases and roles that would break a copy, at the source and at the target.
# shellcheck disable=SC2317 # functions are called through ok
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/backup/lib.sh
. "$here/lib.sh"

admin=$(cluster server)
clean=$(fresh_on "$admin" reference)
source_dsn=$(fresh_on "$admin" hostile_source)

sql "$source_dsn" -o /dev/null -f - <<'SQL' || exit 1
CREATE TABLE slow (id int PRIMARY KEY, mail text, CHECK (pg_sleep(0.5) IS NOT NULL));
INSERT INTO slow SELECT i, 's' || i || '@corp.example' FROM generate_series(1, 3) i;
CREATE TABLE v (d date, ts timestamptz, iv interval, f float8, f4 float4, b bytea, x xml, m money,
    a text[], t text, "select" int, "näm€" int, tz time with time zone, arr interval[], c text COLLATE "C");
INSERT INTO v VALUES ('2026-02-03', '2026-07-01 12:00:00.5+02', '1 year -2 days 3:04:05.6', 0.1::float8 / 3, 0.3, '\x005cff',
    'only <a>text</a>', '1234.56', ARRAY['NULL', NULL, 'a\"b', 'x@corp.example'], 'back\slash ''quote''', 5, 6, '12:00+05:30', ARRAY['-1 mon +2 days'::interval], 'c');
CREATE MATERIALIZED VIEW slow_view AS SELECT id, pg_sleep(0.5) IS NULL AS waited FROM slow;
CREATE INDEX ON v (t);
ALTER TABLE v ADD FOREIGN KEY ("select") REFERENCES slow NOT VALID;
CREATE SCHEMA elsewhere;
CREATE TABLE elsewhere.v (a int);
CREATE VIEW elsewhere.pg_class AS SELECT 1 AS oid;
SQL
"$bin/pg_dump" -Fc "$source_dsn" | "$bin/pg_restore" --exit-on-error -d "$clean"
dump "$clean" >"$tmp/reference.sql"

# DATABASE|ROLE NAME: as a database or a role might have it
spoil() {
    local setting
    for setting in "statement_timeout = '900ms'" "idle_in_transaction_session_timeout = '900ms'" "idle_session_timeout = '900ms'" \
        "lock_timeout = '300ms'" "search_path = elsewhere, public, pg_catalog" "default_transaction_isolation = 'serializable'" \
        "default_transaction_read_only = on" "default_transaction_deferrable = on" "DateStyle = 'German, DMY'" \
        "IntervalStyle = 'iso_8601'" "extra_float_digits = -10" "client_encoding = 'LATIN1'" "bytea_output = 'escape'" \
        "xmloption = 'document'" "standard_conforming_strings = off" "quote_all_identifiers = on" "row_security = off" \
        "array_nulls = off" "TimeZone = 'Asia/Kathmandu'" "lc_monetary = 'C.UTF-8'" "xmlbinary = 'hex'" \
        "check_function_bodies = on" "transform_null_equals = on" "synchronous_commit = on" "backslash_quote = off"; do
        echo "ALTER $1 $2 SET $setting;"
    done | sql "$admin" -f -
}

same_as_reference() { # DATABASE
    sql "$admin" -c "ALTER DATABASE $1 RESET ALL" && dump "$admin dbname=$1" >"$tmp/$1.sql" &&
        diff "$tmp/reference.sql" "$tmp/$1.sql"
}

copies() { # NAME SERVER: streamed, and by way of an archive, into databases as hostile
    local name=$1 said from="$2 dbname=hostile_source"
    fresh_on "$admin" "${name}_stream" >/dev/null
    fresh_on "$admin" "${name}_back" >/dev/null
    spoil DATABASE "${name}_stream"
    spoil DATABASE "${name}_back"
    said=$(verb stream source="$from" target="$2 dbname=${name}_stream" jobs=3)
    ok "$name: streamed" says '"rows":4' "$said"
    ok "$name: the same" same_as_reference "${name}_stream"
    said=$(verb create source="$from" to="$tmp/$name")
    ok "$name: archived" says '"rows":4' "$said"
    said=$(verb restore archive="$tmp/$name" target="$2 dbname=${name}_back" jobs=3)
    ok "$name: restored" says '"rows":4' "$said"
    said=$(verb compare source="$from" target="$2 dbname=${name}_back")
    ok "$name: compared" says '"equal":true' "$said"
    ok "$name: the same again" same_as_reference "${name}_back"
}

spoil DATABASE hostile_source
copies databases "$admin"
sql "$admin" -c 'ALTER DATABASE hostile_source RESET ALL' -c "CREATE ROLE hostile_role SUPERUSER LOGIN PASSWORD 'h'"
spoil ROLE hostile_role
copies roles "${admin/user=postgres/user=hostile_role} password=h"

finish
