#!/usr/bin/env bash
# Sources and targets of other major versions: older than the client, and targets that are newer.
# deadline_s: 900
# shellcheck disable=SC2317 # functions are called through ok
# shellcheck disable=SC2034 # read by fidelity.sh
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/backup/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/backup/fidelity.sh
. "$here/fidelity.sh"

"$root/tests/support/pg_major.sh" 12 >/dev/null
case $? in
0) ;;
77) echo "1..0 # SKIP no servers of other versions for this machine" && exit 0 ;;
*) echo "1..0" && exit 1 ;;
esac

server() { # MAJOR: starts one, prints its connection string
    local folder
    folder=$bin
    [ "$1" = 15 ] || folder=$("$root/tests/support/pg_major.sh" "$1") || return 1
    PG_BIN=$folder cluster "pg$1"
}

# Where the installed pg_dump is too old for the server: what is defined there; verb compare sees to the rows.
dump() {
    if [ "$(sql "$1" -c 'SHOW server_version_num')" -lt 160000 ]; then
        "$bin/pg_dump" "$1" | grep -vE '^\\(un)?restrict '
    else
        sql "$1" -f "$here/definitions.sql"
    fi
}

copy() { # SOURCE TARGET JOBS MASK: streamed, and proved
    local said
    # shellcheck disable=SC2086 # an option or none
    said=$(verb stream source="$1" target="$2" jobs="$3" part_bytes=$((8192 * $3)) $4)
    echo "$said"
    # shellcheck disable=SC2086
    verb compare source="$1" target="$2" $4 | grep '"equal":true' || verb compare source="$1" target="$2" $4
}

from_to() { # SOURCE TARGET CASE...
    source_admin=$(server "$1")
    target_admin=$(server "$2")
    prefix="$1 to $2: "
    shift 2
    run_cases "$@"
}

newer_sources() {
    local major newer target said
    for major in 16 18; do
        newer="$(server "$major") dbname=postgres"
        target=$(fresh_on "$(server 15)" newer)
        said=$(verb stream source="$newer" target="$target")
        ok "a source of version $major names the package that helps" says "E_SERVER_TOO_NEW.*postgresql-client-$major" "$said"
        said=$(verb create source="$newer" to="$tmp/newer")
        ok "create says so, too ($major)" says "E_SERVER_TOO_NEW.*postgresql-client-$major" "$said"
    done
}

{
    from_to 12 15 names_quoted columns_dropped inheritance partitions_list foreign_keys_partitions triggers matviews rows_many \
        large_objects
    from_to 12 18 columns_generated partitions_list rows_many
    from_to 14 15 types_ranges statistics_objects collations values_text triggers rows_many
    from_to 15 16 rows_many privileges
    from_to 15 17 names_hostile owners views
    from_to 15 18 names_quoted columns_generated partitions_range types_composites values_extreme constraints_exclusion foreign_keys \
        indexes_kinds storage_options triggers_event matviews large_objects privileges extensions publications text_search
    newer_sources
} | numbered
