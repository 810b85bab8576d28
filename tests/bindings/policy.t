#!/usr/bin/env bash
# scripts/mask.lua: what a policy may say, that whatever is wrong in it is told by file, line, table and
# column, `strict`, and what scripts/mask_plan.lua shows: no address of the source. And that every script
# goes by it.
set -u

cd "$(dirname "$0")/../.." || exit 1
folder=$TEST_TMP/policy.$$
out=$folder/out err=$folder/err

# shellcheck source=tests/bindings/tap.sh
. tests/bindings/tap.sh

database=policy_$$ copied=policy_copied_$$
dsn="$TEST_DSN dbname=$database" copy="$TEST_DSN dbname=$copied"
sql() { psql -X -q -v ON_ERROR_STOP=1 "$@"; }
# shellcheck disable=SC2317 # called by the trap
drop() {
    sql "$TEST_DSN" -c "drop database if exists $database with (force)" \
        -c "drop database if exists $copied with (force)" 2>/dev/null
}
trap 'drop; rm -rf "$folder"' EXIT

mkdir -p "$folder"
cp -r scripts "$folder/scripts"
rm -rf "$folder/scripts/demo"
# A sample platform that may be up here has nothing to say.
echo 'return {}' >"$folder/cloner.conf"
export CLONER_CONFIG=$folder/cloner.conf
sql "$TEST_DSN" -c "create database $database" || exit 1
sql "$dsn" <<'SQL'
create schema crm;
create table crm.person (id int primary key, name text, mail varchar(80), notes jsonb, photo bytea);
create table crm.login (id int primary key, who text);
create table crm.large (id int, words text);
insert into crm.person values (1, 'Kari Nordmann', 'kari.nordmann@firma.example', '{"cc": "Ola\u0040firma.example"}', ''),
    (2, 'Ola', 'ola@firma.example', null, null), (3, 'Per', null, '{}', null);
insert into crm.login values (1, 'kari.nordmann@firma.example');
insert into crm.large select i, case i % 7 when 0 then 'to siri' || i || '@firma.example' else repeat('x ', 800) end
    from generate_series(1, 30000) i;
SQL

# policy [ENTRIES] <LINES: writes a policy whose entries begin in line 4
policy() {
    {
        echo 'local p, mask = require "policy", require "mask"'
        echo 'local allow, column, empty, keep, key, mode, sink, strict = p.allow, p.column, p.empty, p.keep, p.key, p.mode, p.sink, p.strict'
        echo 'return function(c) return {'
        cat
        echo '} end, allow, column, empty, keep, key, mode, sink, strict, mask'
    } >"$folder/scripts/${1:-mask}.lua"
}

# run SCRIPT NAME=VALUE...
run() {
    local script=$1
    shift
    "$CLONER" "$folder/scripts/$script" "$@" >"$out" 2>"$err"
    code=$?
}

plan() { run mask_plan.lua source="$dsn" "$@"; }

# refused WHAT PATTERN <LINES
refused() {
    policy
    plan
    is "$1: refused" "$code" 1
    has "$1: says where" "$err" "$2"
}

# ---- what is wrong, and where ---------------------------------------------------------------------

refused "a table that is not there" 'scripts/mask.lua:5: empty crm.logon: there is no table crm.logon' <<'LUA'
  sink(c.mail_domain),
  empty { "crm.login", "crm.logon", reason = "sessions" },
LUA
refused "a column that is not there" 'mask.lua:4: keep crm.person.email: there is no column email in crm.person' <<'LUA'
  keep { "crm.person.email", values = { "a@b.example" }, reason = "why not" },
LUA
refused "no reason" 'mask.lua:5: empty crm.login gives no reason' <<'LUA'

  empty { "crm.login" },
LUA
refused "nor an empty one" 'mask.lua:4: keep crm.person.mail gives no reason' <<'LUA'
  keep { "crm.person.mail", values = {}, reason = "" },
LUA
refused "no values" 'mask.lua:4: keep crm.person.mail needs values' <<'LUA'
  keep { "crm.person.mail", reason = "all of them" },
LUA
refused "no schema" "mask.lua:4: 'person.mail' is not schema.table.column" <<'LUA'
  keep { "person.mail", values = { "a@b.example" }, reason = "why not" },
LUA
refused "a word it does not know" "mask.lua:4: empty has no 'because'" <<'LUA'
  empty { "crm.login", because = "sessions" },
LUA
refused "what the rules refuse" 'mask.lua:5: allow x@y.example: ' <<'LUA'
  allow { "firma.example", reason = "ours" },
  allow { "x@y.example", reason = "not a domain" },
LUA
refused "no method" 'mask.lua:4: column crm.person.name needs as' <<'LUA'
  column { "crm.person.name" },
LUA
refused "a method that is not there" 'mask.lua:5: column crm.person.name: .*frist_name' <<'LUA'
  key "sixteen bytes or more",
  column { "crm.person.name", as = mask.fake "frist_name" },
LUA
refused "a method without its key" 'mask.lua:4: column crm.person.name: .*key' <<'LUA'
  column { "crm.person.name", as = mask.hash() },
LUA
refused "options that are none" 'mask.lua:4: column crm.person.name: .*mask.lua:4: crm.person.name: .*takes a table' <<'LUA'
  column { "crm.person.name", as = mask.partial "first" },
LUA
refused "a function within JSON" "mask.lua:4: column crm.person.notes: .*mask.lua:5: crm.person.notes: path '[$].cc': a function" <<'LUA'
  column { "crm.person.notes",
    as = mask.json { ["$.cc"] = mask.lua(function(value) return value end) } },
LUA
refused "a mode that is not there" "mask.lua:4: mode dmain: there is no mode 'dmain'" <<'LUA'
  mode "dmain",
LUA
refused "no domain for a sink" 'mask.lua:4: sink nodot: ' <<'LUA'
  sink "nodot",
LUA
refused "the same column twice" 'mask.lua:5: keep crm.person.mail: stands at .*mask.lua:4, too' <<'LUA'
  keep { "crm.person.mail", values = { "a@b.example" }, reason = "why not" },
  keep { "crm.person.mail", values = { "c@d.example" }, reason = "why not" },
LUA
refused "a word of the context that is not there" "mask.lua:4: the context has no 'hostd'" <<'LUA'
  allow { c.hostd, reason = "a slip" },
LUA
refused "no entry" "mask.lua: what it returns must be a list of entries: 'sink' is none" <<'LUA'
  sink = "test.example",
LUA
echo 'return 7' >"$folder/scripts/mask.lua"
plan
has "not a policy at all" "$err" 'mask.lua: must return function'

# ---- methods and modes ---------------------------------------------------------------------------

policy <<'LUA'
  mode "invalid",
  key "sixteen bytes or more",
  column { "crm.person.name", as = mask.fake "company" },
  column { "crm.large.words", as = mask.partial { first = 2 } },
  column { "crm.large.id", as = mask.noise { percent = 10 } },
  column { "crm.person.mail", as = mask.lua(function(value) return "x" .. #value end) },
LUA
plan
has "a column with a method" "$out" 'crm.person.name +fake \(.*mask.lua:6\), 3 of 3 in the sample: K\*\*\* N\*\*\* -> [^*]+$'
has "whose result may hold a part of the value" "$out" 'crm.large.words +partial \(.*\), [0-9]+ of 200 in the sample: .*\*\*\*$'
has "or that a function makes" "$out" 'crm.person.mail +script \(.*mask.lua:9\), 2 of 2 in the sample: k\*\*\* -> x\*\*\*$'
has "or that holds no text" "$out" 'crm.large.id +noise \(.*mask.lua:8\)'
has "the others are swept, in the mode's way" "$out" 'crm.login.who +swept, 1 of 1 in the sample: k\*\*\*@f\*\*\*.example -> k\*\*\*@masked.invalid'
is "and again nothing of the source is shown" "$(cat "$out" "$err" | grep -ciE 'nordmann|siri[0-9]|firma')" 0

# ---- what it says ----------------------------------------------------------------------------------

policy <<'LUA'
  sink(c.mail_domain),
  allow { c.hosted, reason = "there is none here" },
  keep { "crm.person.mail", values = { "ola@firma.example" }, reason = "he tests" },
  keep { "crm.person.name", values = c.sign_in_names, reason = "nobody" },
  empty { "crm.login", reason = "sessions" },
LUA
plan
is "a plan" "$code" 0
has "a column swept" "$out" 'crm.person.mail +swept, 1 of 2 in the sample: k\*\*\*@f\*\*\*\.example -> k\*\*\*@mailinator.com'
has "with values that stay" "$out" 'crm.person.mail .*1 value\(s\) stay: he tests \(.*mask.lua:6\)'
has "within JSON" "$out" 'crm.person.notes +swept, 1 of 2 in the sample: O\*\*\*@f'
has "a column without addresses" "$out" 'crm.person.name +swept, none of 3 in the sample$'
has "a table that stays empty" "$out" 'crm.login +empty: sessions \(.*mask.lua:8\)'
has "a sample of a large table" "$out" 'crm.large.words +swept, [0-9]+ of 200 in the sample: s\*\*\*@f'
is "and no address of the source, nor a part of one" "$(cat "$out" "$err" | grep -ciE 'nordmann|ola@|siri[0-9]|firma')" 0
plan format=json
is "nor as JSON" "$code $(cat "$out" "$err" | grep -ciE 'nordmann|siri[0-9]|firma')" "0 0"
plan table=crm.large
is "of one table" "$(grep -c '^crm' "$out")" 1

# ---- one target's own ------------------------------------------------------------------------------

mkdir -p "$folder/scripts/tenants"
policy tenants/Cust7.mask <<'LUA'
  sink "own.example",
  empty { "crm.large", reason = "not needed by " .. c.target },
LUA
plan tenant=Cust7
has "a target's own file adds to it" "$out" 'crm.large +empty: not needed by Cust7 \(.*tenants/Cust7.mask.lua:5\)'
has "and changes it" "$out" 'k\*\*\*@own.example'
has "what it does not speak of stays" "$out" 'crm.login +empty: sessions'
plan tenant=Cust8
has "others see none of it" "$out" 'crm.large.words +swept'
echo 'return function(P) P.params.mail_domain.default = "nine.example" end' >"$folder/scripts/tenants/Cust9.lua"
plan tenant=Cust9
has "a default of the tenant's own holds here, too" "$out" 'crm.person.mail +swept, .* -> k[*]+@nine.example'
plan tenant=Cust9 mail_domain=given.example
has "unless another is given" "$out" 'crm.person.mail +swept, .* -> k[*]+@given.example'
plan tenant=9
is "a tenant has a tenant's name" "$code" 2

# ---- strict -----------------------------------------------------------------------------------------

"$CLONER" "$folder/scripts/mask_columns.lua" source="$dsn" >"$folder/scripts/mask_seen.lua" 2>"$err"
is "the columns are listed" "$(grep -c '^  "crm' "$folder/scripts/mask_seen.lua")" 6
has "with a hash" "$folder/scripts/mask_seen.lua" 'sha256 [0-9a-f]{64}$'
policy <<'LUA'
  strict(require "mask_seen"),
  empty { "crm.login", reason = "sessions" },
LUA
plan
is "with all of them seen a plan is made" "$code" 0
sql "$dsn" -c "alter table crm.person add phone text, add age int" -c "alter table crm.login add token text" \
    -c "alter table crm.person alter notes type text"
plan
is "a column that no rule has seen stops it" "$code" 1
has "by file and line" "$err" 'mask.lua:4: strict: 2 column\(s\) that no rule has seen'
is "and they are listed, one a line" "$(grep -E '^  crm' "$err" | tr '\n' ';')" "  crm.person.notes text;  crm.person.phone text;"
policy <<'LUA'
  strict(require "mask_seen"),
  empty { "crm.login", reason = "sessions" },
  keep { "crm.person.phone", values = { "+47 1" }, reason = "the switchboard" },
  keep { "crm.person.notes", values = { "-" }, reason = "nothing" },
LUA
plan
is "a rule that names it has seen it" "$code" 0
mkfifo "$folder/hold"
sql "$dsn" <"$folder/hold" >/dev/null &
holder=$!
exec 9>"$folder/hold"
echo "begin; lock table crm.large in access exclusive mode;" >&9
locked() { [ "$(sql "$dsn" -At -c "select count(*) from pg_locks where mode = 'AccessExclusiveLock' and granted
    and relation = 'crm.large'::regclass")" = 1 ]; }
for _ in $(seq 300); do
    ! locked || break
    sleep 0.1
done
plan
is "a table that is locked is not waited for" "$code" 1
has "but named" "$err" 'another session has locked crm.large for more than 5 s'
exec 9>&-
wait "$holder"

# ---- every script goes by it --------------------------------------------------------------------------

sql "$dsn" -c "drop table crm.large" -c "alter table crm.person drop phone"
sql "$TEST_DSN" -c "create database $copied"
policy <<'LUA'
  sink(c.mail_domain),
  keep { "crm.person.mail", values = { "ola@firma.example" }, reason = "he tests" },
  empty { "crm.login", reason = "sessions" },
  key "sixteen bytes or more",
  column { "crm.person.name", as = mask.fake "company" },
LUA
policy tenants/Cust7.mask <<'LUA'
  allow { "own.example", reason = "they may" },
LUA
cat >"$folder/scripts/hash.lua" <<'LUA'
local policy, params = require "policy", ...
print(policy.read { mail_domain = params.mail_domain or policy.MAIL_DOMAIN, target = params.tenant }.rules:hash())
LUA
# certified NAME=VALUE...: the copy's certificate is by the policy's rules
certified() {
    local wanted
    wanted=$("$CLONER" "$folder/scripts/hash.lua" "$@")
    run scan.lua target="$copy" format=json "$@"
    is "a certificate is by the rules of the policy: $*" "$(grep -oE '"hash": ?"[0-9a-f]+"' "$out" | grep -oE '[0-9a-f]{64}')" "$wanted"
}

run check.lua source="$dsn"
is "check.lua finds nothing against a copy" "$code" 0
has "in the tables that would be copied" "$out" 'read +1 tables, 3 rows'
run copydb.lua source="$dsn" target="$copy"
is "copydb.lua makes it" "$code" 0
is "with what is kept, and without what is not copied" "$(sql "$copy" -At -c "select (select count(*) from crm.login),
    string_agg(mail, ' ' order by id) from crm.person")" "0|kari.nordmann_firma.example@mailinator.com ola@firma.example"
is "by the methods of columns" "$(sql "$copy" -At -c "select count(*) from crm.person where name ~ 'Kari|Ola|Per'")" 0
run compare.lua source="$dsn" target="$copy"
is "compare.lua knows it for that" "$code" 0
run compare.lua source="$dsn" target="$copy" mask=no
is "and as it is not the source" "$code" 1
run compare.lua source="$dsn" target="$copy" mail_domain=other.example
is "nor one of another domain" "$code" 1
run scan.lua target="$copy"
is "scan.lua lets pass what is kept" "$code" 0
has "and says so" "$out" 'kept +1 in crm.person.mail: he tests'
run scan.lua target="$dsn"
is "and no more" "$code" 1
has "but tables that are not to be copied" "$out" 'LEAK +1 in crm.login.who'
certified
certified mail_domain=other.example
certified tenant=Cust7
certified tenant=Cust7 mail_domain=other.example

sed -i 's/crm.login/crm.logon/' "$folder/scripts/mask.lua"
run check.lua source="$dsn"
is "a table that is not there is refused by check.lua" "$code" 1
has "by its line" "$err" 'mask.lua:6: empty crm.logon: there is no table crm.logon'
run copydb.lua source="$dsn" target="$copy"
is "and by copydb.lua" "$code" 3
has "before the target is looked at" "$err" 'mask.lua:6: empty crm.logon: there is no table crm.logon'
sed -i 's/crm.logon/crn.login/' "$folder/scripts/mask.lua"
run check.lua source="$dsn"
is "nor does a schema get lost" "$code" 1
has "that is misspelt" "$err" 'mask.lua:6: empty crn.login: there is no table crn.login'
policy <<'LUA'
  sink "shop.example",
  empty { "shop.login", reason = "sessions" },
  column { "base.name.first", as = mask.null() },
LUA
run check.lua source="$dsn"
is "a policy for another database has no say about tables here" "$code" 0
has "which is told" "$err" 'is for a database with schema base, shop: this one has none'
run copydb.lua source="$copy" target="$copy" check=no
has "once" "$err" 'is for a database with schema base, shop: this one has none'
plan
has "but about the sink" "$out" 'crm.person.mail +swept, .* -> k[*]+@shop.example'

finish
