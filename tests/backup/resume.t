#!/usr/bin/env bash
# A copy that was killed goes on where it stopped, while the source's snapshot lives; when that is lost
# it says so and starts over. The snapshot is kept by a process of its own, which never stays for good.
# deadline_s: 900
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

no_keeper() { [ -z "$(keepers)" ]; }
one_keeper() { [ "$(keepers | wc -w)" = 1 ]; }
sessions() { # N CONDITION: are there so many at the source?
    [ "$(sql "$TEST_DSN" -c "SELECT count(*) FROM pg_stat_activity WHERE datname = 'resume_source' AND $2")" = "$1" ]
}
no_session() { sessions 0 "application_name ~ '^cloner'"; }
snapshot_held() { sessions 1 "application_name = 'cloner keeper'"; }
nothing_left() { # neither process nor session nor file
    until_true 20 no_keeper && until_true 20 no_session && [ -z "$(ls "$CLONER_STATE")" ]
}

source_dsn="$TEST_DSN dbname=resume_source"
sql "$TEST_DSN" -c 'DROP DATABASE IF EXISTS resume_source' -c 'CREATE DATABASE resume_source' 2>/dev/null
sql "$source_dsn" -f "$root/tests/bindings/backup.sql" >/dev/null || exit 1

sql "$source_dsn" -c "SELECT count(lo_from_bytea(70000 + i, convert_to(repeat('object ' || i || ' ', 30000), 'UTF8')))
    FROM generate_series(1, 16) i" -c "COMMENT ON LARGE OBJECT 70001 IS 'the first'" >/dev/null

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
ok "an abandoned snapshot is let go" until_true 20 no_keeper
ok "and the reason kept" test "$(state ended)" = "nobody had used it for 1 s"
said=$(stream "$(fresh resume_keeper)" abandoned)
ok "the next run says that it was lost" says '"warnings":\["the snapshot of copy .abandoned. was lost \(nobody had used it' "$said"
ok "and copies everything anew" says '"rows":4059' "$said"

killed copy_batch:3 "$(fresh resume_keeper)" murdered >/dev/null
kill -KILL "$(keepers)"
until_true 20 no_keeper
said=$(stream "$(fresh resume_keeper)" murdered)
ok "a keeper that was killed loses the snapshot" says 'was lost \(the process that held it was killed\)' "$said"

killed copy_batch:3 "$(fresh resume_keeper)" severed >/dev/null
sql "$TEST_DSN" -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'resume_source' AND application_name = 'cloner keeper'" >/dev/null
ok "a keeper ends with its connection" until_true 20 no_keeper
said=$(stream "$(fresh resume_keeper)" severed)
ok "and says why" says 'was lost \(its connection to the source broke' "$said"

killed copy_batch:3 "$(fresh resume_keeper)" altered >/dev/null
said=$(stream "$(fresh resume_keeper)" altered exclude=crm7.email_item)
ok "other options need another snapshot" says 'was lost \(it is asked for with other options\)' "$said"
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
    until_true 20 sessions 1 "state = 'idle in transaction'" || return 1
    "$CLONER" "$root/tests/backup/verb.lua" verb=stream source="$source_dsn" target="$(fresh resume_keeper)" \
        resume=waiting >/dev/null 2>&1 8>&- &
    run=$!
    until_true 30 sessions 1 "application_name = 'cloner keeper' AND wait_event_type = 'Lock'" || return 1
    kill -KILL "$run"
    wait "$run" 2>/dev/null
    until_true 20 no_keeper && until_true 20 no_session
    code=$?
    exec 8>&-
    return "$code"
}
ok "a keeper that still waits ends with the run that waits for it" locked_out
verb forget key=waiting >/dev/null

mkdir -p "$tmp/open" && chmod 777 "$tmp/open"
said=$(CLONER_STATE=$tmp/open stream "$(fresh resume_keeper)" kept)
ok "a state folder that others can write to is refused" says '"class":"permission","code":"E_STATE_FOLDER"' "$said"

# ---------------------------------------------------------------- going on

# Parts are loaded by several workers: rows come in any order, so text is compared sorted.
sorted_dump() { dump "$1" | LC_ALL=C sort; }
sorted_dump "$source_dsn" >"$tmp/source.sorted"
same_sorted() { diff "$tmp/source.sorted" <(sorted_dump "$1"); }
marks() { sql "$1" -c "SELECT count(*) FROM cloner_unfinished_copy.mark WHERE kind = '$2'"; }
unmarked() { [ "$(sql "$1" -c "SELECT to_regnamespace('cloner_unfinished_copy') IS NULL")" = t ]; }
copies() { grep -o 'statement: COPY .* TO STDOUT.*' "$TEST_PG_DIR/log" | tail -n "+$((logged + 1))"; }
start_log() { logged=$(grep -c 'statement: COPY .* TO STDOUT' "$TEST_PG_DIR/log"); }
repeated() { copies | LC_ALL=C sort | uniq -d; }
sql "$TEST_DSN" -c "ALTER DATABASE resume_source SET log_statement = 'all'"
small='part_bytes=65536' # the largest table then comes in 14 parts

for point in copy_schema:1 copy_batch:9 copy_batch:18 copy_objects:2 copy_part:1 copy_part:5 copy_index:2 copy_schema:2 copy_ending:1; do
    target=$(fresh resume_stream)
    start_log
    ok "killed at $point" killed $point "$target" going jobs=1 $small
    parts=$(marks "$target" part)
    said=$(stream "$target" going jobs=1 $small)
    ok "it goes on behind its $parts parts" says "\"resumed_parts\":$parts,.*\"rows\":4059,.*\"warnings\":\\[\\]" "$said"
    # killed between two batches, the part in work is gone
    ok "no part that was done is read twice" test "$(repeated | wc -l)" -le "$([[ $point = copy_batch:* ]] && echo 1 || echo 0)"
    ok "the copy is the source" same_sorted "$target"
    ok "without a mark" unmarked "$target"
done
ok "which left nothing behind" nothing_left

target=$(fresh resume_stream)
start_log
for point in copy_batch:4 copy_part:3 copy_part:4 copy_index:1 copy_index:3 copy_ending:1; do
    killed $point "$target" often jobs=4 $small mask_domain=sink.test compare=yes >/dev/null || echo "# not killed at $point"
done
parts=$(marks "$target" part)
said=$(stream "$target" often jobs=4 $small mask_domain=sink.test compare=yes)
ok "killed six times, with four workers, it goes on" says "\"resumed_parts\":$parts,.*\"rows\":4059" "$said"
ok "and counts what was masked each time" says '"large_objects":16,.*"masked":14[0-9]{3},' "$said"
ok "what was read before is proved with the rest" says '"compared":14,' "$said"
ok "each time at most four of 25 parts were read again" test "$(copies | wc -l)" -le $((25 + 6 * 4))
said=$(verb compare source="$source_dsn" target="$target" mask_domain=sink.test)
ok "it is the masked source" says '"equal":true' "$said"
ok "without a mark" unmarked "$target"

random_kills() { # VERB JOBS KEY=VALUE...: kills it again and again, each time later; until it succeeds
    local kind=$1 jobs=$2 run code wait
    shift 2
    for wait in 0.15 0.2 0.22 0.25 0.27 0.3 0.35 0.4 0.5 0.7 1 2 60; do
        # in the foreground it does not kill itself, too, before the one it kills is gone
        timeout --foreground -s KILL "$wait" "$CLONER" "$root/tests/backup/verb.lua" verb="$kind" jobs="$jobs" "$@" >"$tmp/random" 2>&1
        code=$?
        [ "$code" -eq 137 ] || break
    done
    cat "$tmp/random"
    verb forget key=random >/dev/null # a kill may come between the copy's end and the snapshot's
    verb forget key=made >/dev/null
    [ "$code" -eq 0 ] || return
    # a kill may come when all is done and nothing was said yet: then the next run finds a whole copy
    grep -q '"rows":4059' "$tmp/random" || grep -q E_ARCHIVE_EXISTS "$tmp/random" ||
        { grep -q E_NOT_EMPTY "$tmp/random" && unmarked "$target"; }
}
for jobs in 1 4; do
    target=$(fresh resume_stream)
    ok "killed at any moment, $jobs jobs" random_kills stream $jobs source="$source_dsn" target="$target" resume=random $small
    ok "it ends as the source" same_sorted "$target"
    ok "without a mark" unmarked "$target"
done

# ---------------------------------------------------------------- an archive

archive=$tmp/archive
verb create source="$source_dsn" to="$archive" $small jobs=1 >/dev/null
files() { (cd "$1" && sha256sum data/*) }
files "$archive" | sort >"$tmp/files"
# In hexadecimal: of 256 raw keys two end like a line, and those are refused.
openssl rand -hex 32 >"$tmp/key"
openssl rand -hex 32 >"$tmp/other.key"

create() { verb create source="$source_dsn" to="$tmp/made" resume=made $small "$@"; }
killed_create() { # FAULT KEY=VALUE...
    CLONER_FAULT=$1 create "${@:2}" >/dev/null 2>&1
    [ -d "$tmp/made.partial" ]
}
whole() { # a finished archive like the first one
    [ ! -e "$tmp/made.partial" ] && verb verify archive="$tmp/made" "$@" && [ ! -e "$tmp/made/ledger.jsonl" ]
}
again() { rm -rf "$tmp/made"; }
for point in copy_batch:4 copy_file:1 copy_file:9; do
    start_log
    ok "create killed at $point" killed_create $point jobs=1
    kept=$(grep -c '"kind": "file"' "$tmp/made.partial/ledger.jsonl")
    ok "keeps files" test "$kept" -ge "$([ $point = copy_file:9 ] && echo 9 || echo 0)"
    said=$(create jobs=3)
    ok "it goes on behind its $kept files" says '"large_objects":16,.*"rows":4059,.*"warnings":\[\]' "$said"
    ok "no part that was done is read twice" test "$(repeated | wc -l)" -le "$([[ $point = copy_batch:* ]] && echo 1 || echo 0)"
    ok "to a whole archive" whole
    ok "with the same files" diff <(files "$tmp/made" | sort) "$tmp/files"
    again
done
ok "which left nothing behind" nothing_left
ok "create killed when all is there" killed_create archive_publish
said=$(create)
ok "is done again" says '"rows":4059' "$said"
ok "to a whole archive" whole
again
killed_create copy_file:9 key_file="$tmp/key" jobs=1
said=$(create key_file="$tmp/key")
ok "an encrypted one goes on with its files" says '"resumed_parts":[1-9].*"rows":4059' "$said"
ok "to a whole archive" whole key_file="$tmp/key"
again
killed_create copy_file:9 key_file="$tmp/key" jobs=1
said=$(create key_file="$tmp/other.key")
ok "not with files of another key" says '"resumed_parts":0.*"rows":4059' "$said"
ok "to a whole archive" whole key_file="$tmp/other.key"
again
killed_create copy_file:9 jobs=1
truncate -s -1 "$(find "$tmp/made.partial/data" -name '*.zst' | tail -1)"
said=$(create)
ok "nor with a file that is not what it was" says '"resumed_parts":0.*"rows":4059' "$said"
ok "to a whole archive" whole
again
killed_create copy_file:9 jobs=1
kill -KILL "$(keepers)"
until_true 20 no_keeper
said=$(create)
ok "nor after its snapshot is lost, which it says" says '"resumed_parts":0.*"warnings":\["the snapshot of copy .made. was lost' "$said"
ok "to a whole archive" whole
again
ok "create killed at any moment" random_kills create 4 source="$source_dsn" to="$tmp/made" resume=made $small
ok "it ends whole" whole
for point in copy_schema:1 copy_batch:9 copy_objects:2 copy_part:5 copy_ending:1; do
    target=$(fresh resume_restore)
    CLONER_FAULT=$point verb restore archive="$archive" target="$target" resume=archived jobs=2 >/dev/null 2>&1
    parts=$(marks "$target" part)
    said=$(verb restore archive="$archive" target="$target" resume=archived jobs=2)
    ok "restore killed at $point goes on behind $parts parts" says "\"resumed_parts\":$parts,.*\"rows\":4059" "$said"
    ok "the copy is the source" same_sorted "$target"
    ok "without a mark" unmarked "$target"
done
target=$(fresh resume_restore)
ok "killed at any moment" random_kills restore 4 archive="$archive" target="$target" resume=random
ok "it ends as the source" same_sorted "$target"

# ---------------------------------------------------------------- as operators do it

target=$(fresh resume_copydb)
copydb() { "$CLONER" "$root/scripts/copydb.lua" source="$source_dsn" target="$target" mask=no resume=by-hand 2>&1; }
said=$(CLONER_FAULT=copy_part:5 copydb)
ok "copydb is killed behind some parts" test "$(marks "$target" part)" -ge 5
said=$(copydb)
ok "and goes on when it is run again" says 'tables, 4059 rows' "$said"
ok "its copy is the source" same_sorted "$target"

# ---------------------------------------------------------------- what cannot go on

target=$(fresh resume_lost)
killed copy_part:5 "$target" lost jobs=1 $small >/dev/null
kill -KILL "$(keepers)"
until_true 20 no_keeper
said=$(stream "$target" lost jobs=1 $small)
ok "a half copy of a lost snapshot is refused" says '"class":"conflict","code":"E_SNAPSHOT_LOST".*was killed.*drop the target' "$said"
said=$(stream "$(fresh resume_lost)" lost jobs=1 $small)
ok "made anew it begins again and says so" says '"resumed_parts":0.*"warnings":\["the snapshot of copy .lost. was lost' "$said"
ok "with the new snapshot" nothing_left

target=$(fresh resume_lost)
killed copy_part:5 "$target" mine jobs=1 $small >/dev/null
said=$(stream "$target" other)
ok "another copy does not go on with it" says '"code":"E_NOT_EMPTY".*unfinished copy, .mine.' "$said"
said=$(verb stream source="$source_dsn" target="$target")
ok "nor does one without a name" says '"code":"E_NOT_EMPTY".*unfinished copy, .mine.' "$said"
said=$(stream "$target" mine mask_domain=sink.test $small)
ok "nor one with another mask" says '"code":"E_SNAPSHOT_LOST".*other options' "$said"
said=$(verb create source="$target" to="$tmp/half")
ok "a half copy is no source" says '"code":"E_UNFINISHED"' "$said"
for key in mine other; do verb forget key=$key >/dev/null; done

busy() { # a second process at the same target, and at the same name
    local target run said
    target=$(fresh resume_busy)
    sql "$target" -c 'SELECT pg_advisory_lock(1668050798, 1)' -c 'SELECT pg_sleep(60)' >/dev/null 2>&1 &
    run=$!
    until_true 20 test_locked || return 1
    said=$(stream "$target" busy)
    kill "$run"
    says '"class":"conflict","code":"E_TARGET_BUSY"' "$said"
}
test_locked() { [ "$(sql "$TEST_DSN" -c "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1")" -ge 1 ]; }
ok "a target that somebody fills is refused" busy
verb forget key=busy >/dev/null

ok "nothing is left at the end" nothing_left

finish
