# shellcheck shell=bash
# A sample platform of a test's own, and the means to look into every corner of it and to put it
# back as it was. Sourced by the tests of the procedure.
#
#   platform_open NAME      builds it below $TEST_TMP/NAME and keeps pristine copies
#   platform_reset          everything as it was then: databases, roles, files, services, journal
#   clone [NAME=VALUE...]   runs the procedure; its output goes to $out, its exit code to $code; with
#                           $strategy, if that is set

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/demo/lib.sh
. "$here/../../scripts/demo/lib.sh"
: "${CLONER:=$root/build/test/cloner}" "${TEST_TMP:=$root/build/tests/tmp}"

source_ctx=Cust26759 target_ctx=Cust26760
# Set before platform_open: another test environment of the same source.
second_ctx=${second_ctx:-}
source_db=cust26759 target_db=cust26760
tests=0 failed=0

# ---- TAP ---------------------------------------------------------------------------------------

pass() {
    tests=$((tests + 1))
    echo "ok $tests - $1"
}

fail() {
    tests=$((tests + 1)) failed=$((failed + 1))
    echo "not ok $tests - $1"
    shift
    printf '%s\n' "$@" | head -40 | sed 's/^/#   /'
}

# is WHAT GOT WANTED
is() {
    if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "got:    $2" "wanted: $3"; fi
}

# like WHAT GOT REGEX
like() {
    if [[ $2 =~ $3 ]]; then pass "$1"; else fail "$1" "got: $2" "which is not like: $3"; fi
}

# same WHAT FILE FILE
same() {
    local difference
    if difference=$(diff "$2" "$3"); then pass "$1"; else fail "$1" "$difference"; fi
}

finish() {
    echo "1..$tests"
    [ "$failed" -eq 0 ]
}

# ---- the platform ------------------------------------------------------------------------------

make_tenants() {
    source_tenant $source_ctx nordlys 'Nordlys Handel AS' 1801550193 "$1"
    target_tenant $target_ctx 'Test Env - Nordlys Handel AS' 1801550777
    [ -z "$second_ctx" ] || target_tenant "$second_ctx" 'Test Env - Nordlys Handel AS' 1801550788
}

platform_open() {
    demo=$TEST_TMP/$1
    secrets=$demo/secrets blobs=$demo/blobs config=$demo/cloner.conf
    out=$demo/out pristine=$demo/pristine
    local cluster
    # snapshots of this platform's own: other tests clone at the same time
    export CLONER_CONFIG=$config CLONER_STATE=$demo/state
    trap platform_stop EXIT
    platform_start "${SCALE:-1}" >/dev/null
    # What is killed here is cloner: the servers need not survive a power cut.
    for cluster in prod1 test1; do
        $cluster postgres "alter system set fsync = off" "select pg_reload_conf()" >/dev/null
    done
    mkdir -p "$pristine"
    cp -a "$blobs/test1" "$pristine/blobs"
    cp -a "$secrets" "$pristine/secrets"
    PGPASSWORD=$(cat "$demo/prod1/admin") "$(cluster_bin)/pg_dump" -h 127.0.0.1 -U postgres \
        -p "$(cluster_port "$demo/prod1")" --data-only --disable-triggers registry \
        >"$pristine/registry.sql" 2>"$pristine/registry.log"
    cluster_psql "$demo/test1" -d postgres -c "create database pristine template $target_db"
}

platform_reset() {
    local name=$target_db db
    for db in $(test1 postgres "select datname from pg_database where datname ~ '^$name(_|\$)|_image_'"); do
        test1 postgres "drop database $db with (force)"
    done
    test1 postgres "create database $name template pristine owner ${name}_app"
    test1 postgres "revoke connect, temporary on database $name from public" \
        "grant connect on database $name to ${name}_query" \
        "alter role ${name}_app password null" "alter role ${name}_query password null"
    {
        echo "truncate $(prod1 registry "select string_agg(oid::regclass::text, ',') from pg_class
            where relkind = 'r' and relnamespace in ('registry'::regnamespace, 'sample'::regnamespace)")
            restart identity cascade;"
        cat "$pristine/registry.sql"
    } | cluster_psql "$demo/prod1" -d registry >/dev/null
    prod1 postgres "drop database if exists cloner with (force)"
    prod1 postgres "create database cloner owner cloner"
    rm -rf "$blobs/test1" "$secrets" "$demo/archive"
    mkdir -p "$demo/archive"
    cp -a "$pristine/blobs" "$blobs/test1"
    cp -a "$pristine/secrets" "$secrets"
    service DELETE /faults >/dev/null
}

# prod1 DATABASE SQL...: rows as text, by the superuser of that cluster
prod1() { ask prod1 "$@"; }
test1() { ask test1 "$@"; }
ask() {
    local cluster=$1 database=$2 args=()
    shift 2
    for statement; do args+=(-c "$statement"); done
    cluster_psql "$demo/$cluster" -d "$database" -At -F '|' "${args[@]}"
}
in_source() { prod1 $source_db "$@"; }
in_target() { test1 $target_db "$@"; }
in_registry() { prod1 registry "$@"; }
in_journal() { prod1 cloner "$@"; }

# service METHOD PATH [JSON]
service() {
    curl -sS -X "$1" "http://127.0.0.1:$(cat "$demo/services.port")$2" ${3:+-d "$3"}
}

# fault SERVICE MODE TIMES [PATH]
fault() {
    service POST /faults "{\"service\":\"$1\",\"mode\":\"$2\",\"times\":$3,\"path\":\"${4:-/}\",\"retry_after\":1,\"delay_ms\":1500}" >/dev/null
}

# The exit code is for the test to look at.
# shellcheck disable=SC2034
cloner() {
    code=0
    # In a shell of its own, which keeps the notice of a kill to itself.
    ("$CLONER" "$@"; exit) >"$out" 2>&1 || code=$?
}

clone() {
    cloner "${script:-$root/scripts/clone.lua}" source=$source_ctx target=$target_ctx \
        ${strategy:+strategy="$strategy"} "$@"
}

# The newest run of the procedure.
newest_run() { in_journal "select run_id from cloner.run where name = 'clone' order by created_at desc limit 1"; }

# eventually WHAT COMMAND...: polls until the command prints something; fails after a minute
eventually() {
    local what=$1 deadline=$((SECONDS + 60))
    shift
    until [ -n "$("$@")" ]; do
        if [ $SECONDS -ge $deadline ]; then
            fail "$what: not within a minute"
            return 1
        fi
        sleep 0.05
    done
}

# ---- fingerprints ------------------------------------------------------------------------------

dump() {
    local cluster=$1 database=$2
    shift 2
    PGPASSWORD=$(cat "$demo/$cluster/admin") "$(cluster_bin)/pg_dump" -h 127.0.0.1 -U postgres \
        -p "$(cluster_port "$demo/$cluster")" "$@" "$database" |
        grep -v -e '^-- Dumped' -e '^\\\(un\)\?restrict '
}

files_of() {
    (cd "$1" && find . -type f -print0 | sort -z | xargs -0r sha256sum | sed 's/\.prev-[0-9a-f]*/.prev-RUN/')
}

# What production is: bit for bit.
print_source() {
    dump prod1 $source_db
    files_of "$blobs/prod1"
    in_registry "select * from registry.superid_tenant where ctx = '$source_ctx'" \
        "select * from registry.superid_user where ctx = '$source_ctx' order by id" \
        "select * from registry.customer where ctx = '$source_ctx'" \
        "select * from registry.mail_route where ctx = '$source_ctx' order by address"
}

# What the test environment is, without what differs from run to run.
print_target() {
    dump test1 $target_db -s -N cloner_meta
    cluster_psql "$demo/test1" -d $target_db -f "$here/fingerprint.sql"
    test1 postgres "select datname, pg_get_userbyid(datdba), datconnlimit, encoding, datcollate,
            (select string_agg(x, ',' order by x) from unnest(datacl::text[]) x)
        from pg_database where datname = '$target_db'" \
        "select rolname, rolcanlogin, rolsuper from pg_roles where rolname like '$target_db%' order by 1" \
        "select regexp_replace(datname, '_[0-9a-f]+\$', '_RUN') from pg_database
            where datname like '$target_db%' or datname like '%\_image\_%' order by 1"
    cluster_psql "$demo/prod1" -d registry -f "$here/registry.sql"
    files_of "$blobs/test1"
    (cd "$secrets" && find . -type f | sort | sed 's/\.prev-[0-9a-f]*/.prev-RUN/')
}

print_services() {
    cluster_psql "$demo/prod1" -d registry -f "$here/services.sql"
}
