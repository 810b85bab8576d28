#!/usr/bin/env bash
# The sample platform with a source tenant of a given size, for the offline window of whole clones.
#
#   platform.sh up DIR GB            builds and starts it (settings of the servers: CLONER_DEMO_PG)
#   platform.sh strategies           the ways to clone that scripts/clone.lua knows
#   platform.sh clone DIR STRATEGY   one clone; prints "SECONDS OFFLINE_SECONDS"
#   platform.sh down DIR [GB]        with GB: all went well, the next `up` may take it as it is
set -eu -o pipefail

here=$(cd "$(dirname "$0")" && pwd)
[ $# -lt 2 ] || export CLONER_DEMO_DIR=$2
# shellcheck source=scripts/demo/lib.sh
. "$here/../../scripts/demo/lib.sh"

up() {
    local gb=$1
    local had
    had=$(cat "$demo/grown" 2>/dev/null) || true
    rm -f "$demo/grown"
    [ "$had" = "$gb" ] || rm -f "$demo/built"
    platform_start 1 >/dev/null
    [ "$had" = "$gb" ] || cluster_psql "$demo/prod1" -d cust26759 -v "gb=$gb" -f "$here/grow.sql"
}

clone() {
    local began offline
    settle
    began=$EPOCHREALTIME
    "$cloner" scripts/clone.lua source=Cust26759 target=Cust26760 "strategy=$1" >&2
    began=$(awk "BEGIN { print $EPOCHREALTIME - $began }")
    offline=$("$cloner" show --json | grep -o '"offline_s":[0-9.]*' | head -1 | cut -d: -f2)
    [ -n "$offline" ] || die "the clone does not say how long it was offline"
    echo "$began $offline"
}

settle() {
    local cluster
    for cluster in prod1 test1; do cluster_psql "$demo/$cluster" -d postgres -c checkpoint; done
}

cd "$root"
export CLONER_CONFIG=$config LC_ALL=C
case $1 in
up) up "$3" ;;
strategies)
    sed -n 's/^ *strategy = { *"choice",\(.*\) default = .*/\1/p' scripts/clone.lua | tr -d '",'
    ;;
clone) clone "$3" ;;
down)
    platform_stop
    [ $# -lt 3 ] || echo "$3" >"$demo/grown"
    ;;
*) exit 2 ;;
esac
