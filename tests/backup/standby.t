#!/usr/bin/env bash
# A hot standby as source: it can be read, never written to, and has no rows of unlogged tables.
# shellcheck disable=SC2317 # functions are called through ok
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/backup/lib.sh
. "$here/lib.sh"

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

standby=$(standby primary standby)
ok "a standby starts" sql "$standby" -c 'SELECT 1'
[ "$failures" -eq 0 ] || finish
replica="$standby dbname=standby_source"

lsn=$(sql "$primary" -c 'SELECT pg_current_wal_lsn()')
caught_up() { [ "$(sql "$standby" -c "SELECT pg_last_wal_replay_lsn() >= '$lsn'")" = t ]; }
same_dump() { diff <(dump "$source_dsn" | sort) <(dump "$1" | sort); } # parts come in any order

ok "it follows" until_true 60 caught_up
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
