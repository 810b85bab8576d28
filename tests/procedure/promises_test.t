#!/usr/bin/env bash
# What a hostile, careful operator would try against the promises: configurations that lead to
# production, schemas with doors and addresses in them, names at their limit, secrets left lying about.
# deadline_s: 600
set -eu

# shellcheck source=tests/procedure/platform.sh
. "$(dirname "$0")/platform.sh"
platform_open promises
cp -r "$root/scripts" "$demo/scripts"
rm -rf "$demo/scripts/demo"
script=$demo/scripts/clone.lua
source_fingerprint() { print_source | sha256sum; }
log_of() { cat "$out"; }

# ---- P1: production is never written ----------------------------------------------------------------

# with WHAT MESSAGE SED: the clone is refused under an altered configuration
with() {
    sed "$3" "$config" >"$demo/altered.conf"
    cloner --config "$demo/altered.conf" "$script" source=$source_ctx target=$target_ctx
    is "$1: refused" "$code" 3
    like "$1: says why" "$(log_of)" "$2"
}

# A restored configuration had the test cluster's port wrong: the server it led to was production's,
# where a database of the target's name still stood from before the move.
prod1 postgres "create database $target_db"
with "the test cluster's name leads to production's server" "for tests alone.*server of $source_ctx" \
    "s|test1 = { dsn = \".*|test1 = { dsn = \"$(conf_cluster prod1)\", password = \"file:$secrets/prod1-cloner\" },|"
prod1 postgres "drop database $target_db"
with "a target on a cluster declared read-only" "declares cluster test1 read-only" \
    "s|\(test1 = { dsn = .*secrets/test1-cloner\"\)|\1, readonly = true|"
# Stores of both clusters in one container are fine, one tenant's folder inside the other's is not:
# what step 11 removes from the target's would be the source's.
with "the target's files inside the source's" "templates of $source_ctx .* lie in one another" \
    "s|test1 = \"file://[^\"]*/test1/templates\"|test1 = \"file://$blobs/prod1/templates/$source_ctx\"|"
long=$(printf '%064d' 0)
in_registry "update registry.customer set database_name = '$long' where ctx = '$target_ctx'"
with "a database name that PostgreSQL would cut" "longer than the 63 bytes" ""
in_registry "update registry.customer set database_name = '$target_db' where ctx = '$target_ctx'"

# ---- doors and addresses in the schema ---------------------------------------------------------------

# A tenant kept its invoices behind a foreign server, signed in for everybody: the copy came with the
# same door to the same production database, and stopped at a mapping for a role of the other cluster.
# Its comments, views and functions spoke of people, and the certificate did not say so. Its large
# objects stayed behind, and its comments were not masked.
in_source "create extension postgres_fdw" \
    "create server billing foreign data wrapper postgres_fdw options (host '127.0.0.1', dbname 'registry')" \
    "create role nordlys_app" \
    "create user mapping for public server billing options (user 'cloner', password 'door-key-1')" \
    "create user mapping for nordlys_app server billing options (user 'cloner', password 'door-key-2')" \
    "create foreign table crm7.invoice (id integer, mail text) server billing" \
    "create view crm7.who as select 'kari@nordlys.example'::text as mail" \
    "create function crm7.whom() returns text language sql as \$\$ select 'ola@nordlys.example'::text \$\$" \
    "comment on table crm7.person is 'ask per@nordlys.example'" \
    "select lo_from_bytea(7777, 'ask per@nordlys.example')" \
    "grant select on large object 7777 to cloner" "grant select on crm7.invoice, crm7.who to cloner" >/dev/null
production=$(source_fingerprint)
clone
is "a source with a foreign server is cloned" "$code" 0
[ "$code" -eq 0 ] || sed 's/^/# /' "$out"
is "the copy cannot sign in there" "$(in_target "select count(*) from pg_user_mappings")" 0
like "and says so" "$(log_of)" "2 user mapping"
is "no password of the mapping is on the target's disk" \
    "$(grep -rlaF door-key- "$demo/test1" | wc -l)" 0
is "large objects are masked, too" "$(in_target "select convert_from(lo_get(7777), 'UTF8')")" \
    "ask per_nordlys.example@mailinator.com"
is "so are comments" "$(in_target "select obj_description('crm7.person'::regclass)")" \
    "ask per_nordlys.example@mailinator.com"
for place in "function crm7.whom()" "view definition crm7.who"; do
    if grep -qF "not masked: 1 address(es) in the $place" "$out"; then
        pass "an address is told of: $place"
    else
        fail "an address is told of: $place" "$(log_of)"
    fi
done
is "production is what it was" "$(source_fingerprint)" "$production"

# ---- P2: nothing unmasked after the scan ---------------------------------------------------------------

# A tenant's own step returned a user's address: its marker row, written with the effect, lies in the
# copy's cloner_meta, which the last look before going live passed over.
platform_reset
cat >"$demo/scripts/tenants/$target_ctx.lua" <<'END'
local tenant = require "platform.tenant"
local registry = require "platform.registry"
return function(P)
  P:after("recycle", { "tell", title = "Tell who asked", run = function(run)
    local conn <close> = tenant.open(run.config, registry.customer(run.config, run.params.target))
    return run:transaction(conn, function() return { asked_by = "kari.nordmann@nordlys.example" } end)
  end })
end
END
clone
is "an address in the result of a tenant's own step does not go live" "$code" 4
like "and says where" "$(log_of)" "written after the scan"
is "the test environment stays offline" "$(in_registry "select state from registry.customer where ctx = '$target_ctx'")" 6
cloner cancel "$(newest_run)"
is "and comes back" "$code" 0
rm "$demo/scripts/tenants/$target_ctx.lua"

# The certificate stood in the journal as it was given: who could write there could clean it.
platform_reset
openssl genpkey -algorithm ed25519 -out "$secrets/certificate.pem" 2>/dev/null
cp "$config" "$demo/unsigned.conf"
sed -i "s|^  secrets = |  certificate_key = \"file:$secrets/certificate.pem\",\n&|" "$config"
CLONER_FAULT=step_effect:20 clone
is "killed after the scan" "$code" 137
run=$(newest_run)
is "the certificate is signed" "$(in_journal "select result -> 'certificate' -> 'signature' ->> 'algorithm'
    from cloner.step where run_id = '$run' and step_key = 'mask_email'")" Ed25519
in_journal "update cloner.step set result = jsonb_set(result, '{certificate,scanned,rows}', '1')
    where run_id = '$run' and step_key = 'mask_email'"
cloner resume "$run"
is "a changed certificate does not go live" "$code" 4
like "and says why" "$(log_of)" "changed after it was signed"
cloner cancel "$run"
clone strict_definitions=no
is "one that was not changed does" "$code" 0
[ "$code" -eq 0 ] || sed 's/^/# /' "$out"
cp "$demo/unsigned.conf" "$config"

# A worker died between opening the doors and saying so. Users had begun to work, with addresses of
# their own, and the resumed run took those for leaks: live, and paused for good.
platform_reset
CLONER_FAULT=step_effect:29 clone
is "killed behind open doors" "$code" 137
in_target "update crm7.person set firstname = 'per@private.example'
    where person_id = (select min(person_id) from crm7.person)"
cloner resume "$(newest_run)"
is "what users wrote since does not stop the run" "$code" 0
[ "$code" -eq 0 ] || sed 's/^/# /' "$out"

# ---- P3: names at their limit ----------------------------------------------------------------------------

# The names beside a live database are longer than its own. PostgreSQL cuts names at 63 bytes, so a
# live name of 63 was its own "_new_": the empty copy would have taken its place by DROP DATABASE.
platform_reset
long=${target_db}_$(printf 'x%.0s' {1..53})
test1 postgres "alter database $target_db rename to $long"
in_registry "update registry.customer set database_name = '$long' where ctx = '$target_ctx'"
target_db=$long
before=$(test1 postgres "select oid from pg_database where datname = '$long'")
clone
is "a database name of ${#long} bytes is cloned" "$code" 0
[ "$code" -eq 0 ] || sed 's/^/# /' "$out"
is "the old one is kept" "$(test1 postgres "select count(*) from pg_database where oid = $before")" 1
# A run was given up without its undo and left its copy aside: it lay there for ever.
test1 postgres "create database ${target_db:0:45}_left_behind" \
    "create database $(test1 postgres "select regexp_replace(datname, '_prev_.*', '_new_0123abcd')
        from pg_database where oid = $before")"
clone backup=yes
is "and again" "$code" 0
is "databases of similar names are left alone" \
    "$(test1 postgres "select count(*) from pg_database where datname like '%_left_behind'")" 1
test1 postgres "drop database ${target_db:0:45}_left_behind"
is "one old database is kept" "$(test1 postgres "select count(*) from pg_database where datname like 'cust26760%'")" 2
old=$(test1 postgres "select oid from pg_database where datname like 'cust26760%' and datname <> '$long'")
cloner undo "$(newest_run)"
is "it can be undone" "$code" 0
is "to the database before" "$(test1 postgres "select oid from pg_database where datname = '$long'")" "$old"

# ---- P7: secrets ----------------------------------------------------------------------------------------

is "there is an archive" "$(find "$demo/archive" -name manifest.json | wc -l)" 1
is "only their owner reads archives" "$(find "$demo/archive" -mindepth 1 -perm /077 | head -3)" ""
dump prod1 cloner >"$demo/journal.sql"
for file in "$secrets"/prod1-cloner "$secrets"/test1-cloner "$secrets"/services-token \
    "$secrets"/*_app.password "$secrets"/*_query.password; do
    is "not in the journal, the output or the servers' logs: ${file##*/}" \
        "$(grep -lF -- "$(cat "$file")" "$demo/journal.sql" "$out" "$demo"/*/log 2>/dev/null)" ""
done
finish
