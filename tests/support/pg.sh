#!/usr/bin/env bash
# A throwaway PostgreSQL for tests: fast, not durable.
#
#   pg.sh start DIR    makes and starts it (unless it runs), prints a connection string
#   pg.sh stop DIR     stops it
set -eu

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=scripts/demo/cluster.sh
. "$here/../../scripts/demo/cluster.sh"

usage() {
    echo "usage: pg.sh start|stop DIR" >&2
    exit 2
}

[ $# -eq 2 ] || usage
mkdir -p "$2"
dir=$(cd "$2" && pwd)

case $1 in
start)
    cluster_create "$dir"
    cluster_start "$dir" -c fsync=off -c full_page_writes=off \
        -c max_connections=200 -c shared_buffers=128MB
    echo "host=127.0.0.1 port=$(cluster_port "$dir") user=postgres dbname=postgres" \
        "password=$(cat "$dir/admin")"
    ;;
stop)
    cluster_stop "$dir"
    ;;
*)
    usage
    ;;
esac
