#!/usr/bin/env bash
# The command line: what bad input gets, exit codes, --json, where the configuration is found, what
# a tenant's file changes.
set -u
# shellcheck source=tests/engine/lib.sh
. "$(dirname "$0")/lib.sh"
begin engine_cli
cd "$here/../.." || exit 1
knobs=$scripts/knobs.lua

# bad CODE PATTERN ARGS...
bad() {
    local code=$1 pattern=$2
    shift 2
    run "$@"
    is "$*: exit code" "$status" "$code"
    like "$*: message" "$err" "$pattern"
}

bad 1 "no journal: .cloner init. makes it" list
run init
is "init makes the journal" "$status|$out" "0|the journal is ready (1 migration applied)"
run init
is "twice is harmless" "$status|$out" "0|the journal is up to date"

# --- typing
bad 2 "did you mean 'plan'" plna
bad 2 "neither a verb nor a script" frobnicate
bad 2 "no script 'no/such.lua'" no/such.lua
bad 2 "must end in .lua" run "$dir"
bad 2 "no option '--jsn'.*--json" run --jsn "$knobs"
bad 2 "needs a DSN" list --journal
bad 2 "no log level" list --log-level loud
bad 2 "usage: cloner undo RUN" undo
bad 2 "one too many" show a b
bad 2 "there is no run 'abcdef'" show abcdef
bad 2 "not a run's id" show 'x%'
bad 2 "unknown parameter 'kye': did you mean 'key'" "$knobs" kye=1
bad 2 "missing parameter: give key=" "$knobs"
bad 2 "not a parameter" "$knobs" key
bad 2 "given twice" "$knobs" key=1 key=2
bad 2 "do not begin with '_'" "$knobs" _key=1
bad 2 "bad=perhaps: yes or no" "$knobs" key=1 bad=perhaps
bad 2 "Cust12345" "$scripts/tenant.lua" target=Bust1
bad 3 "refused: the target is not a test environment" "$knobs" key=1 bad=yes

# --- scripts
printf 'local x = = 1\n' > "$dir/syntax.lua"
bad 2 "syntax.lua:1:" "$dir/syntax.lua"
printf 'local function f() error("broken") end\nlocal function g() f() return 1 end\ng()\n' > "$dir/error.lua"
bad 1 "error.lua:1: broken" "$dir/error.lua"
like "an error at run time has a traceback" "$err" "error.lua:3"
printf 'print(io)\n' > "$dir/global.lua"
bad 1 "'io' is not available to scripts" "$dir/global.lua"
printf 'local P = ...\nprint(P.word)\nreturn 3\n' > "$dir/plain.lua"
run "$dir/plain.lua" word="two words" --
is "a plain script gets its parameters and gives its exit code" "$status|$out" "3|two words"
printf 'while true do end\n' > "$dir/loop.lua"
CLONER_SLICE_MS=100 run "$dir/loop.lua"
is "an endless loop ends" "$status" 1

# --- the journal and the configuration
cd "$dir" && mv cloner.conf else.conf
CLONER_CONFIG='' bad 2 "no journal: give --journal" list
mv else.conf cloner.conf
CLONER_CONFIG='' run list
is "./cloner.conf is found" "$status" 0
cd - > /dev/null || exit 1
CLONER_CONFIG=/no/such.conf bad 2 "no configuration '/no/such.conf'" list
printf 'return { journal = os.exit() }\n' > "$dir/bad.conf"
bad 2 "no globals: 'os'" list --config "$dir/bad.conf"
printf 'return {\n' > "$dir/bad.conf"
bad 2 "bad.conf:" list --config "$dir/bad.conf"
bad 1 "the journal cannot be opened" list --journal "host=127.0.0.1 port=1 connect_timeout=2"
run list
is "an empty journal" "$status|$out" "0|no runs yet"
run resume
is "nothing to resume" "$status" 2

# --- help and version
run help
is "help" "$status" 0
like "lists the verbs" "$out" "cloner resume"
run help resume
like "help on a verb lists its options" "$out" "--script FILE"
run resume --help
like "so does --help" "$out" "--script FILE"
run help exit-codes
like "the exit codes are documented" "$out" "  4  paused"
run version
like "version" "$out" "^cloner [0-9]"

# --- plan
run plan "$knobs" key=7
is "plan" "$status" 0
like "names each step's file" "$out" "  2  two .*knobs.lua:[0-9]+"
is "and starts nothing" "$(sql "SELECT count(*) FROM cloner.run")" 0
run plan "$knobs" key=7 bad=yes
is "plan refuses what a run would" "$status" 3
run plan --json "$knobs" key=7
like "plan --json" "$out" '"step":"three"'
# A plan once repeated connection strings as they were given, with their passwords (P7).
run plan scripts/copydb.lua source='host=127.0.0.1 port=1 password=hush1' target='postgres://u:hush2@127.0.0.1:1/x'
is "plan shows connection strings without their passwords" "$(grep -c hush <<<"$out$err")" 0
like "but shows them" "$out" "source = host=127.0.0.1"
run --json scripts/copydb.lua source='host=127.0.0.1 port=1 password=hush1' target='postgres://u:hush2@127.0.0.1:1/x'
is "and so do the events of a run" "$(grep -c hush <<<"$out$err")" 0
run plan "$scripts/tenant.lua" target=Cust7
like "plan shows what a tenant's file skips" "$out" "skipped: not for this one"
like "and where its steps come from" "$out" "  3  c .*tenants/Cust7.lua:[0-9]+"

# --- a tenant's file
run "$scripts/tenant.lua" target=Cust7
like "defaults, replaced and added steps of a tenant's file" "$out" "^own$"
like "replace" "$out" "^other b$"
like "after" "$out" "^  3  done .* c$"
run "$scripts/tenant.lua" target=Cust8
like "other tenants see none of it" "$out" "^plain$"

# --- reading the journal
run "$knobs" key=read
id=$(sql "SELECT run_id FROM cloner.run")
run list
like "list" "$out" "$id .* succeeded +3/3"
run list --json
like "list --json" "$out" '"result":"succeeded"'
run show
like "show" "$out" "done .* two"
run show "${id: -6}" --json
like "show --json, by the end of an id" "$out" "\"run\":\"$id\""
run --json "$knobs" key=json
like "--json: one object an event" "$out" '"event":"step_done"'
is "every line is one" "$(grep -vc '^{.*}$' "$dir/out")" 0

# --- what is stored of the scripts
mkdir -p "$dir/own/lib/deep" "$dir/own/.hidden" "$dir/own/demo"
cat > "$dir/own/own.lua" <<'LUA'
local helper = require "lib.deep.helper"
local P = require("procedure").new { name = "own" }
P:step { "a", run = function(run) return helper(run) end }
return P
LUA
echo 'return function(run) return { id = run.id } end' > "$dir/own/lib/deep/helper.lua"
echo 'broken(' | tee "$dir/own/.hidden/x.lua" "$dir/own/demo/x.lua" > "$dir/own/notes.txt"
run "$dir/own/own.lua"
is "modules of the bundle are found in folders" "$status" 0
is "every script below the entry's folder is pinned, but hidden ones and demo/" \
    "$(sql "SELECT string_agg(path, ' ' ORDER BY path) FROM cloner.script_bundle_module JOIN cloner.run USING (bundle_hash) WHERE name = 'own'")" \
    "lib/deep/helper.lua own.lua"
is "by the hash of its bytes" "$(sql "SELECT blob_hash FROM cloner.script_bundle_module WHERE path = 'lib/deep/helper.lua'")" \
    "$(sha256sum < "$dir/own/lib/deep/helper.lua" | cut -d' ' -f1)"
echo 'return require "cycle_a"' > "$dir/own/own2.lua"
echo 'return require "cycle_b"' > "$dir/own/cycle_a.lua"
echo 'return require "cycle_a"' > "$dir/own/cycle_b.lua"
bad 1 "module 'cycle_a' requires itself" "$dir/own/own2.lua"
head -c 1100000 /dev/zero | tr '\0' '-' > "$dir/own/big.lua"
bad 2 "big.lua' is larger than" "$dir/own/own.lua"
rm -r "$dir/own"

# --- durable parameters hold no secrets
printf 'local P = require("procedure").new{name="x", params={d="dsn"}}\nP:step{"a", run=function() end}\nreturn P\n' > "$dir/dsn.lua"
bad 2 "holds a password" "$dir/dsn.lua" "d=host=x password=y"
done_testing
