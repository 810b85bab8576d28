#!/usr/bin/env bash
# Rows as wide as PostgreSQL has them: they pass within the promised memory, which is given back.
# deadline_s: 600
# shellcheck disable=SC2317 # functions are called by ok
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/backup/lib.sh
. "$here/lib.sh"

mib=400
[ "${TEST_VARIANT:-}" != asan ] || mib=40
free_mib() { df -Pm "$tmp" | awk 'NR == 2 { print $4 }'; }
memory_mib() { awk '/MemAvailable/ { print int($2 / 1024) }' /proc/meminfo; }
if [ "$(free_mib)" -lt 6000 ] || [ "$(memory_mib)" -lt 6000 ]; then
    echo "1..0 # SKIP too little memory or disk"
    exit 0
fi

server=$(cluster server)
if [ "$(sql "$server" -c "SELECT 'lz4' = ANY (enumvals) FROM pg_settings
    WHERE name = 'default_toast_compression'")" = t ]; then
    export PGOPTIONS='-c default_toast_compression=lz4' # makes wide values faster
fi
src=$(fresh_on "$server" origin)
# The index takes a while, so that the copy can be looked at once the wide row is through.
sql "$src" -c "CREATE FUNCTION slow(i integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_catalog.pg_sleep(0.008); RETURN \$1; END'" \
    -c "CREATE UNLOGGED TABLE wide (i integer, t text, b bytea)" \
    -c "ALTER TABLE wide ALTER b SET STORAGE EXTERNAL, ALTER i SET STATISTICS 0" \
    -c "INSERT INTO wide VALUES (1, 'a@corp.example', convert_to(repeat('x', $mib << 20), 'UTF8'))" \
    -c "INSERT INTO wide SELECT i, 'b@corp.example', 'x' FROM generate_series(2, 300) i" \
    -c "CREATE INDEX wide_slow ON wide (slow(i))"

measured() { # VERB key=value...: prints "peak last" resident MiB, then what came of it
    local name=$1 pid line peak=0 last=0
    shift
    "$CLONER" "$here/verb.lua" verb="$name" "$@" >"$tmp/out" 2>&1 &
    pid=$!
    while kill -0 "$pid" 2>/dev/null; do
        # a process that is ending has no memory any more, and no such lines
        line=$(awk '/^VmHWM/ { peak = $2 } /^VmRSS/ { if ($2 > 0) printf "%d %d", peak / 1024, $2 / 1024 }' \
            "/proc/$pid/status" 2>/dev/null)
        [ -z "$line" ] || { peak=${line% *} && last=${line#* }; }
        sleep 0.05
    done
    wait "$pid"
    echo "$peak $last"
    tail -1 "$tmp/out"
}

jobs=2
promised=$((64 + 16 * jobs))
[ "${TEST_VARIANT:-}" != asan ] || promised=$((promised * 4))
within() { # PATTERN MEASURED: it succeeded, with at most five times the row while it passed
    local peak=${2%% *}
    says "$1" "$2" && [ "$peak" -gt "$mib" ] && [ "$peak" -le $((promised + 5 * mib)) ]
}
given_back() {
    local last
    last=$(printf '%s\n' "$1" | head -1 | cut -d' ' -f2)
    echo "$1"
    [ "$last" -le "$promised" ]
}

target=$(fresh_on "$server" streamed)
out=$(measured stream source="$src" target="$target" jobs=$jobs mask_domain=sink.test)
ok "a row of $mib MiB passes a masked stream" within '"masked":300,' "$out"
[ "${TEST_VARIANT:-}" = asan ] || # which keeps freed memory for a while
    ok "and its memory is given back" given_back "$out"
same() {
    local sum='SELECT md5(b), length(b) FROM wide WHERE i = 1'
    test "$(sql "$src" -c "$sum")" = "$(sql "$1" -c "$sum")"
}
ok "whole" same "$target"
out=$(measured create source="$src" to="$tmp/archive" jobs=$jobs)
ok "it passes into an archive" within '"rows":300,' "$out"
sql "$server" -c 'DROP DATABASE streamed' >/dev/null
target=$(fresh_on "$server" restored)
ok "out of it, too" says '"rows":300,' "$(verb restore archive="$tmp/archive" target="$target" jobs=$jobs)"
ok "whole again" same "$target"
sql "$server" -c 'DROP DATABASE restored' -c 'DROP DATABASE origin' >/dev/null
rm -rf "$tmp/archive"

# Text goes through the mask in one piece.
src=$(fresh_on "$server" wordy)
sql "$src" -c "CREATE UNLOGGED TABLE wordy AS SELECT 1 AS i, repeat('filler a@corp.example ', ($mib << 20) / 220) AS t"
target=$(fresh_on "$server" masked)
mib=$((mib / 10))
out=$(measured stream source="$src" target="$target" jobs=$jobs mask_domain=sink.test)
ok "text of $mib MiB passes the mask" within '"masked":[1-9][0-9]+,' "$out"
ok "no address in it is left" test "$(sql "$target" -c \
    "SELECT strpos(t, 'a@corp.example'), strpos(t, 'a_corp.example@sink.test') > 0 FROM wordy")" = '0|t'
sql "$server" -c 'DROP DATABASE wordy' -c 'DROP DATABASE masked' >/dev/null

# Two values PostgreSQL can keep in one row, but not put into one message.
too_wide() {
    local src said
    src=$(fresh_on "$server" too_wide)
    sql "$src" -c 'CREATE UNLOGGED TABLE huge (i integer, a text, b text)' -c "INSERT INTO huge VALUES (1, 'x', 'y')" \
        -c "INSERT INTO huge VALUES (2, repeat('x', 1 << 29), NULL)" \
        -c "UPDATE huge SET b = a WHERE i = 2" || return 1
    said=$(verb stream source="$src" target="$(fresh_on "$server" no_copy)" mask_domain=sink.test)
    says '"class":"invalid","code":"E_ROW_TOO_WIDE","message":"source: public\.huge: row 2 is wider than 1 GB' "$said" &&
        says '"retryable":false' "$said"
}
if [ "${TEST_VARIANT:-}" = asan ] || [ "$(memory_mib)" -lt 8000 ]; then
    ok "a row wider than a message is named # SKIP too little memory" true
else
    ok "a row wider than a message is named" too_wide
fi

finish
