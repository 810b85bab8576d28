# shellcheck shell=bash
# What the tests of the backup engine share: TAP, databases, servers of their own. Sourced.
#
# Sets root, tmp (a folder of this test's own) and bin (of the installed pg_dump). Servers started by
# cluster() are stopped when the script ends, however it ends.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tmp=$TEST_TMP/$(basename "$0" .t)
bin=$(pg_config --bindir 2>/dev/null || echo /usr/lib/postgresql/15/bin)
[ -x "$bin/pg_dump" ] || bin=/usr/lib/postgresql/15/bin
# shellcheck source=scripts/demo/cluster.sh
. "$root/scripts/demo/cluster.sh"
count=0
failures=0
mkdir -p "$tmp"

ok() { # NAME COMMAND...
    local name=$1 said
    shift
    count=$((count + 1))
    if said=$("$@" 2>&1); then
        echo "ok $count - $name"
    else
        failures=$((failures + 1))
        echo "not ok $count - $name"
        printf '%s\n' "$said" | head -"${LINES_SHOWN:-20}" | sed 's/^/# /'
    fi
}

finish() { # prints the plan; the script's last command
    echo "1..$count"
    exit $((failures > 0))
}

says() { # PATTERN TEXT
    printf '%s\n' "$2"
    printf '%s\n' "$2" | grep -qE -- "$1"
}

until_true() { # SECONDS COMMAND...: polls
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}

verb() { # NAME key=value...: runs one verb of backup; prints what came of it as JSON
    local name=$1
    shift
    "$CLONER" "$root/tests/backup/verb.lua" verb="$name" "$@"
}

sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }

# pg_dump's own text; the two lines with a random key aside
dump() { "$bin/pg_dump" "$1" | grep -vE '^\\(un)?restrict '; }

cluster() { # NAME: starts a server of this test's own; prints a superuser's connection string
    "$root/tests/support/pg.sh" start "$tmp/$1"
}

standby() { # PRIMARY NAME: a hot standby of a server that cluster() started; prints how to reach it
    local from=$tmp/$1 to=$tmp/$2
    mkdir -p "$to" && chmod 700 "$to" && cp "$from/admin" "$to/admin" || return 1
    [ "$(id -u)" -ne 0 ] || chown "$(cluster_user)" "$to"
    cluster_run "$to" "$(cluster_bin)/pg_basebackup" -R -c fast -N -D "$to/data" -d "host=127.0.0.1 \
        port=$(cluster_port "$from") user=postgres password=$(cat "$from/admin")" >"$to/basebackup.log" 2>&1 || return 1
    echo 'hot_standby_feedback = on' >>"$to/data/postgresql.auto.conf"
    : >"$to/created" && cluster "$2"
}

sessions() { # SERVER: how many of ours it has
    sql "$1" -c "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^(cloner|pg_dump|pg_restore)'"
}
no_sessions() { # SERVER...
    local server
    for server in "$@"; do [ "$(sessions "$server")" = 0 ] || return 1; done
}

stop_clusters() {
    local made
    for made in "$tmp"/*/created; do
        [ ! -f "$made" ] || "$root/tests/support/pg.sh" stop "${made%/created}"
    done
}
trap stop_clusters EXIT

fresh_on() { # SERVER DATABASE: a new empty database on that server; prints its connection string
    sql "$1" -c "DROP DATABASE IF EXISTS $2" -c "CREATE DATABASE $2" >/dev/null 2>&1
    echo "$1 dbname=$2"
}
