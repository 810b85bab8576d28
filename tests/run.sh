#!/usr/bin/env bash
# Runs every test of a build variant (test, asan) under prove, with the servers they need.
#
#   tests/run.sh VARIANT [FILE...]
#
# What a test finds in its environment is listed in tests/README.md.
set -eu

cd "$(dirname "$0")/.."
variant=${1:-test}
[ $# -eq 0 ] || shift
build=$PWD/build/$variant
state=$PWD/build/tests/$variant

export CLONER=$build/cloner
export TEST_VARIANT=$variant TEST_TMP=$state/tmp TEST_PG_DIR=$state/pg
export CLONER_STATE=$TEST_TMP/state
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export CLONER_DEMO_PG='-c fsync=off -c full_page_writes=off'
# A developer's own settings must not reach the tests.
unset PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE PGSERVICE CLONER_CONFIG

servers_stop() {
    tests/support/pg.sh stop "$TEST_PG_DIR" || true
    tests/support/azurite.sh stop "$state/azurite" || true
}

servers_start() {
    # Fresh each time: what a killed run left behind must not decide a result.
    tests/support/pg.sh stop "$TEST_PG_DIR" 2>/dev/null || true
    tests/support/azurite.sh stop "$state/azurite" 2>/dev/null || true
    rm -rf "$TEST_PG_DIR" "$TEST_TMP" "$state/azurite"
    mkdir -p "$TEST_TMP"
    trap servers_stop EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    TEST_DSN=$(tests/support/pg.sh start "$TEST_PG_DIR")
    export TEST_DSN
    AZURITE_ENDPOINT=$(tests/support/azurite.sh start "$state/azurite")
    export AZURITE_ENDPOINT
}

if [ $# -eq 0 ]; then
    shopt -s nullglob
    for source in tests/unit/*_test.c; do
        set -- "$@" "build/$variant/${source%.c}"
    done
    # The longest go first: two run at once, and the short ones fill up what is left.
    set -- tests/faults/*.t tests/procedure/*.t "$@" tests/*/*_test.lua
    for source in tests/*/*.t; do
        case $source in
        tests/faults/* | tests/procedure/*) ;;
        *) set -- "$@" "$source" ;;
        esac
    done
fi

servers_start
prove ${V:+-v} -j2 --timer --exec tests/support/run-one.sh "$@"
