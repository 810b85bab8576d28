#!/usr/bin/env bash
# Killed with SIGKILL after the intent and after the effect of every step, `resume` completes the
# clone and the end state equals an uninterrupted run's. And the way back: a run stopped behind each
# step and undone leaves the old test environment as it was. All of it by a golden image, the steps
# that differ also by an archive.
# deadline_s: 3000
set -eu

# shellcheck source=tests/procedure/platform.sh
. "$(dirname "$0")/../procedure/platform.sh"
steps=24
# Neither the size of the data nor, under the slow sanitizers, every single step is what counts here.
: "${SCALE:=0.1}"
stride=1
[ "${TEST_VARIANT:-}" != asan ] || stride=6
platform_open kill

print_target >"$demo/before"
strategy=archive
clone
is "by an archive, too" "$code" 0
print_target >"$demo/archive.target"
platform_reset
strategy=golden
clone
is "an uninterrupted clone succeeds" "$code" 0
[ "$code" -eq 0 ] || sed 's/^/# /' "$out"
run=$(newest_run)
print_target >"$demo/wanted.target"
print_services >"$demo/wanted.services"
in_journal "select step_key, state from cloner.step where run_id = '$run' order by seq" >"$demo/wanted.journal"
same "to the same end" "$demo/archive.target" "$demo/wanted.target"
is "with $steps steps" "$(wc -l <"$demo/wanted.journal")" "$steps"

# Passes of a fault point are counted over the whole process: the image's own steps come in between,
# or the backup's, which are as many. So a point is armed by number and the step it hit is read from
# the journal.
child_steps=$(in_journal "select count(*) from cloner.step s join cloner.run r using (run_id) where r.name = 'image'")

# What is left of images when all is done: nothing, whichever step was killed.
for point in step_intent step_effect archive:step_intent archive:step_effect; do
    case $point in
    archive:*) strategy=archive last=$((child_steps + 5)) point=${point#*:} ;;
    *) strategy=golden last=$((steps + child_steps)) ;;
    esac
    for ((n = 1; n <= last; n += stride)); do
        platform_reset
        CLONER_FAULT=$point:$n clone
        if [ "$code" -ne 137 ]; then
            fail "$point $n: killed" "exit code $code" "$(tail -5 "$out")"
            continue
        fi
        hit=$(in_journal "select name || '.' || step_key from cloner.step join cloner.run using (run_id)
            where cloner.step.state = 'started' order by cloner.step.started_at desc limit 1")
        run=$(newest_run)
        cloner resume "$run"
        print_target >"$demo/got.target"
        print_services >"$demo/got.services"
        in_journal "select step_key, state from cloner.step where run_id = '$run' order by seq" >"$demo/got.journal"
        if [ "$code" -eq 0 ] && cmp -s "$demo/wanted.target" "$demo/got.target" &&
            cmp -s "$demo/wanted.services" "$demo/got.services" &&
            cmp -s "$demo/wanted.journal" "$demo/got.journal"; then
            pass "$strategy $point $n ($hit): resumed to the same end"
        else
            fail "$strategy $point $n ($hit): resumed to the same end" "exit code $code" "$(tail -5 "$out")" \
                "$(diff "$demo/wanted.target" "$demo/got.target")" \
                "$(diff "$demo/wanted.services" "$demo/got.services")" \
                "$(diff "$demo/wanted.journal" "$demo/got.journal")"
        fi
    done
done

# Undo, with the outcome of the step killed in known and unknown.
strategy=golden
for ((n = 1; n <= steps + child_steps; n += stride)); do
    platform_reset
    CLONER_FAULT=step_effect:$n clone
    hit=$(in_journal "select name || '.' || step_key from cloner.step join cloner.run using (run_id)
        where cloner.step.state = 'started' order by cloner.step.started_at desc limit 1")
    cloner undo "$(newest_run)"
    print_target >"$demo/got.target"
    if [ "$code" -eq 0 ] && cmp -s "$demo/before" "$demo/got.target"; then
        pass "undone after $n ($hit): the old environment is back"
    else
        fail "undone after $n ($hit): the old environment is back" "exit code $code" "$(tail -5 "$out")" \
            "$(diff "$demo/before" "$demo/got.target")"
    fi
done

# And of a clone that succeeded.
platform_reset
clone
cloner undo "$(newest_run)"
print_target >"$demo/got.target"
is "a finished clone can be undone" "$code" 0
same "and the old environment is back" "$demo/before" "$demo/got.target"

finish
