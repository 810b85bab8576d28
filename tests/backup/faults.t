#!/usr/bin/env bash
# A copy whose servers, connections or disks fail in its middle: it says which side and object, and
# leaves nothing running.
# shellcheck disable=SC2317 # functions are called by ok
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/backup/lib.sh
. "$here/lib.sh"

source_server=$(cluster source)
target_server=$(cluster target)
source_dsn="$source_server dbname=origin"
fresh_on "$source_server" origin >/dev/null
sql "$source_dsn" -c "CREATE TABLE big AS SELECT i, repeat('x', 900) || i || '@corp.example' AS t
    FROM generate_series(1, 20000) i"
fresh() { fresh_on "$target_server" "$1"; }

# Slow enough, and more than fits between two processes, to be in the middle of it whenever something
# happens.
slow=max_bytes_per_second=400000

start() { # NAME key=value...: a stream in the background, up to when rows move; its pid in $copy
    local name=$1
    shift
    verb stream "$slow" watch=yes mask_domain=sink.test "$@" >"$tmp/$name.out" 2>&1 &
    copy=$!
    until_true 60 grep -q '"bytes":[1-9]' "$tmp/$name.out"
}

ended() { # NAME PATTERN...: the copy ended soon, saying all of that in its last line
    local said pattern line
    until_true 60 bash -c "! kill -0 $copy" || { kill "$copy"; echo "did not end"; return 1; }
    wait "$copy" 2>/dev/null
    said=$(tail -1 "$tmp/$1.out")
    line=$said
    shift
    for pattern in "$@"; do says "$pattern" "$line" || return 1; done
    [ "$(printf '%s' "$said" | grep -c .)" = 1 ] && ! printf '%s' "$said" | grep -q '\\n'
}

quiet() { until_true 30 no_sessions "$@" || { sessions "$1"; return 1; }; }

crash() { # SERVER-NAME
    cluster_run "$tmp/$1" "$(cluster_bin)/pg_ctl" stop -D "$tmp/$1/data" -m immediate -s
}
revive() { # SERVER-NAME: on the port it had
    cluster_run "$tmp/$1" "$(cluster_bin)/pg_ctl" start -D "$tmp/$1/data" -l "$tmp/$1/log" -w -s \
        -o "-h 127.0.0.1 -p $(cluster_port "$tmp/$1") -k '' -c fsync=off" >/dev/null 2>&1
}

# ---------------------------------------------------------------- servers that go away

source_dies() {
    start source_dies source="$source_dsn" target="$(fresh source_dies)" && crash source &&
        ended source_dies '"class":"transient"' '"message":"source: public\.big: ' '"retryable":true'
}
ok "a source that crashes is named, with the table; trying again may help" source_dies
ok "nothing of ours runs on the target" quiet "$target_server"
ok "(the source is there again)" revive source

target_dies() {
    start target_dies source="$source_dsn" target="$(fresh target_dies)" && crash target &&
        ended target_dies '"class":"transient"' '"message":"target: public\.big: ' '"retryable":true'
}
ok "a target that crashes is named, too" target_dies
ok "nothing of ours runs on the source" quiet "$source_server"
ok "(the target is there again)" revive target

cut() { # SIDE: every connection to it is reset in the middle
    local port dsn proxy
    port=$(free_port)
    coproc PROXY { exec node "$here/proxy.js" "$port" "$(cluster_port "$tmp/$1")"; }
    proxy=$PROXY_PID
    # shellcheck disable=SC2154 # coproc sets it
    read -r -t 20 _ <&"${PROXY[0]}"
    dsn=$(fresh cut)
    if [ "$1" = source ]; then
        start "cut_$1" source="${source_dsn/port=$(cluster_port "$tmp/$1")/port=$port}" target="$dsn"
    else
        start "cut_$1" source="$source_dsn" target="${dsn/port=$(cluster_port "$tmp/$1")/port=$port}"
    fi
    kill -USR2 "$proxy"
    ended "cut_$1" '"class":"transient"' "\"message\":\"$1: public\\.big: " '"retryable":true'
    local result=$?
    kill "$proxy"
    wait "$proxy" 2>/dev/null
    return "$result"
}
ok "a cut connection to the source" cut source
ok "leaves no session" quiet "$source_server" "$target_server"
ok "a cut connection to the target" cut target
ok "leaves none either" quiet "$source_server" "$target_server"

# ---------------------------------------------------------------- administrators

stop_one() {
    sql "$server" -c "SELECT $how(pid) FROM pg_stat_activity WHERE application_name = '$session'
        AND query ~ 'COPY.*big'" | grep -q t
}
stopped() { # HOW SERVER SESSION PATTERN...
    local how=$1 server=$2 session=$3
    shift 3
    start stopped source="$source_dsn" target="$(fresh stopped)" && until_true 30 stop_one && ended stopped "$@"
}
ok "a query that an administrator cancels on the source" stopped pg_cancel_backend "$source_server" 'cloner reader' \
    '"code":"57014"' '"message":"source: public\.big: canceling statement due to user request'
ok "on the target" stopped pg_cancel_backend "$target_server" 'cloner writer' \
    '"code":"57014"' '"message":"target: public\.big: canceling statement due to user request'
ok "a session that one ends on the source" stopped pg_terminate_backend "$source_server" 'cloner reader' \
    '"class":"transient"' '"message":"source: public\.big: ' '"retryable":true'
ok "on the target, too" stopped pg_terminate_backend "$target_server" 'cloner writer' \
    '"class":"transient"' '"message":"target: public\.big: ' '"retryable":true'
ok "leave no session" quiet "$source_server" "$target_server"

# ---------------------------------------------------------------- what the target refuses

sql "$source_dsn" -c "CREATE TABLE picky AS SELECT 'a@corp.example'::text AS t" \
    -c "CREATE FUNCTION real_only(t text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
        'BEGIN IF \$1 ~ ''@sink'' THEN RAISE ''this address is not real''; END IF; RETURN \$1; END'" \
    -c "CREATE INDEX picky_idx ON picky (real_only(t))"
out=$(verb stream source="$source_dsn" target="$(fresh picky)" mask_domain=sink.test)
ok "an index that cannot be built on masked rows is named" \
    says '"class":"conflict","code":"P0001","message":"target: index public\.picky_idx: this address is not real.*"retryable":false' "$out"
ok "and that leaves no session" quiet "$source_server" "$target_server"
command_fails() {
    "$CLONER" "$root/scripts/copydb.lua" source="$source_dsn" target="$(fresh copydb)" mail_domain=sink.test \
        >"$tmp/copydb.out" 2>&1
    test $? = 1 && says 'target: index public\.picky_idx: this address is not real' "$(cat "$tmp/copydb.out")"
}
ok "the command, too, ends with that error" command_fails
sql "$source_dsn" -c 'DROP TABLE picky'

sql "$source_dsn" -c "CREATE TYPE plain" \
    -c "CREATE FUNCTION plain_in(cstring) RETURNS plain IMMUTABLE STRICT LANGUAGE internal AS 'textin'" \
    -c "CREATE FUNCTION plain_out(plain) RETURNS cstring IMMUTABLE STRICT LANGUAGE internal AS 'textout'" \
    -c "CREATE TYPE plain (INPUT = plain_in, OUTPUT = plain_out, LIKE = text)" \
    -c "CREATE TABLE odd AS SELECT 'x@corp.example'::plain AS p, '=r/postgres'::aclitem AS a" 2>/dev/null
out=$(verb stream source="$source_dsn" target="$(fresh odd)" mask_domain=sink.test)
ok "types without a binary form are copied as text" says '"rows":20001,' "$out"
ok "and masked" test "$(sql "$target_server dbname=odd" -c 'SELECT p, a FROM odd')" = 'x_corp.example@sink.test|=r/postgres'

# ---------------------------------------------------------------- a full disk

trap 'stop_clusters; ! mountpoint -q "$tmp/disk" || umount "$tmp/disk"' EXIT
full_disk() {
    mkdir -p "$tmp/disk"
    mount -t tmpfs -o size=16m,mode=777 tmpfs "$tmp/disk" 2>/dev/null || return 2
    mkdir "$tmp/disk/space"
    [ "$(id -u)" -ne 0 ] || chown "$(cluster_user)" "$tmp/disk/space"
    sql "$target_server" -c "CREATE TABLESPACE narrow LOCATION '$tmp/disk/space'" \
        -c "CREATE DATABASE narrow TABLESPACE narrow" >/dev/null
}
full_disk
case $? in
0)
    out=$(verb stream source="$source_dsn" target="$target_server dbname=narrow")
    ok "a full disk of the target is named" says '"code":"53100","message":"target: public\.big: .*No space left on device' "$out"
    ok "and leaves no session" quiet "$source_server" "$target_server"
    sql "$target_server" -c 'DROP DATABASE narrow' -c 'DROP TABLESPACE narrow' >/dev/null
    umount "$tmp/disk"
    ;;
*)
    ok "a full disk of the target # SKIP no file system can be mounted here" true
    ;;
esac

finish
