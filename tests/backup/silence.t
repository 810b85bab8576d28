#!/usr/bin/env bash
# A server that is gone without a word, in the middle of a copy: nothing is refused or reset, packets
# only come to nothing. Needs root, for a network of its own.
# shellcheck disable=SC2317 # functions are called by ok
set -u

here=$(cd "$(dirname "$0")" && pwd)
if [ -z "${OWN_NETWORK:-}" ]; then
    if ! command -v ip >/dev/null || ! unshare -n true 2>/dev/null; then
        echo "1..0 # SKIP no network of its own can be had here"
        exit 0
    fi
    OWN_NETWORK=1 exec unshare -n bash "$here/silence.t"
fi

# shellcheck source=tests/backup/lib.sh
. "$here/lib.sh"

# Rules that come before the one for local addresses.
if ! { ip link set lo up && ip rule add pref 10 lookup local && ip rule del pref 0; }; then
    echo "1..0 # SKIP no rules for packets can be made here"
    exit 0
fi
port_of() { cat "$tmp/$1/port"; }
silence() { # SERVER-NAME
    ip rule add pref 5 ipproto tcp dport "$(port_of "$1")" blackhole
    ip rule add pref 6 ipproto tcp sport "$(port_of "$1")" blackhole
}
speak() {
    ip rule del pref 5
    ip rule del pref 6
}

source_server=$(cluster source)
target_server=$(cluster target)
source_dsn="$source_server dbname=origin"
fresh_on "$source_server" origin >/dev/null
sql "$source_dsn" -c "CREATE TABLE big AS SELECT i, repeat('x', 900) AS t FROM generate_series(1, 20000) i"

ended() { ! kill -0 "$1"; } # PID
gone() { # SERVER-NAME DSN-OPTIONS SECONDS: falls silent in the middle; the copy ends in time
    local copy result=0
    verb stream source="$source_dsn $2" target="$(fresh_on "$target_server" gone)" max_bytes_per_second=1000000 \
        watch=yes >"$tmp/$1.out" 2>&1 &
    copy=$!
    until_true 60 grep -q '"bytes":[1-9]' "$tmp/$1.out" || return 1
    silence "$1"
    until_true "$3" ended "$copy" || { kill "$copy" && result=1; }
    wait "$copy" 2>/dev/null
    speak
    says "\"class\":\"transient\".*\"message\":\"$1: public\\.big: .*\"retryable\":true" "$(tail -1 "$tmp/$1.out")" &&
        [ "$result" = 0 ] && until_true 60 no_sessions "$source_server" "$target_server"
}
ok "a source that falls silent is noticed, as soon as its connection string says" \
    gone source "keepalives_idle=1 keepalives_interval=1 keepalives_count=2" 60
ok "a target within a minute, though it need not answer while it is written to" gone target "" 120

finish
