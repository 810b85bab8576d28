#!/usr/bin/env bash
# Private clusters: they start twice, after a crash and after a reboot, and below a closed folder.
set -eu

# shellcheck source=scripts/demo/cluster.sh
. "$(dirname "$0")/../../scripts/demo/cluster.sh"

dir=$TEST_TMP/cluster/pg
closed=$TEST_TMP/cluster/closed
n=0

ok() {
    n=$((n + 1))
    if "${@:2}"; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi
}

answers() {
    [ "$(cluster_psql "$1" -d postgres -Atc 'select 1')" = 1 ]
}

stopped() {
    ! cluster_pid "$1" >/dev/null
}

same() {
    [ "$1" = "$2" ]
}

cleanup() {
    cluster_stop "$dir" || true
    cluster_stop "$closed/pg" || true
}
trap cleanup EXIT

rm -rf "$TEST_TMP/cluster"
mkdir -p "$closed"
cluster_create "$dir"
cluster_start "$dir" -c fsync=off
ok 'it answers' answers "$dir"
pid=$(cluster_pid "$dir")
cluster_start "$dir" -c fsync=off
ok 'starting it again leaves it alone' same "$pid" "$(cluster_pid "$dir")"
ok 'passwords are asked for' bash -c \
    "! PGPASSWORD=wrong psql -h 127.0.0.1 -p $(cluster_port "$dir") -U postgres -c 'select 1' 2>/dev/null"
listens() {
    cluster_psql "$dir" -d postgres -Atc "show listen_addresses; show unix_socket_directories"
}
ok 'it listens on loopback alone' same "$(listens)" '127.0.0.1'

# After SIGKILL the lock file stays behind, and its pid may belong to anybody by now.
kill -KILL "$pid"
deadline=$((SECONDS + 30))
until stopped "$dir" || [ "$SECONDS" -ge "$deadline" ]; do :; done
ok 'a killed server is seen as gone' stopped "$dir"
sed -i "1s/.*/$$/" "$dir/data/postmaster.pid"
ok 'somebody else with its pid is not the server' stopped "$dir"
ok 'stopping does not hurt that process' cluster_stop "$dir"
cluster_start "$dir" -c fsync=off
ok 'it starts over a stale lock file' answers "$dir"
cluster_stop "$dir"
ok 'it stops' stopped "$dir"

if [ "$(id -u)" -eq 0 ]; then
    chmod 700 "$closed"
    cluster_create "$closed/pg"
    cluster_start "$closed/pg" -c fsync=off
    ok 'below a folder closed to its user' answers "$closed/pg"
    ok 'and that folder stays closed' same "$(stat -c %a "$closed")" 700
    cluster_stop "$closed/pg"
    ok 'and stops there, too' stopped "$closed/pg"
fi
echo "1..$n"
