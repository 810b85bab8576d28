#!/usr/bin/env bash
# A hot standby as source: it can be read, never written to, and has no rows of unlogged tables.
# shellcheck disable=SC2317 # functions are called through ok
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/backup/lib.sh
. "$here/lib.sh"
# shellcheck source=scripts/demo/cluster.sh
. "$root/scripts/demo/cluster.sh"

primary=$(cluster primary)
source_dsn=$(fresh_on "$primary" standby_source)
sql "$source_dsn" -o /dev/null -f - <<'SQL' || exit 1
CREATE TABLE person (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mail text);
INSERT INTO person (mail) SELECT 'p' || i || '@corp.example' FROM generate_series(1, 5000) i;
CREATE TABLE wide (id int REFERENCES person, body text);
INSERT INTO wide SELECT i, repeat('w' || i || '@corp.example ', 500) FROM generate_series(1, 200) i;
CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM person;
CREATE SEQUENCE called;
SELECT nextval('called');
SQL

# A copy of the primary's files that follows it.
start_standby() {
    mkdir "$tmp/standby" && cp "$tmp/primary/admin" "$tmp/standby/admin" && : >"$tmp/standby/created"
    [ "$(id -u)" -ne 0 ] || chown -R "$(stat -c %U "$tmp/primary")" "$tmp/standby"
    (
        PGPASSWORD=$(cat "$tmp/primary/admin")
        export PGPASSWORD
        cluster_run "$tmp/standby" "$bin/pg_basebackup" -R -c fast -h 127.0.0.1 -p "$(cluster_port "$tmp/primary")" \
            -U postgres -D "$tmp/standby/data"
    ) && cluster_start "$tmp/standby" -c fsync=off -c hot_standby_feedback=on -c max_connections=200
}
ok "a standby starts" start_standby
[ "$failures" -eq 0 ] || finish
standby="${primary/port=$(cluster_port "$tmp/primary")/port=$(cluster_port "$tmp/standby")}"
replica="$standby dbname=standby_source"

caught_up() { # polls until the standby has what the primary has written
    local deadline=$((SECONDS + 60)) lsn
    lsn=$(sql "$primary" -c 'SELECT pg_current_wal_lsn()')
    until [ "$(sql "$standby" -c "SELECT pg_last_wal_replay_lsn() >= '$lsn'")" = t ]; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}
same_dump() { diff <(dump "$source_dsn" | sort) <(dump "$1" | sort); } # parts come in any order

ok "it follows" caught_up
ok "it is one" test "$(sql "$replica" -c 'SELECT pg_is_in_recovery()')" = t

streamed=$(fresh_on "$primary" standby_streamed)
said=$(verb stream source="$replica" target="$streamed" jobs=3 part_bytes=65536)
ok "streamed from the standby" says '"rows":5200' "$said"
ok "but for the order of lines, pg_dump of the copy is pg_dump of the primary" same_dump "$streamed"
said=$(verb create source="$replica" to="$tmp/archive" jobs=3 part_bytes=65536)
ok "archived from the standby" says '"rows":5200' "$said"
back=$(fresh_on "$primary" standby_back)
said=$(verb restore archive="$tmp/archive" target="$back")
ok "and restored" says '"rows":5200' "$said"
ok "the same again" same_dump "$back"
ok "it caught up with the copies" caught_up
said=$(verb compare source="$replica" target="$back")
ok "compared with the standby" says '"equal":true' "$said"

said=$(verb stream source="$source_dsn" target="$replica")
ok "a standby is no target" says '"code":"(25006|E_[A-Z_]+)"' "$said"

sql "$source_dsn" -c "CREATE UNLOGGED TABLE fleeting (id serial, mail text)" -c "INSERT INTO fleeting (mail) VALUES ('f@corp.example')"
ok "it follows on" caught_up
said=$(verb stream source="$replica" target="$(fresh_on "$primary" standby_unlogged)")
ok "rows that only the primary has are missed by name" says '"code":"E_UNLOGGED".*public.fleeting' "$said"
said=$(verb stream source="$replica" target="$(fresh_on "$primary" standby_unlogged)" exclude=public.fleeting)
ok "and can be left out" says '"rows":5200' "$said"

finish
