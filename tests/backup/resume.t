#!/usr/bin/env bash
# A copy that was killed goes on where it stopped, while the source's snapshot lives; when that is lost
# it says so and starts over. The snapshot is kept by a process of its own, which never stays for good.
# deadline_s: 600
# shellcheck disable=SC2317 # functions are called through ok
set -u

# shellcheck source=tests/backup/lib.sh
. "$(dirname "$0")/lib.sh"
export CLONER_STATE=$tmp/state

keepers() { # pids of the processes that keep a snapshot of this test
    local pid
    for pid in $(pgrep -f '^cloner keep-snapshot'); do
        if { tr '\0' '\n' <"/proc/$pid/environ"; } 2>/dev/null | grep -qxF "CLONER_STATE=$CLONER_STATE"; then
            echo "$pid"
        fi
    done
}

cleanup() {
    local pid
    for pid in $(keepers); do kill -KILL "$pid" 2>/dev/null; done
    stop_clusters
}
trap cleanup EXIT

within() { # SECONDS COMMAND...: polls until it is true
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || return 1
        read -rt 0.1 <> <(:) || true
    done
}

no_keeper() { [ -z "$(keepers)" ]; }
one_keeper() { [ "$(keepers | wc -w)" = 1 ]; }
sessions() { # N CONDITION: are there so many at the source?
    [ "$(sql "$TEST_DSN" -c "SELECT count(*) FROM pg_stat_activity WHERE datname = 'resume_source' AND $2")" = "$1" ]
}
no_session() { sessions 0 "application_name ~ '^cloner'"; }
snapshot_held() { sessions 1 "application_name = 'cloner keeper'"; }
nothing_left() { # neither process nor session nor file
    within 20 no_keeper && within 20 no_session && [ -z "$(ls "$CLONER_STATE")" ]
}

source_dsn="$TEST_DSN dbname=resume_source"
sql "$TEST_DSN" -c 'DROP DATABASE IF EXISTS resume_source' -c 'CREATE DATABASE resume_source' 2>/dev/null
sql "$source_dsn" -f "$root/tests/bindings/backup.sql" >/dev/null || exit 1

fresh() { fresh_on "$TEST_DSN" "$1"; }
stream() { # TARGET KEY...: with what else the verb takes
    local target=$1 key=$2
    shift 2
    verb stream source="$source_dsn" target="$target" resume="$key" "$@"
}
killed() { # FAULT TARGET KEY...: a stream that dies there
    local fault=$1 code
    shift
    CLONER_FAULT=$fault stream "$@" >"$tmp/killed" 2>&1
    code=$?
    cat "$tmp/killed"
    [ $code -eq 137 ]
}
field() { printf '%s\n' "$2" | sed -n "s/.*\"$1\":\"\\([^\"]*\\)\".*/\\1/p"; }
state() { sed -n "s/^ *\"$1\": \"\\(.*\\)\"[,}]*\$/\\1/p" "$CLONER_STATE"/*.snapshot; }
dump "$source_dsn" >"$tmp/source.sql"
same_dump() { diff "$tmp/source.sql" <(dump "$1"); }

# ---------------------------------------------------------------- the keeper

target=$(fresh resume_keeper)
said=$(stream "$target" kept)
ok "a copy with a name succeeds" says '"rows":4059.*"warnings":\[\]' "$said"
ok "and leaves no keeper, no session and no file" nothing_left

target=$(fresh resume_keeper)
ok "a copy is killed" killed copy_batch:3 "$target" kept
ok "its snapshot lives on" snapshot_held
ok "in one process" one_keeper
held=$(state snapshot)
ok "no password is in its state" bash -c "! grep -qF '$(cat "$TEST_PG_DIR/admin")' '$CLONER_STATE'/*"
ok "which nobody else can read" test "$(stat -c %a "$CLONER_STATE" "$CLONER_STATE"/*.snapshot | tr '\n' ' ')" = "700 600 "
ok "its keeper holds no file of the test's open" bash -c "! ls -l /proc/$(keepers)/fd | grep -E 'pipe|$tmp/killed'"
target=$(fresh resume_keeper)
said=$(stream "$target" kept)
ok "the next run takes the same snapshot" test "$(field snapshot "$said")" = "$held"
ok "without a warning" says '"warnings":\[\]' "$said"
ok "and makes the same copy" same_dump "$target"
ok "then it is let go" nothing_left

killed copy_batch:3 "$(fresh resume_keeper)" forgotten >/dev/null
ok "a copy that is forgotten" verb forget key=forgotten
ok "lets its snapshot go" nothing_left
ok "forgetting twice is fine" verb forget key=forgotten

killed copy_batch:3 "$(fresh resume_keeper)" abandoned keep_s=1 >/dev/null
ok "an abandoned snapshot is let go" within 20 no_keeper
ok "and the reason kept" test "$(state ended)" = "nobody had used it for 1 s"
said=$(stream "$(fresh resume_keeper)" abandoned)
ok "the next run says that it was lost" says '"warnings":\["the snapshot of copy .abandoned. was lost \(nobody had used it' "$said"
ok "and copies everything anew" says '"rows":4059' "$said"

killed copy_batch:3 "$(fresh resume_keeper)" murdered >/dev/null
kill -KILL "$(keepers)"
within 20 no_keeper
said=$(stream "$(fresh resume_keeper)" murdered)
ok "a keeper that was killed loses the snapshot" says 'was lost \(the process that held it was killed\)' "$said"

killed copy_batch:3 "$(fresh resume_keeper)" severed >/dev/null
sql "$TEST_DSN" -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'cloner keeper'" >/dev/null
ok "a keeper ends with its connection" within 20 no_keeper
said=$(stream "$(fresh resume_keeper)" severed)
ok "and says why" says 'was lost \(its connection to the source broke' "$said"

killed copy_batch:3 "$(fresh resume_keeper)" altered >/dev/null
said=$(stream "$(fresh resume_keeper)" altered exclude=crm7.email_item)
ok "other options need another snapshot" says 'was lost \(other options are asked for now\)' "$said"
said=$(stream "$(fresh resume_keeper)" odd exclude=crm7.emial_item)
ok "what the keeper cannot do is told" says '"class":"not_found","code":"E_NO_TABLE".*emial_item' "$said"
said=$(verb stream source="$source_dsn" password=wrong target="$(fresh resume_keeper)" resume=odd)
verb forget key=odd >/dev/null
ok "and nothing stays of any of them" nothing_left

locked_out() { # killed while its keeper waits for a table that another session has
    local run code
    mkfifo "$tmp/lock"
    sql "$source_dsn" <"$tmp/lock" >/dev/null &
    exec 8>"$tmp/lock"
    echo 'BEGIN; LOCK TABLE crm7.person IN ACCESS EXCLUSIVE MODE;' >&8
    within 20 sessions 1 "state = 'idle in transaction'" || return 1
    "$CLONER" "$root/tests/backup/verb.lua" verb=stream source="$source_dsn" target="$(fresh resume_keeper)" \
        resume=waiting >/dev/null 2>&1 8>&- &
    run=$!
    within 30 sessions 1 "application_name = 'cloner keeper' AND wait_event_type = 'Lock'" || return 1
    kill -KILL "$run"
    wait "$run" 2>/dev/null
    within 20 no_keeper && within 20 no_session
    code=$?
    exec 8>&-
    return "$code"
}
ok "a keeper that still waits ends with the run that waits for it" locked_out
verb forget key=waiting >/dev/null

mkdir -p "$tmp/open" && chmod 777 "$tmp/open"
said=$(CLONER_STATE=$tmp/open stream "$(fresh resume_keeper)" kept)
ok "a state folder that others can write to is refused" says '"class":"permission","code":"E_STATE_FOLDER"' "$said"
ok "nothing is left at the end" nothing_left

finish
