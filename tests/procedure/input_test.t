#!/usr/bin/env bash
# What bad input gets: a message that names the thing and the way out, the right exit code, and
# nothing changed. Scripts that break, passwords that are wrong, servers that do not fit, archives
# that were damaged, disks that are full, tenants at work already.
# deadline_s: 300
set -eu

# shellcheck source=tests/procedure/platform.sh
. "$(dirname "$0")/platform.sh"
: "${SCALE:=0.1}"
platform_open input
cp -r "$root/scripts" "$demo/scripts"
rm -rf "$demo/scripts/demo"
script=$demo/scripts/clone.lua
pair=("source=$source_ctx" "target=$target_ctx")

print_target >"$demo/before"
unchanged() {
    print_target >"$demo/after"
    same "$1: the test environment is what it was" "$demo/before" "$demo/after"
}
runs() { in_journal "select count(*) from cloner.run"; }

# refused WHAT EXIT-CODE REGEX ARGUMENT...: and no run was made
refused() {
    local what=$1 wanted=$2 message=$3 before
    shift 3
    before=$(runs)
    cloner "$@"
    is "$what: exit code" "$code" "$wanted"
    like "$what: says what and where" "$(cat "$out")" "$message"
    is "$what: no run" "$(runs)" "$before"
}

# paused WHAT REGEX: the run just made waits for the operator and says how to go on
paused() {
    run=$(newest_run)
    is "$1: paused" "$code" 4
    like "$1: says what and where" "$(cat "$out")" "$2"
    like "$1: says how to go on and back" "$(cat "$out")" "cloner resume $run.*cloner cancel $run"
}

# resumed WHAT: it completes, and the environment is live
resumed() {
    cloner resume "$run"
    is "$1" "$code" 0
    [ "$code" -eq 0 ] || sed 's/^/# /' "$out"
    is "$1: live" "$(in_registry "select state from registry.customer where ctx = '$target_ctx'")" 2
}

# cancelled WHAT: everything is undone
cancelled() {
    cloner cancel "$run"
    is "$1: cancelled" "$code" 0
    unchanged "$1"
}

# with_line FILE LINE: a copy of the scripts' FILE, begun with that line
with_line() { sed "1i $2" "$root/scripts/$1" >"$demo/scripts/$1"; }
mended() { cp "$root/scripts/$1" "$demo/scripts/$1"; }

cloner init

# ---- what is typed ---------------------------------------------------------------------------------

refused "an unknown verb" 2 "did you mean 'resume'" resmue
refused "an unknown script" 2 "no script '$demo/scripts/clones.lua'" "$demo/scripts/clones.lua" "${pair[@]}"
refused "an unknown parameter" 2 "unknown parameter 'targetx': did you mean 'target'" "$script" source=$source_ctx targetx=$target_ctx
refused "an unknown source" 3 "the registry knows no tenant Cust1" "$script" source=Cust1 target=$target_ctx
refused "an unknown target" 3 "the registry knows no tenant Cust1" "$script" source=$source_ctx target=Cust1
refused "source and target the same" 3 "source and target are both $target_ctx" "$script" source=$target_ctx target=$target_ctx
refused "production as the target" 3 "Cust26761 is not a test environment of $source_ctx: .*it is no test" \
    "$script" source=$source_ctx target=Cust26761

# ---- scripts ----------------------------------------------------------------------------------------

with_line platform/mail.lua 'local x = = 1'
refused "a syntax error" 2 "platform/mail.lua:1: unexpected symbol near '='" "$script" "${pair[@]}"
with_line platform/mail.lua 'local x = nil; local y = x.field'
refused "an error at run time" 1 \
    "platform/mail.lua:1: attempt to index a nil value.*platform/mail.lua:1: in main chunk.*scripts/clone.lua:[0-9]+: in" \
    "$script" "${pair[@]}"
with_line platform/mail.lua 'io.write "hello"'
refused "a forbidden global" 1 "platform/mail.lua:1: the global 'io' is not available" "$script" "${pair[@]}"
with_line platform/mail.lua 'while true do end'
CLONER_SLICE_MS=300 refused "an endless loop" 1 "platform/mail.lua:1: ran for 300 ms without waiting" "$script" "${pair[@]}"
mended platform/mail.lua
sed 's/^function M.preflight(ctx)$/&\n  local broken = ctx.params.target.field.field/' "$root/scripts/wizard.lua" >"$demo/scripts/wizard.lua"
refused "a preflight that breaks" 1 "wizard.lua:[0-9]+: attempt to index.*wizard.lua:[0-9]+: in" "$script" "${pair[@]}"
mended wizard.lua

# The same inside a step: the run waits, and goes on with the script that was mended.
in_step() {
    sed "s/^local function drain(run)\$/&\n  $1/" "$root/scripts/clone.lua" >"$script"
    clone
    mended clone.lua
}
in_step 'local x = run.params.target.field.field'
paused "an error in a step" "enter_maintenance.*clone.lua:[0-9]+: attempt to index.*clone.lua:[0-9]+: in upvalue 'drain'.*clone.lua:[0-9]+: in"
cancelled "an error in a step"
in_step 'os.execute("true")'
paused "a forbidden global in a step" "enter_maintenance.*clone.lua:[0-9]+: the global 'os' is not available"
cancelled "a forbidden global in a step"
CLONER_SLICE_MS=400 in_step 'while true do pcall(error) end'
paused "an endless loop in a step" "enter_maintenance.*clone.lua:[0-9]+: ran for 400 ms without waiting.*clone.lua:[0-9]+: in upvalue 'drain'"
cloner resume --script "$script" "$run"
is "and goes on with the script that was mended" "$code" 0
platform_reset
cloner init

# ---- passwords --------------------------------------------------------------------------------------

echo a-wrong-word >"$demo/wrong"
# wrong LINE-REGEX SECRET: a configuration whose lines like that name a wrong password
wrong() { sed "/$1/ s|file:$secrets/$2|file:$demo/wrong|" "$config" >"$demo/wrong.conf"; }
wrong 'journal =' prod1-cloner
refused "a wrong password for the journal" 1 "the journal cannot be opened: .*password authentication failed" \
    --config "$demo/wrong.conf" "$script" "${pair[@]}"
wrong 'registry =' prod1-cloner
refused "a wrong password for the registry" 3 "password authentication failed.*mend dsn or password of registry" \
    --config "$demo/wrong.conf" "$script" "${pair[@]}"
wrong ' prod1 = { dsn' prod1-cloner
refused "a wrong password for production" 3 "password authentication failed.*mend dsn or password of clusters.prod1" \
    --config "$demo/wrong.conf" "$script" "${pair[@]}"
wrong ' test1 = { dsn' test1-cloner
refused "a wrong password for the test cluster" 3 "password authentication failed.*mend dsn or password of clusters.test1" \
    --config "$demo/wrong.conf" "$script" "${pair[@]}"
is "no password is in any message" "$(grep -c a-wrong-word "$out")" 0
wrong ' client_secret =' superid-client
refused "a wrong secret for SuperId" 3 "no token for 'cloner': invalid_client" --config "$demo/wrong.conf" "$script" "${pair[@]}"
rm "$demo/wrong"
refused "a password file that is not there" 3 "$demo/wrong: No such file" --config "$demo/wrong.conf" "$script" "${pair[@]}"

# ---- servers that do not fit ------------------------------------------------------------------------

# pg_dump refuses servers newer than itself; these are one version older than ours.
mkdir "$demo/older"
major=$(prod1 postgres "select current_setting('server_version_num')::int / 10000")
for tool in pg_dump pg_restore; do
    printf '#!/bin/sh\necho "%s (PostgreSQL) %s.1"\n' $tool $((major - 1)) >"$demo/older/$tool"
    chmod 755 "$demo/older/$tool"
done
CLONER_PG_BIN=$demo/older refused "a server too new for pg_dump" 3 \
    "no pg_dump of version $major or newer is installed.*postgresql-client-$major" "$script" "${pair[@]}"
CLONER_PG_BIN=$demo/nowhere refused "no pg_dump at all" 3 "postgresql-client-$major" "$script" "${pair[@]}"

# Nobody has servers that are too old any more: one stands before ours and gives a lower version.
# older CLUSTER VERSION: a configuration with that cluster behind it
older() {
    exec 5> >(exec node "$root/tests/support/pg_older.js" "$(cluster_port "$demo/$1")" "$major" "$2" >"$demo/older.port")
    until [ -s "$demo/older.port" ]; do :; done
    sed "/ $1 = { dsn/ s/port=$(cluster_port "$demo/$1")/port=$(cat "$demo/older.port")/" "$config" >"$demo/older.conf"
}
newest() {
    exec 5>&-
    rm "$demo/older.port"
}
older prod1 11
refused "a source too old" 3 "the source runs PostgreSQL 11.*; 12 is the oldest" --config "$demo/older.conf" "$script" "${pair[@]}"
newest
older test1 $((major - 1))
refused "a target older than the source" 3 \
    "cluster test1 runs PostgreSQL $((major - 1)), older than the $major of $source_ctx.*upgrade it" \
    --config "$demo/older.conf" "$script" "${pair[@]}"
newest
in_source "create table crm7.narrow (mail varchar(20))" "grant select on crm7.narrow to public" \
    "insert into crm7.narrow values ('ola@firma.example')"
unfit='crm7.narrow \(mail\): 1 row does not fit its 20 characters once masked, 25 are needed: widen the column'
refused "a column too narrow for masked addresses" 3 "$unfit" "$script" "${pair[@]}"
refused "and so does a plan" 3 "$unfit" plan "$script" "${pair[@]}"
in_source "drop table crm7.narrow"

unchanged "after all that was refused"

# ---- a tenant at work -------------------------------------------------------------------------------

in_registry "insert into registry.customer_task (ctx, kind, state) values ('$target_ctx', 'Export', 'running')"
print_target >"$demo/before"
"$CLONER" "$script" "${pair[@]}" >"$demo/first.out" 2>&1 &
first=$!
deadline=$((SECONDS + 60))
until [ "$(in_journal "select count(*) from cloner.step where step_key = 'enter_maintenance'")" = 1 ] ||
    [ $SECONDS -ge $deadline ]; do :; done
run=$(newest_run)
refused "a tenant being cloned" 3 "held by run $run.*running .* in process $first" "$script" "${pair[@]}"
cloner cancel "$run"
is "the first can be cancelled from outside" "$code" 0
code=0
wait "$first" || code=$?
is "and says so" "$code" 5
unchanged "a clone cancelled while it waited"
in_registry "delete from registry.customer_task where kind = 'Export'"
print_target >"$demo/before"

# ---- a service that stays down ----------------------------------------------------------------------

fault recycle 503 1000
sed 's/^P:step { "recycle", title = "Recycle customer",/&\n  retry = { attempts = 1 },/' "$root/scripts/clone.lua" >"$script"
clone
paused "a service that stays down" "step 'recycle': .*503"
service DELETE /faults >/dev/null
cancelled "a service that stays down"
mended clone.lua
platform_reset

# ---- a full disk ------------------------------------------------------------------------------------

strategy=archive

# The archive's: a small disk of its own where the system lets us mount one, else a limit on files.
on_small_disk() {
    if unshare -rm true 2>/dev/null; then
        # shellcheck disable=SC2016 # for the inner shell
        unshare -rm sh -c 'mount -t tmpfs -o size=200k tmpfs "$1" && shift && exec "$@"' sh "$demo/archive" "$@"
    else
        (ulimit -f 100 && trap '' XFSZ && exec "$@")
    fi
}
code=0
on_small_disk "$CLONER" "$script" "${pair[@]}" strategy=archive >"$out" 2>&1 || code=$?
paused "no space for the archive" "$demo/archive/$source_ctx-.*(No space left on device|File too large)"
is "no space for the archive: nothing is published" "$(find "$demo/archive" -name manifest.json | wc -l)" 0
is "no space for the archive: nothing is registered" "$(in_registry "select count(*) from registry.archive")" 0
unchanged "no space for the archive"
resumed "with space again, the run completes"
cloner undo "$run"
is "and can be undone" "$code" 0
unchanged "no space for the archive, undone"

# The test cluster's: its files may not grow, as under a quota; WAL fits, a large table does not.
prod1 $source_db "create table crm7.large as select i, repeat(md5(i::text), 60) as filler from generate_series(1, 10000) i" \
    "grant select on crm7.large to cloner" "alter table crm7.large alter filler set storage plain" >/dev/null
limit_test1() { cluster_run "$demo/test1" prlimit --pid "$(cluster_pid "$demo/test1")" "--fsize=$1:"; }
limit_test1 $((17 << 20))
clone
limit_test1 unlimited
paused "no space on the test cluster" "step 'restore': .*crm7.large.*could not (extend|write)"
is "no space on the test cluster: the old database stays" \
    "$(in_target "select count(*) from crm7.large" 2>&1 | grep -c 'does not exist')" 1
resumed "with space again, the restore completes"
is "and all of it is there" "$(in_target "select count(*) from crm7.large")" 10000
platform_reset
prod1 $source_db "drop table crm7.large"

# ---- a damaged archive ------------------------------------------------------------------------------

# damaged WHAT REGEX COMMAND: between the backup and the restore; $archive is its folder
damaged() {
    local what=$1 message=$2 command=$3
    # Killed at the intent of the restore, behind the backup's own five steps.
    CLONER_FAULT=step_intent:10 clone
    run=$(newest_run)
    is "$what: stopped before the restore" "$(in_journal "select step_key from cloner.step
        where run_id = '$run' and state = 'started'")" restore
    archive=$(find "$demo/archive" -mindepth 1 -maxdepth 1 -type d)
    cp -a "$archive" "$demo/good"
    (cd "$archive" && eval "$command")
    cloner resume "$run"
    paused "$what" "step 'restore': .*$message"
    is "$what: the old database stays" "$(test1 postgres "select oid from pg_database where datname = '$target_db'")" "$oid"
    if [ "$what" = "a missing file" ]; then
        rm -rf "$archive"
        cp -a "$demo/good" "$archive"
        resumed "with the file back, the restore completes"
        platform_reset
        print_target >"$demo/before"
        oid=$(test1 postgres "select oid from pg_database where datname = '$target_db'")
    else
        cancelled "$what"
        rm -rf "$demo/archive"/*
    fi
    rm -rf "$demo/good"
}
print_target >"$demo/before"
oid=$(test1 postgres "select oid from pg_database where datname = '$target_db'")
# shellcheck disable=SC2016 # for eval
data='$(ls data/*_crm7.person.*)'
damaged "a missing file" 'the archive lacks data[^ ]*crm7.person' "rm $data"
damaged "a truncated file" 'crm7.person.*truncated' "truncate -s -1 $data"
damaged "an altered file" 'crm7.person.*altered' "printf X | dd of=$data bs=1 seek=500 conv=notrunc status=none"
damaged "an altered manifest" 'manifest.json does not match its checksum' "sed -i 's/crm7/crm8/' manifest.json"

finish
