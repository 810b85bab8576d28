#!/usr/bin/env bash
# Killed in the middle of copying, `resume` goes on with the copy: what was copied is not copied again.
# deadline_s: 900
set -eu

# shellcheck source=tests/procedure/platform.sh
. "$(dirname "$0")/../procedure/platform.sh"
: "${SCALE:=0.1}"
platform_open copies

resumed() { # RUN STEP: parts that an earlier attempt had copied
    in_journal "select coalesce(max((s.result ->> 'resumed_parts')::int), 0) from cloner.step s
        join cloner.run r using (run_id) where r.name = '$1' and s.step_key = '$2'"
}

while read -r strategy point procedure step; do
    platform_reset
    CLONER_FAULT=$point clone
    is "$strategy: killed at $point" "$code" 137
    cloner resume "$(newest_run)"
    is "$strategy: resumed" "$code" 0
    [ "$code" -eq 0 ] || tail -5 "$out" | sed 's/^/# /'
    parts=$(resumed "$procedure" "$step")
    if [ "$parts" -ge 5 ]; then
        pass "$strategy: $step of $procedure went on"
    else
        fail "$strategy: $step of $procedure went on" "behind $parts parts"
    fi
done <<'CASES'
stream copy_part:5 clone restore
golden copy_part:5 image stream
archive copy_file:5 backup create
CASES
is "no snapshot is held at the end" "$(ls "$CLONER_STATE")" ""

finish
