#!/usr/bin/env bash
# deadline_s: 600
# The runner is killed at every fault point it passes; `resume` must end where an uninterrupted run
# ends: the same effects, each exactly once.
set -u
# shellcheck source=tests/engine/lib.sh
. "$(dirname "$0")/../engine/lib.sh"
begin faults_engine

effects="SELECT step, count(*), sum(n) FROM effect GROUP BY step ORDER BY step"
journal="SELECT step_key, s.state, undo_state FROM cloner.step s JOIN cloner.run r USING (run_id)
         WHERE r.target_key = 'KEY' ORDER BY seq"

run run "$scripts/five.lua" key=whole
is "an uninterrupted run succeeds" "$status" 0
whole=$(sql "$effects")
whole_journal=$(sql "${journal/KEY/whole}")
like "it had its effects" "$whole" "^last.2.3"

# torture POINT: kills at the 1st, 2nd, 3rd … passage until the run gets through untouched
torture() {
    local point=$1 n=0
    while :; do
        n=$((n + 1))
        sql "TRUNCATE effect"
        CLONER_FAULT=$point:$n:kill run run "$scripts/five.lua" "key=$point$n"
        if [ "$status" -eq 0 ]; then
            break
        fi
        is "$point:$n kills" "$status" 137
        run resume
        is "$point:$n: resume completes" "$status" 0
        is "$point:$n: the effects are those of an uninterrupted run" "$(sql "$effects")" "$whole"
        is "$point:$n: so is the journal" "$(sql "${journal/KEY/$point$n}")" "$whole_journal"
    done
    is "$point was passed" "$((n > 1))" 1
}

torture run_created
torture step_intent
torture step_effect
torture step_result

torture_undo() {
    local point=$1 n=0
    while :; do
        n=$((n + 1))
        sql "TRUNCATE effect"
        run run "$scripts/five.lua" "key=$point$n"
        local id
        id=$(sql "SELECT run_id FROM cloner.run WHERE target_key = '$point$n'")
        CLONER_FAULT=$point:$n:kill run undo "$id"
        if [ "$status" -eq 0 ]; then
            break
        fi
        is "$point:$n kills" "$status" 137
        run resume "$id"
        is "$point:$n: resume goes on undoing" "$status" 0
        is "$point:$n: everything is undone, once" "$(sql "$effects")" "undo marked|1|1"
        is "$point:$n: the run says so" "$(sql "SELECT result FROM cloner.run WHERE run_id = '$id'")" undone
    done
    is "$point was passed" "$((n > 1))" 1
}

torture_undo undo_intent
torture_undo undo_effect

# A worker that lost its run to a newer owner is fenced off in the target database too.
sql "TRUNCATE effect"
CLONER_FAULT=step_intent:1:error run run "$scripts/five.lua" key=fence
is "an error at a fault point pauses the run" "$status" 4
id=$(sql "SELECT run_id FROM cloner.run WHERE target_key = 'fence'")
sql "INSERT INTO cloner_meta.fence VALUES ('$id', 1000)"
run resume
is "a stale epoch is refused by the target" "$status" 1
like "as a lost lease" "$err" "a newer owner of this run"
is "and wrote nothing there" "$(sql "$effects")" ""
sql "DELETE FROM cloner_meta.fence WHERE run_id = '$id'"
run resume
is "else the run goes on" "$status" 0

CLONER_GC_STRESS=1 run run "$scripts/five.lua" key=gc
is "a garbage collection at every wait changes nothing" "$status" 0

is "no run is left over" "$(sql "SELECT count(*) FROM cloner.run WHERE state <> 'done'")" 0
done_testing
