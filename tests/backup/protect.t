#!/usr/bin/env bash
# What a copy says while it works, and how it spares its source.
# deadline_s: 400
# shellcheck disable=SC2317 # functions are called by ok
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/backup/lib.sh
. "$here/lib.sh"

field() { # NAME TEXT: the number or boolean of that name in the last line
    printf '%s\n' "$2" | tail -1 | grep -oE "\"$1\":-?[0-9.]+" | head -1 | cut -d: -f2
}

source_dsn="$TEST_DSN dbname=protect_source"
fresh_on "$TEST_DSN" protect_source >/dev/null
sql "$source_dsn" -c "CREATE SCHEMA pt" \
    -c "CREATE TABLE pt.big AS SELECT i, repeat('x', 900) AS t FROM generate_series(1, 4000) i" \
    -c "CREATE TABLE pt.a AS SELECT * FROM pt.big LIMIT 900" \
    -c "CREATE TABLE pt.\"b
b\" AS SELECT * FROM pt.a" -c "CREATE TABLE pt.c AS SELECT * FROM pt.a" \
    -c "CREATE TABLE pt.d AS SELECT * FROM pt.a"
fresh() { fresh_on "$TEST_DSN" "protect_$1"; }

# ---------------------------------------------------------------- progress and bytes a second

out=$(verb stream source="$source_dsn" target="$(fresh slow)" jobs=2 max_bytes_per_second=3000000 watch=yes)
ok "a copy with a limit of bytes succeeds" says '"rows":7600,' "$out"
ok "progress counts parts" says '"parts_done":[1-4],"parts_total":5' "$out"
ok "names the objects in work" says '"objects":\[[^]]*"pt\.big' "$out"
ok "fit for a terminal" says '"pt\.b\?b"' "$out"
ok "tells the phase" says '"phase":"rows"' "$out"
ok "the rate" says '"bytes_per_second":[1-9]' "$out"
ok "and the time left" says '"seconds_left":[0-9]' "$out"
ok "its end counts every part" says '"parts_done":5,"parts_total":5,' "$(printf '%s\n' "$out" | tail -2 | head -1)"
ok "the summary tells how long the snapshot was held" says '"snapshot_seconds":[1-9]' "$out"

# 7 MB at 3 MB/s; a quarter of a second's worth may come at once
kept() { # SECONDS: it took at least so long
    awk -v took="$(field seconds "$out")" -v least="$1" 'BEGIN { print took; exit !(took >= least) }'
}
ok "all workers share the one allowance" kept 2
ok "and use it" awk -v b="$(field bytes "$out")" 'BEGIN { print b; exit !(b > 6900000) }'
out=$(verb create source="$source_dsn" to="$tmp/slow" jobs=4 max_bytes_per_second=4000000)
ok "an archive is made as slowly" kept 1.4

given_up() {
    local before=$SECONDS out
    out=$(verb stream source="$source_dsn" target="$(fresh gone)" jobs=4 max_bytes_per_second=1000 cancel=rows)
    says '"stopped":"gave up"' "$out" && [ $((SECONDS - before)) -lt 20 ]
}
ok "who waits for its allowance gives up at once" given_up
out=$(verb create source="$source_dsn" to="$tmp/none" max_bytes_per_second=0 2>&1)
ok "a limit is a positive number" says "'max_bytes_per_second' must be a positive integer" "$out"

# ---------------------------------------------------------------- parts and indexes

# Wide enough for parts, and an index that takes its time.
slow_dsn=$(fresh_on "$TEST_DSN" protect_slow)
sql "$slow_dsn" -c "CREATE FUNCTION slow(i integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_catalog.pg_sleep(0.008); RETURN \$1; END'" \
    -c "CREATE TABLE t AS SELECT i, repeat('x', 900) AS t FROM generate_series(1, 450) i" \
    -c "ALTER TABLE t ALTER i SET STATISTICS 0" -c "CREATE INDEX t_slow ON t (slow(i))"
out=$(verb stream source="$slow_dsn" target="$(fresh parts)" part_bytes=65536 max_bytes_per_second=300000 watch=yes)
ok "a part is named by its number" says '"objects":\["public\.t \([0-9]+/[0-9]+\)' "$out"
ok "an index tells how far it is" says '"index public\.t_slow scanning table [0-9]+ %"' "$out"
ok "and is a phase" says '"phase":"indexes"' "$out"

# ---------------------------------------------------------------- the age of the snapshot

aged() {
    verb stream source="$source_dsn" target="$(fresh aged)" max_bytes_per_second=1500000 warn_xmin_age=20 \
        watch=yes >"$tmp/aged" 2>&1 &
    local copy=$!
    until_true 60 grep -q '"rows"' "$tmp/aged" || return 1
    for _ in 1 2 3 4 5; do
        printf 'SELECT pg_current_xact_id();\n%.0s' {1..20} | sql "$source_dsn" >/dev/null
    done
    wait "$copy"
    says '"rows":7600,' "$(cat "$tmp/aged")"
}
ok "a copy whose snapshot grows old succeeds" aged
out=$(cat "$tmp/aged")
ok "with a warning" says '"warnings":\["the snapshot was held for [0-9]+ s: its xmin was [0-9]+ transactions old \(limit 20\)' "$out"
ok "and a note while it went on" says "\"note\":\"the snapshot's xmin is [0-9]+ transactions old" "$out"
ok "the summary has the figure" test "$(field xmin_age "$out")" -gt 20

# ---------------------------------------------------------------- a guard that is lost

guard_is() { sql "$TEST_DSN" -c "SELECT pid FROM pg_stat_activity WHERE datname = 'protect_source' AND application_name = 'cloner guard'" | grep .; }
unguarded() {
    verb stream source="$source_dsn" target="$(fresh unguarded)" max_bytes_per_second=1500000 \
        max_replica_lag_ms=60000 >"$tmp/unguarded" 2>&1 &
    local copy=$!
    until_true 60 guard_is || return 1
    sql "$TEST_DSN" -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'protect_source' AND application_name = 'cloner guard'"
    wait "$copy"
    says '"rows":7600,' "$(cat "$tmp/unguarded")"
}
ok "a copy whose guard is shot goes on" unguarded
ok "and leaves no session" test -z "$(guard_is)"

# ---------------------------------------------------------------- replicas that are behind

primary=$(cluster primary)
sql "$primary" -c 'CREATE DATABASE far' >/dev/null
sql "$primary dbname=far" -c "CREATE TABLE t AS SELECT i, repeat('x', 900) AS t FROM generate_series(1, 3000) i"
replica=$(standby primary standby)
ok "a standby" sql "$replica" -c 'SELECT 1'
caught_up() { test "$(sql "$replica dbname=far" -c 'SELECT count(*) FROM t')" = "$1"; }
ok "that follows" until_true 60 caught_up 3000

replay_is() { test "$(sql "$replica" -c 'SELECT pg_get_wal_replay_pause_state()')" = "$1"; }
behind() { # NAME SOURCE: the copy waits while the standby's replay is paused, then goes on
    sql "$replica" -c 'SELECT pg_wal_replay_pause()' >/dev/null
    until_true 60 replay_is paused || return 1
    sql "$primary dbname=far" -c "INSERT INTO t SELECT 0, 'late'" -c 'SELECT pg_switch_wal()' >/dev/null
    verb stream source="$2 dbname=far" target="$(fresh "$1")" max_replica_lag_ms=700 max_bytes_per_second=700000 \
        watch=yes >"$tmp/$1" 2>&1 &
    local copy=$!
    until_true 60 grep -q 'waits for a replica: [0-9.]* s behind, limit 0.7 s' "$tmp/$1"
    local waited=$?
    sql "$replica" -c 'SELECT pg_wal_replay_resume()' >/dev/null
    wait "$copy"
    says '"rows":300[0-9],' "$(cat "$tmp/$1")" && [ "$waited" = 0 ]
}
ok "a standby that is behind is not read from" behind from_standby "$replica"
ok "without a warning" says '"warnings":\[\]' "$(cat "$tmp/from_standby")"
ok "nor a primary while its standby is behind" behind from_primary "$primary"
ok "without a warning either" says '"warnings":\[\]' "$(cat "$tmp/from_primary")"
out=$(verb stream source="$replica dbname=far" target="$(fresh idle)" max_replica_lag_ms=1)
ok "a standby that has replayed all is not behind, however long ago that was" says '"warnings":\[\]' "$out"

sql "$primary" -c "CREATE ROLE far_reader LOGIN PASSWORD 'r' IN ROLE pg_read_all_data BYPASSRLS" >/dev/null
out=$(verb preflight source="${primary/user=postgres/user=far_reader} dbname=far password=r" target="$(fresh blind)" \
    max_replica_lag_ms=1000)
ok "preflight tells who cannot see the lag" says 'cannot be seen \(grant pg_read_all_stats\)' "$out"
"$root/tests/support/pg.sh" stop "$tmp/standby"

finish
