#!/usr/bin/env bash
# deadline_s: 600
# A statement of the journal took effect, but its reply never came: the connection broke in between.
# It is said again, so each must bear that. A run whose last statement was said twice used to end as
# "belongs to another process", exit code 1, though it had succeeded; a child claimed twice was waited
# for, for ever, by the very process that owned it.
set -u
# shellcheck source=tests/engine/lib.sh
. "$(dirname "$0")/../engine/lib.sh"
begin faults_reply

effects="SELECT step, count(*), sum(n) FROM effect GROUP BY step ORDER BY step"
id_of() { sql "SELECT run_id FROM cloner.run WHERE target_key = '$1' ORDER BY created_at DESC LIMIT 1"; }

# each PREPARE COMMAND CHECK: loses the N-th reply, N = 1, 2, 3 … until there is no N-th one
each() {
    local prepare=$1 command=$2 check=$3
    failures=""
    for ((n = 1; n < 300; n++)); do
        sql "TRUNCATE effect, knob"
        $prepare
        CLONER_FAULT=journal_reply:$n:error $command
        if [ "$status" -ne 0 ] || ! $check; then failures="$failures $n:$status"; fi
        grep -q "the reply was lost" "$dir/err" || break
    done
    ok "many replies were lost" test "$n" -gt 20
}

run run "$scripts/five.lua" key=whole
is "an uninterrupted run succeeds" "$status" 0
whole=$(sql "$effects")

nothing() { :; }
go() { run run --log-level debug "$scripts/five.lua" "key=go$n"; }
went() { [ "$(sql "$effects")" = "$whole" ]; }
each nothing go went
is "whichever reply is lost, a run succeeds and has each effect once" "$failures" ""

did() { run run "$scripts/five.lua" "key=undo$n"; }
back() { run undo --log-level debug "$(id_of "undo$n")"; }
undone() { [ "$(sql "$effects")" = "undo marked|1|1" ]; }
each did back undone
is "so it is with undo, which takes a finished run" "$failures" ""

# A parent and its child are killed; who resumes the parent takes the child over.
killed() {
    sql "INSERT INTO knob VALUES ('child', 'wait')"
    "$CLONER" run "$scripts/parent.lua" "key=p$n" "source=s$n" > "$dir/out" 2> "$dir/err" &
    local pid=$!
    until_true 20 sql_is "SELECT count(*) FROM effect WHERE step = 'child'" 1
    kill -KILL "$pid"
    wait "$pid" 2> /dev/null
    sql "UPDATE knob SET value = 'go'"
}
resumed() { run resume --log-level debug "$(id_of "p$n")"; }
both() { [ "$(sql "SELECT count(*) FROM cloner.run WHERE result = 'succeeded' AND (target_key = 'p$n' OR params->>'source' = 's$n')")" = 2 ]; }
each killed resumed both
is "and with a child that is taken over" "$failures" ""

is "no run is left over" "$(sql "SELECT count(*) FROM cloner.run WHERE state <> 'done'")" 0
done_testing
