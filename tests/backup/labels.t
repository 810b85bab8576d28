#!/usr/bin/env bash
# Security labels whose provider the target does not have: nothing is made without them, and the error
# says whose it was. (A provider itself is a library built for the server.)
# shellcheck disable=SC2317 # functions are called through ok
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/backup/lib.sh
. "$here/lib.sh"

source_admin=$(cluster source)
target_admin=$(cluster target)

# A source as one whose provider was loaded has it: labels are rows of the catalog.
labelled() { # DATABASE CLASS OBJECT SUBID
    local dsn
    dsn=$(fresh_on "$source_admin" "$1")
    sql "$dsn" -o /dev/null -f - <<'SQL' || return 1
CREATE TABLE first (id int PRIMARY KEY, mail text);
INSERT INTO first SELECT i, 'f' || i || '@corp.example' FROM generate_series(1, 500) i;
CREATE TABLE "Odd one" (id int REFERENCES first, mail text);
INSERT INTO "Odd one" SELECT i, 'o' || i || '@corp.example' FROM generate_series(1, 500) i;
CREATE FUNCTION watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER watcher ON ddl_command_end EXECUTE FUNCTION watch();
GRANT SELECT ON first TO PUBLIC;
SELECT lo_from_bytea(40 + i, 'large') FROM generate_series(1, 9) i;
COMMENT ON LARGE OBJECT 44 IS 'no label';
SQL
    sql "$dsn" -c "INSERT INTO pg_seclabel VALUES (${3}, '${2}'::regclass, ${4}, 'absent', 'it''s secret')" || return 1
    echo "$dsn"
}

# What of the schema the target's server was told, in its order, up to the first error.
told() {
    awk '{ sub(/^\t/, "") }
        / ERROR: / { print "ERROR"; exit }
        match($0, /^(CREATE TABLE|GRANT|CREATE EVENT TRIGGER|SECURITY LABEL)/) { printf "%s, ", substr($0, 1, RLENGTH) }' "$tmp/target/log"
}
target() { # a new database whose schema is logged; prints its connection string
    local dsn
    dsn=$(fresh_on "$target_admin" copy)
    sql "$target_admin" -c "ALTER DATABASE copy SET log_statement = 'ddl'" && : >"$tmp/target/log"
    echo "$dsn"
}
refused='"code":"22023".*%s.*security label provider .*absent.* is not loaded'
# shellcheck disable=SC2059 # a pattern with a gap
named() { says "$(printf "$refused" "$1")" "$2"; }
fails() { ! "$@"; }

# ---------------------------------------------------------------- before the rows: of a column

src=$(labelled of_table pg_class "'\"Odd one\"'::regclass" 2)
"$bin/pg_dump" -Fc -f "$tmp/dump" "$src"
ok "pg_restore fails" fails "$bin/pg_restore" --exit-on-error -d "$(fresh_on "$target_admin" reference)" "$tmp/dump"
verb create source="$src" to="$tmp/archive" >/dev/null
for way in "stream source=$src" "restore archive=$tmp/archive"; do
    dsn=$(target)
    said=$(verb "${way%% *}" "${way#* }" target="$dsn")
    ok "${way%% *} names the table" named 'SECURITY LABEL public TABLE .*Odd one' "$said"
    ok "${way%% *}: its turn is after its table" test "$(told)" = 'CREATE TABLE, SECURITY LABEL, ERROR'
    ok "${way%% *}: nothing is left of it" test "$(sql "$dsn" -c "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")" = 0
done

# ---------------------------------------------------------------- last of all: of an event trigger

src=$(labelled of_trigger pg_event_trigger "(SELECT oid FROM pg_event_trigger)" 0)
dsn=$(target)
said=$(verb stream source="$src" target="$dsn")
ok "an event trigger's label is named" named 'SECURITY LABEL - EVENT TRIGGER watcher' "$said"
ok "its turn comes after all else" test "$(told)" = \
    'CREATE TABLE, CREATE TABLE, GRANT, CREATE EVENT TRIGGER, SECURITY LABEL, ERROR'
ok "with the event trigger, or not at all" test "$(sql "$dsn" -c 'SELECT count(*) FROM "Odd one"' -c 'SELECT count(*) FROM pg_event_trigger' |
    tr '\n' ' ')" = '500 0 '

# ---------------------------------------------------------------- of a large object

src=$(labelled of_object pg_largeobject 47 0)
said=$(verb stream source="$src" target="$(target)")
ok "a large object's label names it" named 'large object 47' "$said"
verb create source="$src" to="$tmp/objects" >/dev/null
said=$(verb restore archive="$tmp/objects" target="$(target)")
ok "out of an archive, too" named 'large object 47' "$said"

finish
