#!/usr/bin/env bash
# deadline_s: 300
# The durable runner, from outside: pauses and resumes, retries, time limits, undo, cancel, one live
# run per target, pinned scripts, child runs, lost leases.
set -u
# shellcheck source=tests/engine/lib.sh
. "$(dirname "$0")/lib.sh"
begin engine_runner

knob() { sql "INSERT INTO knob VALUES ('$1', '$2') ON CONFLICT (name) DO UPDATE SET value = '$2'"; }
reset() { sql "TRUNCATE effect, knob"; }
id_of() { sql "SELECT run_id FROM cloner.run WHERE target_key = '$1' ORDER BY created_at DESC LIMIT 1"; }
state_of() { sql "SELECT coalesce(result, state) FROM cloner.run WHERE target_key = '$1' ORDER BY created_at DESC LIMIT 1"; }
effects() { sql "SELECT string_agg(step, ' ' ORDER BY at) FROM effect"; }
knobs=$scripts/knobs.lua

# --- success, pause, resume
run run "$knobs" key=happy
is "a run succeeds" "$status" 0
like "the summary counts the steps" "$out" "3 of 3 steps done"
like "and adds the procedure's own lines" "$out" "summary of happy"

reset; knob two invalid
run run "$knobs" key=pause
is "a step that fails for good pauses the run" "$status" 4
like "the reason is given" "$err" "step 'two': the input is wrong"
like "and how to go on" "$err" "cloner resume $(id_of pause)"
is "it was tried once only" "$(effects)" "one two"
run run "$knobs" key=pause
is "a second run of the same target is refused" "$status" 3
like "by name of the run that holds it" "$err" "held by run $(id_of pause).*paused"
reset
run resume
is "resume completes" "$status" 0
is "without repeating what is done" "$(effects)" "two three"
run resume
is "then nothing is left to resume" "$status" 2
run resume "$(id_of pause)"
is "resuming a finished run is harmless" "$status" 0

# --- retries
reset; knob one once
started=$(date +%s%N)
run run "$knobs" key=retry
is "a throttled step is tried again" "$status" 0
is "Retry-After is honoured" "$(( ($(date +%s%N) - started) / 1000000 >= 300 ))" 1
is "the failed attempt is kept" "$(sql "SELECT attempt, a.error->>'code' FROM cloner.step_attempt a JOIN cloner.run USING (run_id) WHERE target_key = 'retry'")" "1|E_SLOW"
reset; knob one transient
run run "$knobs" key=exhaust
is "exhausted retries pause the run" "$status" 4
is "after as many attempts as the step allows" "$(effects)" "one one one"
knob one ok
run resume
is "and it can go on" "$status" 0

# --- time limit
reset; knob two silent
run run "$knobs" key=limit
is "a step past its limit is tried again, then pauses" "$status" 4
is "three attempts" "$(sql "SELECT count(*) FROM cloner.step_attempt a JOIN cloner.run USING (run_id) WHERE target_key = 'limit' AND a.error->>'code' = 'E_STEP_TIMEOUT'")" 3
reset; knob two swallow
run cancel
reset; knob two swallow
run run "$knobs" key=limit2
is "a script cannot swallow the end of its time" "$(sql "SELECT count(*) FROM effect WHERE note = 'swallowed'")" 0
run cancel

# --- script errors
reset; knob one bug
run run "$knobs" key=bug
is "an error in the script pauses the run" "$status" 4
like "with the script's line" "$err" "knobs.lua:[0-9]+: attempt to index a nil value"
run cancel
reset; knob one global
run run "$knobs" key=global
like "an unknown global is named" "$err" "unknown global 'undefined_thing'"
run cancel
reset; knob one loop
CLONER_SLICE_MS=200 run run "$knobs" key=loop
is "an endless loop ends" "$status" 4
like "and is called one" "$err" "endless loop"
run cancel
reset; knob one leak
run run "$knobs" key=leak
is "a leak pauses the run" "$status" 4
is "its detail is journalled" "$(sql "SELECT s.error->'detail'->'places'->>0 FROM cloner.step s JOIN cloner.run USING (run_id) WHERE target_key = 'leak'")" "a.b"
run cancel

# --- refusal
run run "$knobs" key=refuse bad=yes
is "what preflight refuses is refused" "$status" 3
is "and leaves no run" "$(id_of refuse)" ""

# --- undo and cancel
reset
run run "$knobs" key=undo
run undo "$(id_of undo)"
is "undo of a finished run" "$status" 0
is "goes backwards" "$(sql "SELECT string_agg(step || ':' || note, ' ' ORDER BY at) FROM effect WHERE step LIKE 'undo%'")" "undo three:known undo two:known undo one:known"
is "the run says so" "$(state_of undo)" undone
run undo "$(id_of undo)"
is "undoing twice is harmless" "$status" 0

reset; knob two invalid
run run "$knobs" key=cancel
run cancel
is "cancel of a paused run" "$status" 0
is "undoes also the step whose effect is unknown" "$(sql "SELECT string_agg(step || ':' || note, ' ' ORDER BY at) FROM effect WHERE step LIKE 'undo%'")" "undo two:unknown undo one:known"
is "the run is cancelled" "$(state_of cancel)" cancelled

reset; knob "undo one" transient
run run "$knobs" key=stuck
run undo "$(id_of stuck)"
is "an undo that stays stuck pauses" "$status" 4
reset
run resume
is "and is gone on with by resume" "$status" 0
is "from where it stuck" "$(effects)" "undo one"

reset; knob two invalid
run run "$knobs" key=abandon
run cancel --no-undo
is "cancel --no-undo ends a run as it is" "$(state_of abandon)" abandoned
is "undoing nothing" "$(effects)" "one two"
run undo "$(id_of abandon)"
is "it can be undone later" "$(state_of abandon)" undone

reset
run run "$knobs" key=twice
first=$(id_of twice)
run run "$knobs" key=twice
run undo "$first"
is "an older run of the same target is not undone under a newer one" "$status" 3
like "which is named" "$err" "$(id_of twice) came after it"

# --- a live process: cancel, interrupt, refuse
start() { "$CLONER" "$@" > "$dir/bg.out" 2> "$dir/bg.err" & pid=$!; }
finish() { status=0; wait "$pid" 2> /dev/null || status=$?; }
at_step() { until_true 20 sql_is "SELECT count(*) FROM effect WHERE step = '$1'" 1; }

reset; knob three silent
start run "$knobs" key=live
ok "a run is on its way" at_step three
run run "$knobs" key=live
is "its target is refused to others" "$status" 3
like "with the process that holds it" "$err" "running .* in process $pid"
run resume "$(id_of live)"
is "it cannot be resumed meanwhile" "$status" 3
run cancel "$(id_of live)"
is "cancel from outside waits for the undo" "$status" 0
finish
is "the cancelled process says so" "$status" 5
is "everything was undone" "$(sql "SELECT string_agg(step, ' ' ORDER BY at) FROM effect WHERE step LIKE 'undo%'")" "undo three undo two undo one"

reset; knob three wait
start run "$knobs" key=int
ok "another run is on its way" at_step three
kill -INT "$pid"
finish
is "Ctrl-C stops it at a safe point" "$status" 6
like "and says how to go on" "$(cat "$dir/bg.err")" "cloner resume $(id_of int)"
reset
run resume
is "which works" "$status" 0
is "from the step it was in" "$(effects)" "three"

reset; knob three silent
start run "$knobs" key=int2
ok "a run without safe points" at_step three
kill -INT "$pid"
until_true 10 grep -q "safe point" "$dir/bg.err"
kill -INT "$pid"
finish
is "Ctrl-C twice stops it now" "$status" 6
reset
run resume
is "and it still resumes" "$status" 0

# --- pinned scripts
reset; knob two invalid
cp -r "$scripts" "$dir/edited"
run run "$dir/edited/knobs.lua" key=pinned
# shellcheck disable=SC2016 # $1 is SQL's
sed -i 's/"INSERT INTO effect (step, n, note) VALUES ($1, 1, $2)", run.step, what/"INSERT INTO effect (step, n, note) VALUES ($1, 1, $2)", "edited", what/' "$dir/edited/knobs.lua"
reset
run resume
is "a run keeps the scripts it was started with" "$(effects)" "two three"
reset; knob two invalid
run run "$scripts/knobs.lua" key=adopt
reset
run resume --script "$dir/edited/knobs.lua"
is "unless resume --script says otherwise" "$(effects)" "edited edited"
is "which is noted" "$(sql "SELECT count(*) FROM cloner.event WHERE kind = 'resumed' AND data->>'script' IS NOT NULL")" 1
reset; knob two invalid
run run "$scripts/knobs.lua" key=adopt2
run resume --script "$scripts/five.lua"
is "another procedure's script is refused" "$status" 2
reset
run resume
is "and changed nothing" "$status" 0

# --- idempotency key
reset
run run --idempotency-key k1 "$knobs" key=idem
run run --idempotency-key k1 "$knobs" key=idem
is "the same idempotency key starts once" "$status|$(effects)" "0|one two three"

# --- child runs
reset; knob child wait
start run "$scripts/parent.lua" key=p1
ok "a child is on its way" at_step child
first=$pid
"$CLONER" run "$scripts/parent.lua" key=p2 > "$dir/p2.out" 2> "$dir/p2.err" &
second=$!
ok "a second parent joined it" until_true 20 grep -q "joined run" "$dir/p2.err"
knob child go
pid=$first; finish
is "the first parent succeeds" "$status" 0
pid=$second; finish
is "so does the second" "$status" 0
is "with one and the same child" "$(sql "SELECT count(DISTINCT output->>'from'), count(*) FROM cloner.run WHERE name = 'parent' AND result = 'succeeded'")" "1|2"
is "which worked once" "$(sql "SELECT count(*) FROM effect WHERE step = 'child'")" 1

reset; knob child wait
start run "$scripts/parent.lua" key=p3
ok "a child whose first parent will die" at_step child
first=$pid
start run "$scripts/parent.lua" key=p4
second=$pid
ok "has a second parent" until_true 20 grep -q "joined run" "$dir/bg.err"
kill -KILL "$first"
wait "$first" 2> /dev/null
knob child go
pid=$second; finish
is "the second parent takes the child over" "$status" 0
run resume
is "the first goes on with the child that is done" "$status" 0
is "both have the same child" "$(sql "SELECT count(DISTINCT output->>'from') FROM cloner.run WHERE target_key IN ('p3', 'p4')")" 1

reset; knob child wait
start run "$scripts/parent.lua" key=p5
ok "a child of one parent" at_step child
run cancel "$(id_of p5)"
finish
is "is cancelled with it" "$status|$(sql "SELECT count(*) FROM effect WHERE step = 'undo child'")" "5|1"

reset; knob child wait
start run "$scripts/parent.lua" key=p6
ok "a child that somebody cancels" at_step child
run cancel "$(sql "SELECT run_id FROM cloner.run WHERE name = 'child' AND state = 'running'")"
finish
is "pauses its parent" "$status" 4
reset
run resume "$(id_of p6)"
is "which starts another when it is resumed" "$status|$(sql "SELECT count(*) FROM effect WHERE step = 'child'")" "0|1"

# --- a zombie: stopped past its lease, it must write nothing more
reset; knob three silent
CLONER_LEASE_MS=1500 start run "$knobs" key=zombie
ok "a run is stopped in its tracks" at_step three
kill -STOP "$pid"
zombie=$pid
export CLONER_LEASE_MS=1500
taken() { "$CLONER" list > /dev/null && "$CLONER" resume "$(id_of zombie)" > "$dir/out" 2> "$dir/err"; }
knob three ok
ok "when its lease ran out another process takes the run" until_true 30 taken
kill -CONT "$zombie"
pid=$zombie; finish
is "the zombie ends with an error" "$status" 1
is "the run is the other's" "$(state_of zombie)" succeeded
is "no step was done twice in the journal" "$(sql "SELECT count(*) FROM cloner.step s JOIN cloner.run r USING (run_id) WHERE r.target_key = 'zombie' AND s.worker_id = (SELECT s2.worker_id FROM cloner.step s2 JOIN cloner.run r2 USING (run_id) WHERE r2.target_key = 'zombie' AND s2.step_key = 'three') AND s.step_key = 'three' AND s.attempts = 2")" 1

# --- the journal goes away for a moment, and for longer than the lease
reset; knob three silent
start run "$knobs" key=blip
ok "a run is on its way while the journal blinks" at_step three
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$name' AND application_name LIKE 'cloner %'" > /dev/null
knob three ok
finish
is "a lost connection is made anew" "$status" 0

reset; knob three silent
CLONER_LEASE_MS=1500 start run "$knobs" key=outage
ok "a run is on its way while the journal is down" at_step three
psql -qX "$TEST_DSN" -c "ALTER DATABASE $name ALLOW_CONNECTIONS false" \
    -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$name'" > /dev/null
finish
psql -qX "$TEST_DSN" -c "ALTER DATABASE $name ALLOW_CONNECTIONS true"
is "past its lease the process gives up" "$status" 1
reset
again() { "$CLONER" resume "$(id_of outage)" > "$dir/out" 2> "$dir/err"; }
ok "and the run can be resumed" until_true 10 again

# --- the view on a terminal
reset
script -qec "stty cols 80 rows 24; $CLONER run $knobs key=tty" "$dir/tty" < /dev/null > /dev/null 2>&1
like "a terminal shows the list" "$(cat "$dir/tty")" "✓  3  three"
like "and gets its cursor back" "$(tail -5 "$dir/tty")" "\[\?25h"

# --- the invariants at the end
is "nothing is owned by the dead" "$(sql "SELECT count(*) FROM cloner.run r WHERE state = 'running'")" 0
is "no secret is in the journal" "$(sql "SELECT count(*) FROM cloner.run WHERE params::text LIKE '%password%'")" 0
done_testing
