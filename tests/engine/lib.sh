# shellcheck shell=bash disable=SC2034
# What the shell tests of the runner share. Sourced; needs CLONER and TEST_DSN.
#
# begin NAME makes a database of its own (journal and effects both live there), a folder, and a
# configuration that names them.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scripts=$here/scripts
count=0
failed=0

begin() {
    name=$1
    dir=${TEST_TMP:-/tmp}/$name
    rm -rf "$dir"
    mkdir -p "$dir"
    psql -qX "$TEST_DSN" -c "DROP DATABASE IF EXISTS $name" -c "CREATE DATABASE $name" 2>/dev/null
    dsn="$TEST_DSN dbname=$name"
    cat > "$dir/cloner.conf" <<CONF
return { journal = { dsn = "$dsn" }, target = { dsn = "$dsn" } }
CONF
    export CLONER_CONFIG=$dir/cloner.conf CLONER_LEASE_MS=3000
    sql "CREATE TABLE effect (step text, n int, note text, at timestamptz DEFAULT clock_timestamp())"
    sql "CREATE TABLE knob (name text PRIMARY KEY, value text)"
}

sql() { psql -qAtX "$dsn" -c "$1"; }

# ok DESCRIPTION COMMAND...
ok() {
    local what=$1
    shift
    count=$((count + 1))
    if "$@"; then
        echo "ok $count - $what"
    else
        echo "not ok $count - $what"
        failed=$((failed + 1))
        sed 's/^/# /' "$dir/out" "$dir/err" 2>/dev/null | tail -40
    fi
}

# is DESCRIPTION GOT WANT
is() {
    ok "$1" test "$2" = "$3"
    [ "$2" = "$3" ] || printf '# got  %s\n# want %s\n' "$2" "$3" | tr '\n' '\n'
}

# like DESCRIPTION TEXT PATTERN
like() {
    count=$((count + 1))
    if grep -Eq -- "$3" <<< "$2"; then
        echo "ok $count - $1"
    else
        echo "not ok $count - $1"
        failed=$((failed + 1))
        printf '%s\n' "$2" | sed 's/^/# got /'
        echo "# want $3"
    fi
}

# run ARGS...: its exit code in $status, output in $out and $err
run() {
    status=0
    { "$CLONER" "$@" > "$dir/out" 2> "$dir/err"; } 2> /dev/null || status=$?
    out=$(cat "$dir/out")
    # shellcheck disable=SC2034 # for the tests
    err=$(cat "$dir/err")
}

# until_true SECONDS COMMAND...: polls
until_true() {
    local till=$((SECONDS + $1))
    shift
    until "$@" 2>/dev/null; do
        [ $SECONDS -lt $till ] || return 1
        read -r -t 0.05 <> <(:) || true
    done
}

sql_is() { [ "$(sql "$1")" = "$2" ]; }

done_testing() {
    echo "1..$count"
    [ "$failed" -eq 0 ]
}
