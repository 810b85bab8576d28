#!/usr/bin/env bash
# Roles without superuser rights, as managed PostgreSQL gives them out; roles that are missing.
# shellcheck disable=SC2317 # functions are called through ok
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/backup/lib.sh
. "$here/lib.sh"

source_admin=$(cluster source)
target_admin=$(cluster target)

# Both servers: a role that owns its database and nothing else, and no asking for the system's identity.
for server in "$source_admin" "$target_admin"; do
    # as if it had always been so: pg_dump keeps silent about such
    sql "$server dbname=template1" -c 'REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC' \
        -c "INSERT INTO pg_init_privs SELECT oid, 'pg_proc'::regclass, 0, 'i', proacl FROM pg_proc WHERE proname = 'pg_control_system'"
    sql "$server" -c "CREATE ROLE app LOGIN PASSWORD 'a'" -c 'CREATE ROLE app_reader' -c 'CREATE ROLE "app Boss"' \
        -c 'GRANT app TO postgres' -c 'GRANT "app Boss" TO app'
done
sql "$source_admin" -c 'CREATE DATABASE roles_source OWNER app'
as_app() { echo "${1/user=postgres/user=app} password=a"; }
source_dsn="$(as_app "$source_admin") dbname=roles_source"

sql "$source_dsn" -o /dev/null -f - <<'SQL' || exit 1
CREATE EXTENSION citext;
CREATE SCHEMA s;
CREATE TABLE s.person (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mail citext UNIQUE, boss int REFERENCES s.person);
INSERT INTO s.person (mail, boss) SELECT 'p' || i || '@corp.example', nullif(i - 1, 0) FROM generate_series(1, 2000) i;
CREATE TABLE part (id int, mail text) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF part DEFAULT;
INSERT INTO part SELECT i, 'x' || i || '@corp.example' FROM generate_series(1, 500) i;
GRANT SELECT (id) ON s.person TO app_reader;
GRANT USAGE ON SCHEMA s TO app_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA s GRANT SELECT ON TABLES TO app_reader;
ALTER TABLE s.person ENABLE ROW LEVEL SECURITY;
CREATE POLICY readers ON s.person FOR SELECT TO app_reader, "app Boss" USING (id < 10);
CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM s.person;
CREATE VIEW v AS TABLE part;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''OWNER TO nobody_at_all; GRANT x TO nobody_either''; END';
CREATE TRIGGER t BEFORE INSERT ON part_1 FOR EACH ROW EXECUTE FUNCTION f();
COMMENT ON TABLE part IS 'it''s; ALTER TABLE part OWNER TO nobody;';
CREATE SCHEMA boss AUTHORIZATION "app Boss";
SET ROLE "app Boss";
CREATE TABLE boss.bosses (id int, mail text);
RESET ROLE;
SELECT lo_from_bytea(0, 'lo@corp.example');
SQL

fresh() { # a database of app's on the target's server
    sql "$target_admin" -c "DROP DATABASE IF EXISTS $1" -c "CREATE DATABASE $1 OWNER app" 2>/dev/null
    echo "$(as_app "$target_admin") dbname=$1"
}
unordered() { dump "$1" | sort; }
same_dump() { diff <(unordered "$source_dsn") <(unordered "$1"); }

"$bin/pg_dump" -Fc "$source_dsn" | "$bin/pg_restore" --exit-on-error -d "$(fresh reference)"
ok "pg_dump and pg_restore get through" same_dump "$(as_app "$target_admin") dbname=reference"

for masked in "" mask_domain=sink.test; do
    streamed=$(fresh streamed)
    # shellcheck disable=SC2086 # an option or none
    said=$(verb stream source="$source_dsn" target="$streamed" jobs=3 part_bytes=16384 $masked)
    ok "so does stream${masked:+, masked}" says '"rows":250[01].*"warnings":\[\]' "$said"
    [ -n "$masked" ] || ok "with the same result" same_dump "$streamed"
    # shellcheck disable=SC2086
    said=$(verb compare source="$source_dsn" target="$streamed" $masked)
    ok "compare agrees${masked:+, masked}" says '"equal":true' "$said"
done
said=$(verb create source="$source_dsn" to="$tmp/archive")
ok "and create" says '"rows":250[01]' "$said"
restored=$(fresh restored)
said=$(verb restore archive="$tmp/archive" target="$restored")
ok "and restore" says '"rows":250[01]' "$said"
ok "with the same result again" same_dump "$restored"

said=$(verb stream source="$source_dsn" target="$source_dsn")
ok "source and target may not be the same, known or not" says 'E_SAME_DATABASE' "$said"
said=$(verb stream source="$source_admin dbname=roles_source" target="$source_dsn")
ok "even if one side is let know more" says 'E_SAME_DATABASE' "$said"

# ---------------------------------------------------------------- roles that are missing

empty() { test "$(sql "$1" -c "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")" = 0; }

sql "$target_admin" -c 'REVOKE "app Boss" FROM app'
target=$(fresh not_member)
said=$(verb stream source="$source_dsn" target="$target")
ok "an owner the user may not act for is named" says '"class":"permission","code":"E_NOT_MEMBER".*app Boss.*leave' "$said"
ok "before anything is written" empty "$target"
said=$(verb restore archive="$tmp/archive" target="$target")
ok "by restore as well" says '"code":"E_NOT_MEMBER".*app Boss' "$said"
said=$(verb stream source="$source_dsn" target="$target" leave=owners)
ok "owners may be left behind" says '"rows":250[01]' "$said"
sql "$target_admin" -c 'DROP DATABASE reference' -c 'DROP DATABASE streamed' -c 'DROP DATABASE restored' -c 'DROP DATABASE not_member' \
    -c 'DROP ROLE "app Boss"' -c 'DROP ROLE app_reader'
target=$(fresh no_role)
said=$(verb stream source="$source_dsn" target="$target")
ok "roles the target's server lacks are named" says "\"class\":\"not_found\",\"code\":\"E_NO_ROLE\".*'app Boss', 'app_reader'" "$said"
ok "nothing was written then either" empty "$target"
said=$(verb stream source="$source_dsn" target="$target" leave=owners,privileges)
ok "policies need their roles, too" says '"code":"E_NO_ROLE".*app_reader' "$said"
sql "$source_dsn" -c 'DROP POLICY readers ON s.person'
said=$(verb stream source="$source_dsn" target="$target" leave=owners,privileges)
ok "without them roles may all be left behind" says '"rows":250[01]' "$said"

# Large objects are no entries of the schema.
objects=$(fresh_on "$source_admin" objects)
sql "$source_admin" -c 'CREATE ROLE lo_boss' -c 'CREATE ROLE "lo Reader"' -c 'CREATE ROLE lo_lender'
sql "$objects" -o /dev/null -c 'CREATE TABLE t (a int)' -c "SELECT lo_from_bytea(7, 'seven'), lo_from_bytea(8, 'eight')" \
    -c 'ALTER LARGE OBJECT 7 OWNER TO lo_boss' -c 'GRANT SELECT ON LARGE OBJECT 7 TO lo_lender WITH GRANT OPTION' \
    -c 'SET SESSION AUTHORIZATION lo_lender' -c 'GRANT SELECT ON LARGE OBJECT 7 TO "lo Reader"'
verb create source="$objects" to="$tmp/objects" >/dev/null
target=$(fresh_on "$target_admin" objects)
for way in "stream source=$objects" "restore archive=$tmp/objects"; do
    from=${way#* }
    way=${way%% *}
    said=$(verb "$way" "$from" target="$target")
    ok "$way names roles of large objects" says "\"code\":\"E_NO_ROLE\".*'lo Reader', 'lo_boss', 'lo_lender'," "$said"
    ok "$way: before anything is written" empty "$target"
    said=$(verb "$way" "$from" target="$target" data_only=yes)
    ok "$way: with data_only, too" says "\"code\":\"E_NO_ROLE\".*'lo Reader', 'lo_boss', 'lo_lender'," "$said"
    said=$(verb "$way" "$from" target="$target" leave=owners)
    ok "$way: without owners those that are granted something" says "\"code\":\"E_NO_ROLE\".*lacks role 'lo Reader', 'lo_lender'," "$said"
    said=$(verb "$way" "$from" target="$target" leave=privileges)
    ok "$way: without privileges the owners" says "\"code\":\"E_NO_ROLE\".*lacks role 'lo_boss'," "$said"
    ok "$way: still nothing is written" empty "$target"
    said=$(verb "$way" "$from" target="$target" leave=large_objects)
    ok "$way: none when they stay behind" says '"large_objects":0,' "$said"
    said=$(verb "$way" "$from" target="$(fresh_on "$target_admin" objects)" leave=owners,privileges)
    ok "$way: none without either" says '"large_objects":2,' "$said"
    target=$(fresh_on "$target_admin" objects)
done
sql "$objects" -c 'REVOKE UPDATE ON LARGE OBJECT 7 FROM lo_boss'
said=$(verb stream source="$objects" target="$target" leave=owners)
ok "what an owner has not is a privilege" says "\"code\":\"E_NO_ROLE\".*'lo Reader', 'lo_boss', 'lo_lender'," "$said"
sql "$target_admin" -c 'CREATE ROLE lo_boss' -c 'CREATE ROLE "lo Reader"' -c 'CREATE ROLE lo_lender'
said=$(verb restore archive="$tmp/objects" target="$target")
ok "with their roles there they are copied" says '"large_objects":2,' "$said"

sql "$source_admin dbname=roles_source" -c 'CREATE TABLE hidden (a int)' -c 'INSERT INTO hidden VALUES (1)'
said=$(verb stream source="$source_dsn" target="$(fresh no_right)" leave=owners,privileges)
ok "a table that may not be read is named" says '"class":"permission".*hidden' "$said"

finish
