#!/usr/bin/env bash
# Runs one test file in a process of its own, with a deadline; prove calls it for each.
#
# A file which needs more than the usual says so near its top: "deadline_s: 900".
set -eu

file=$1
deadline_s=$(head -10 "$file" 2>/dev/null | tr -d '\0' | sed -n 's/.*deadline_s: *\([0-9][0-9]*\).*/\1/p' | head -1)
deadline_s=${deadline_s:-${TEST_DEADLINE_S:-300}}

case $file in
*.lua) set -- "$CLONER" "$file" ;;
*.t) set -- bash "$file" ;;
*)
    # shellcheck disable=SC2086 # a command and its options
    set -- ${RUN_UNDER:-} "$file"
    ;;
esac

# timeout makes a process group of its own, which Ctrl-C does not reach: it is handed on. Job control,
# because without it bash would have background commands ignore SIGINT for ever.
set -m
CMOCKA_MESSAGE_OUTPUT=TAP timeout --kill-after=10 "$deadline_s" "$@" </dev/null &
child=$!
trap 'kill -TERM "$child" 2>/dev/null || true' INT TERM
status=0
wait "$child" || status=$?
while kill -0 "$child" 2>/dev/null; do # a trap ends the wait early
    status=0
    wait "$child" || status=$?
done
if [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
    echo "# $file: killed after its deadline of $deadline_s s"
fi
exit "$status"
