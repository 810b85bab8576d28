#!/usr/bin/env bash
# deadline_s: 300
# Promises of the runner that were once broken, each with its story; and who may call a process dead.
set -u
# shellcheck source=tests/engine/lib.sh
. "$(dirname "$0")/lib.sh"
begin engine_durable

knob() { sql "INSERT INTO knob VALUES ('$1', '$2') ON CONFLICT (name) DO UPDATE SET value = '$2'"; }
reset() { sql "TRUNCATE effect, knob"; }
id_of() { sql "SELECT run_id FROM cloner.run WHERE target_key = '$1' ORDER BY created_at DESC LIMIT 1"; }
state_of() { sql "SELECT coalesce(result, state) FROM cloner.run WHERE target_key = '$1' ORDER BY created_at DESC LIMIT 1"; }
effects() { sql "SELECT string_agg(step, ' ' ORDER BY at) FROM effect"; }
start() { "$CLONER" "$@" > "$dir/bg.out" 2> "$dir/bg.err" & pid=$!; }
finish() { status=0; wait "$pid" 2> /dev/null || status=$?; }
at_step() { until_true 20 sql_is "SELECT count(*) FROM effect WHERE step = '$1'" 1; }
knobs=$scripts/knobs.lua

# Transactions of a step were numbered one after another, those within others too. In a second attempt
# the outer one was passed over, its inner one never asked, and the next got the inner one's number:
# it counted as done and its effect was lost.
knob nested fail
run run "$scripts/nested.lua" key=nested
is "a step fails between two transactions" "$status|$(effects)" "4|outer inner"
reset
run resume
is "the second attempt does the one that was missing, and only that" "$status|$(effects)" "0|next a b"
is "results are those of the transactions that made them" "$(sql "SELECT result FROM cloner.step WHERE step_key = 'nested'")" '["outer", "next"]'

# A step asked the database whether its first transaction was needed. In the second attempt it was not,
# so the second one was counted as the first, found done, and passed over: its effect was lost in silence.
reset; knob order fail
run run "$scripts/nested.lua" key=order
is "a step fails after the first of two transactions" "$status|$(effects)" "4|outer inner next a"
knob order go
run resume
is "the next attempt comes by the other one first: it stops" "$status" 4
like "and says which, and what to do" "$err" "transaction '1' of step 'order' was the one at .*nested.lua:[0-9]+ .*give each a key"
cp -r "$scripts" "$dir/keyed"
sed -i "s/VALUES ('b', 1)\") end)/VALUES ('b', 1)\") end, \"b\")/" "$dir/keyed/nested.lua"
run resume --script "$dir/keyed/nested.lua"
is "with a key it goes on" "$status|$(effects)" "0|outer inner next a b"

# A step that had begun was left out by the scripts a person adopted: its row said skipped, and the way
# back passed it over, with its effect in place.
reset; knob two invalid
cp -r "$scripts" "$dir/without"
sed -i 's/^return P$/P:skip("two", "not needed")\nreturn P/' "$dir/without/knobs.lua"
run run "$knobs" key=skip
reset
run resume --script "$dir/without/knobs.lua"
is "adopted scripts leave out a step that began" "$status|$(effects)" "0|three"
reset
run undo "$(id_of skip)"
is "which is undone all the same" "$status|$(effects)" "0|undo three undo two undo one"

# The same idempotency key with other parameters answered "done" for a run of something else.
reset
run run --idempotency-key order-7 "$knobs" key=first
reset
run run --idempotency-key order-7 "$knobs" key=other
is "an idempotency key belongs to its parameters" "$status|$(effects)" "3|"
like "the one that differs is named" "$err" "run $(id_of first) .* another 'key'"

# A child whose undo fails for good was taken over again and again, for ever, twice a second.
reset; knob child wait; knob "undo child" invalid
start run "$scripts/parent.lua" key=p1
ok "a child is on its way" at_step child
run cancel "$(id_of p1)"
finish
is "a child that cannot be undone pauses its parent" "$status" 4
like "with the child's reason" "$(cat "$dir/bg.err")" "could not be undone: .*it cannot be undone"
reset
run resume "$(id_of p1)"
is "resume goes on when the reason is gone" "$status|$(effects)" "5|undo child"
is "parent and child are cancelled" "$(state_of p1) $(state_of child:s)" "cancelled cancelled"

# The heartbeat looked at the time only between its tries to renew: a journal that took connections and
# did not answer was noticed after the lease had run out, when others may have had the run already.
cp -r "$scripts" "$dir/ticking"
cat > "$dir/ticking/tick.lua" << 'LUA'
local db = require "db"
local time = require "time"
local P = require("procedure").new { name = "tick", target_key = function() return "tick" end }
P:step { "tick", run = function(run)
  local conn <close> = db.connect(run.config.target)
  while true do
    conn:exec("INSERT INTO effect (step, n) VALUES ('tick', 1)")
    time.sleep(20)
  end
end }
return P
LUA
reset
start run "$dir/ticking/tick.lua"
ok "a step ticks" until_true 20 sql_is "SELECT count(*) > 3 FROM effect" t
mkfifo "$dir/hold"
psql -qAtX "$dsn" < "$dir/hold" > "$dir/held" 2>&1 &
holder=$!
exec 8> "$dir/hold"
echo "BEGIN; LOCK TABLE cloner.worker; SELECT 'locked';" >&8
ok "the journal does not answer any more" until_true 20 grep -q locked "$dir/held"
ok "the step ends" until_true 20 sql_is "SELECT max(at) < clock_timestamp() - interval '1 s' FROM effect" t
echo "SELECT max(at) < (SELECT max(lease_expires_at) FROM cloner.worker) FROM effect; COMMIT;" >&8
exec 8>&-
wait "$holder"
is "before its lease does" "$(tail -1 "$dir/held")" t
finish
is "and says that it failed" "$status" 1
reset
run cancel
is "another process takes the run" "$status" 0

# --- who is dead? A process of this machine that is surely gone, at once; nobody else before its time.
export CLONER_LEASE_MS=60000
reset; knob three silent
# shellcheck disable=SC2016 # for the inner shell
sh -c '"$CLONER" run "$1" key=gone > "$2" 2>&1 & echo $! > "$3"; exec tail -f /dev/null' \
    sh "$knobs" "$dir/bg.out" "$dir/pid" &
keeper=$!
ok "a process is on its way" at_step three
kill -KILL "$(cat "$dir/pid")"
knob three ok
resumed() { "$CLONER" resume "$(id_of gone)" > "$dir/out" 2> "$dir/err"; }
ok "killed, and not buried by its parent, it is known to be dead long before its lease ends" \
    until_true 20 resumed
kill "$keeper"
wait "$keeper" 2> /dev/null

reset; knob three silent
start run "$knobs" key=alive
ok "another is on its way" at_step three
run resume "$(id_of alive)"
is "a live process keeps its run" "$status" 3
sql "UPDATE cloner.worker SET machine = 'elsewhere', pid = 1, process_started = 1 WHERE pid = $pid AND stopped_at IS NULL"
run resume "$(id_of alive)"
is "so does one of another machine, whatever its number is here" "$status" 3
sql "UPDATE cloner.worker SET machine = (SELECT max(machine) FROM cloner.worker WHERE machine <> 'elsewhere'), pid = $$ WHERE machine = 'elsewhere'"
"$CLONER" resume "$(id_of alive)" > "$dir/out" 2> "$dir/err" &
heir=$!
finish
is "a number that another process has now means that its owner is gone; it writes nothing more" "$status" 1
knob three ok
pid=$heir; finish
is "and another has its run" "$status" 0

# A child that failed for good in front of its parent was taken up once more at once: its attempts, and
# the minutes between them, came twice before the parent paused.
reset; knob child invalid
run run "$scripts/parent.lua" key=once
is "a child that fails for good pauses its parent" "$status" 4
is "after one attempt" "$(sql "SELECT count(*) FROM effect WHERE step = 'child'")" 1
knob child go
run resume "$(id_of once)"
is "and gets another when the parent is resumed" "$status|$(sql "SELECT count(*) FROM effect WHERE step = 'child'")" "0|2"

is "no run is left over" "$(sql "SELECT count(*) FROM cloner.run WHERE state <> 'done'")" 0
done_testing
