#!/usr/bin/env bash
# The ways the data travels: each ends in the same test environment. Golden images: made while the test
# environment is online, shared, kept, expired, never dropped from under a run; and a certificate that
# speaks for what was written since its scan, too.
# deadline_s: 600
set -eu

# shellcheck source=tests/procedure/platform.sh
. "$(dirname "$0")/platform.sh"
second_ctx=Cust26764
: "${SCALE:=0.2}"
platform_open strategies

images() { test1 postgres "select count(*) from pg_database where datname like '%\_image\_%'"; }
registered() { in_registry "select count(*) from registry.image"; }
runs_of() { in_journal "select count(*) from cloner.run where name = '$1'"; }
result() { in_journal "select result #>> '{$2}' from cloner.step where run_id = '$(newest_run)' and step_key = '$1'"; }
succeeds() {
    is "$1" "$code" 0
    [ "$code" -eq 0 ] || sed 's/^/# /' "$out"
}
# The step the run was killed at.
stopped_at() {
    is "$1: stopped there" "$code $(in_journal "select step_key from cloner.step
        where run_id = '$(newest_run)' and state = 'started'")" "137 $2"
}
leak() { echo "update crm7.person set firstname = 'per@private.example' where person_id = (select min(person_id) from crm7.person)"; }

# ---- each of them ----------------------------------------------------------------------------------

print_target >"$demo/before"
print_source >"$demo/source.before"
clone strategy=archive
succeeds "strategy archive"
print_target >"$demo/wanted"
is "archive: no image was made" "$(runs_of image)" 0

platform_reset
CLONER_FAULT=copy_part:20 clone strategy=archive
stopped_at "archive: killed while it is restored" restore
cloner resume "$(newest_run)"
succeeds "archive: resumed"
is "archive: the restore went on" "$(grep -c 'starts over' "$out") $(result restore resumed_parts)" "0 20"
print_target >"$demo/got"
same "archive: to the same environment" "$demo/wanted" "$demo/got"

platform_reset
clone strategy=stream
succeeds "strategy stream"
print_target >"$demo/got"
same "stream: the same environment" "$demo/wanted" "$demo/got"
is "stream: no archive was needed" "$(runs_of backup)" 0

platform_reset
clone
succeeds "the default"
print_target >"$demo/got"
same "golden: the same environment" "$demo/wanted" "$demo/got"
is "golden: one image, no archive" "$(runs_of image) $(runs_of backup)" "1 0"
is "golden: which became the environment" "$(result restore image,way) $(result restore image,database_oid)" \
    "renamed $(test1 postgres "select oid from pg_database where datname = '$target_db'")"
is "golden: none is left" "$(images) $(registered)" "0 0"
like "golden: the offline window is told beside the total" "$(cat "$out")" \
    "offline for [0-9.]+ s of [0-9.]+ s in all \(strategy golden\)"
like "golden: the image was made before" "$(result enter_running offline_s) $(result enter_running total_s)" "^[0-9.]+ [0-9.]+$"
is "golden: the certificate speaks for this database" "$(result mask_email certificate,database,oid)" "$(result mask_email database_oid)"
is "golden: of the image's full scan" "$(result mask_email certificate,full,database,oid) $(result mask_email certificate,full,leaks)" \
    "$(result mask_email database_oid) 0"
is "golden: and of what was written since" "$(result mask_email certificate,again | grep -c '"crm7.associate".*"crm7.config"')" 1
is "golden: which was little, the large changes were made ahead" "$(result mask_email certificate,again,1,tables | grep -c 'crm7.ticket\|crm7.ej_message')" 0
is "golden: and are counted" "$(result copy_customer_info tickets_closed)" "$(in_source "select count(*) from crm7.ticket where status in (1, 3)")"
is "golden: and of no more" "$(result mask_email certificate,again | grep -c 'crm7.person\|crm7.email\|crm7.appointment')" 0
print_source >"$demo/source.after"
same "production is unchanged, bit for bit" "$demo/source.before" "$demo/source.after"
address='[a-z0-9._+-]+(@|%40|=40|&#64;|\\u0040)(nordlys-[a-z0-9-]+\.example|cust26759\.suocrm\.example)'
kept='ase\.odegard@nordlys-handel\.example|oyvind\.mueller@nordlys-handel\.example'
test1 postgres "checkpoint"
is "no other address of production's is on the target's disk, WAL included" \
    "$(LC_ALL=C grep -rhaoiE "$address" "$demo/test1/data" "$demo/test1/log" | LC_ALL=C sort -u | grep -vE "($kept)\$")" ""
run=$(newest_run)
cloner undo "$run"
is "golden: undone" "$code" 0
print_target >"$demo/got"
same "golden: and the old environment is back" "$demo/before" "$demo/got"

# Killed in the middle of the stream: what was copied by then is gone on with.
platform_reset
CLONER_FAULT=copy_part:40 clone
is "killed while the image is streamed" "$code" 137
cloner resume "$(newest_run)"
succeeds "resumed"
is "the copy went on" "$(grep -c 'starts over\|started over' "$out")" 0
print_target >"$demo/got"
same "to the same environment" "$demo/wanted" "$demo/got"
platform_reset
CLONER_FAULT=copy_part:40 clone
image=$(test1 postgres "select datname from pg_database where datname like '%\_image\_%'")
test1 postgres "drop database $image" "create database $image"
test1 "$image" "create table other (id int)"
cloner resume "$(newest_run)"
succeeds "resumed where something else stands"
like "it starts over, and says so" "$(cat "$out")" "cannot go on, it starts over"
print_target >"$demo/got"
same "to the same environment again" "$demo/wanted" "$demo/got"
platform_reset
CLONER_FAULT=copy_part:40 clone
cloner undo "$(newest_run)"
is "killed, and undone" "$code $(images) $(registered)" "0 0 0"
print_target >"$demo/got"
same "the old environment is there" "$demo/before" "$demo/got"
is "and no snapshot is held any longer" "$(ls "$CLONER_STATE")" ""

# ---- where there is room ------------------------------------------------------------------------------

# with SED WANTED WHAT: what a plan says under an altered configuration
with() {
    sed "$1" "$config" >"$demo/altered.conf"
    cloner plan --config "$demo/altered.conf" "$root/scripts/clone.lua" source=$source_ctx target=$target_ctx
    like "$3" "$(cat "$out")" "$2"
}
room='s|secrets/test1-cloner"|&, capacity_bytes = '
with "" "strategy golden.*not checked.*clusters.test1.capacity_bytes" "a plan says that room is not checked, and how it would be"
with "${room}10^15|" "strategy golden: cluster test1 has [0-9.]+ [GM]B left" "with room it is golden"
with "${room}1e6|" "strategy archive: cluster test1 has -?[0-9.]+ [GM]B left" "without, an archive"
with "${room}1e6|; s|^  archive = .*||" "strategy stream: " "with no place for archives, straight"
sed "${room}1e6|" "$config" >"$demo/altered.conf"
cloner --config "$demo/altered.conf" "$root/scripts/clone.lua" source=$source_ctx target=$target_ctx strategy=golden
is "golden asked for, and no room: refused" "$code" 3
print_target >"$demo/got"
same "and nothing changed" "$demo/before" "$demo/got"

# ---- images that are kept ------------------------------------------------------------------------------

second() { cloner "$root/scripts/clone.lua" source=$source_ctx target=$second_ctx "$@"; }
platform_reset
clone keep_image=yes
succeeds "a clone that keeps its image"
is "it was copied" "$(result restore image,way)" copied
sed 's/_image_RUN$/&/; /_image_/d; /^image|/d' "$demo/wanted" >"$demo/wanted.copied"
print_target | sed '/_image_/d; /^image|/d' >"$demo/got"
same "to the same environment" "$demo/wanted.copied" "$demo/got"
is "its certificate names both" "$(result mask_email certificate,database,oid) $(result mask_email certificate,full,database,oid)" \
    "$(test1 postgres "select oid from pg_database where datname = '$target_db'") $(in_registry "select database_oid from registry.image")"
is "and no more was read again" "$(result mask_email certificate,again | grep -c 'crm7.person\|crm7.email\|crm7.appointment')" 0
second image_max_age=1h
succeeds "another target's clone"
is "takes the same image" "$(runs_of image) $(result restore image,way) $(images)" "1 copied 1"
cloner "$root/scripts/images.lua"
like "an operator sees it" "$(cat "$out")" "_image_[0-9a-f]{8} of $source_ctx on test1: ready"
in_registry "insert into registry.image_use select saga, 'somebody' from registry.image"
cloner "$root/scripts/images.lua" drop=0s
is "while a run needs it, it stays" "$(images) $(registered)" "1 1"
in_registry "delete from registry.image_use" "update registry.image set created_at = now() - interval '2 days'"
second image_max_age=1h
succeeds "with an image too old, a clone makes another"
is "and drops the old one" "$(runs_of image) $(images) $(registered)" "2 0 0"

# ---- what is written after the scan ----------------------------------------------------------------------

# Into a kept image, between two uses.
platform_reset
clone keep_image=yes
test1 "$(in_registry "select database_name from registry.image")" "$(leak)"
second image_max_age=1h
is "an address written into a kept image does not pass" "$code" 4
like "and is told of" "$(cat "$out")" "step 'wait_backup': .*1 address\(es\) outside mailinator.com are left"
is "before anything was touched" "$(in_registry "select state from registry.customer where ctx = '$second_ctx'")" 2
cloner cancel "$(newest_run)"
is "and the clone is taken back" "$code $(test1 postgres "select count(*) from pg_database where datname like '%\_new\_%'")" "0 0"

# Into the copy made of the image: killed behind the image's five steps.
copy_of() { test1 postgres "select datname from pg_database where datname like '%\_new\_%'"; }
platform_reset
CLONER_FAULT=step_intent:7 clone
stopped_at "an address written into the copy" enter_maintenance
test1 "$(copy_of)" "$(leak)"
cloner resume "$(newest_run)"
is "does not pass the certificate" "$code" 4
like "and is told of" "$(cat "$out")" "step 'mask_email': .*1 address\(es\) outside mailinator.com are left"
cloner cancel "$(newest_run)"
is "the clone is taken back" "$code $(images) $(registered)" "0 0 0"
print_target >"$demo/got"
same "to the environment before" "$demo/before" "$demo/got"

# Counters that were set back prove nothing.
platform_reset
CLONER_FAULT=step_intent:7 clone
test1 "$(copy_of)" "$(leak)"
test1 "$(copy_of)" "select pg_stat_reset()" >/dev/null
cloner resume "$(newest_run)"
is "nor when the counters were set back" "$code" 4
like "because all of it is scanned" "$(cat "$out")" "step 'mask_email': .*1 address\(es\) outside mailinator.com are left"

# Between the certificate and the doors.
platform_reset
CLONER_FAULT=step_intent:15 clone
stopped_at "an address written after the certificate" register_superid
in_target "$(leak)"
cloner resume "$(newest_run)"
is "does not go live" "$code" 4
like "because it is looked for again" "$(cat "$out")" "step 'enter_running': .*written after the scan"

# ---- a copy that is gone ---------------------------------------------------------------------------------

platform_reset
CLONER_FAULT=step_intent:7 clone
test1 postgres "drop database $(copy_of)"
cloner resume "$(newest_run)"
is "a copy dropped by hand stops the run" "$code" 4
cloner cancel "$(newest_run)"
is "which can be cancelled" "$code $(registered)" "0 0"
print_target >"$demo/got"
same "and leaves the environment before" "$demo/before" "$demo/got"

# ---- source and target on one cluster -----------------------------------------------------------------------

platform_reset
clone strategy=template
is "template, source and target on two clusters: refused" "$code" 3
like "and says why" "$(cat "$out")" "another cluster than $target_ctx"
test1 postgres "create role nordlys_owner" "create role ${source_db}_app" "create role ${source_db}_query" "create database $source_db"
PGPASSWORD=$(cat "$demo/prod1/admin") "$(cluster_bin)/pg_dump" -h 127.0.0.1 -U postgres -Fc \
    -p "$(cluster_port "$demo/prod1")" $source_db >"$demo/source.dump"
PGPASSWORD=$(cat "$demo/test1/admin") "$(cluster_bin)/pg_restore" -h 127.0.0.1 -U postgres -d $source_db \
    -p "$(cluster_port "$demo/test1")" "$demo/source.dump"
# With what must not come along, and what must come back.
test1 $source_db "alter table crm7.contact owner to nordlys_owner" "grant select on crm7.person to nordlys_owner, public" \
    "create publication everything for all tables" \
    "create materialized view crm7.mails as select email_address from crm7.email" \
    "comment on constraint email_contact_id_fkey on crm7.email is 'whose it is'" \
    "create function crm7.never() returns trigger language plpgsql as \$\$ begin raise exception 'fired'; end \$\$" \
    "create trigger never before insert on crm7.person for each row execute function crm7.never()" \
    "alter table crm7.person enable always trigger never" \
    "select lo_from_bytea(7777, convert_to('Ola <ola@nordlys-kunde.example>', 'UTF8'))" \
    "comment on large object 7777 is 'of ola@nordlys-kunde.example'" \
    "alter large object 7777 owner to nordlys_owner" "grant select on large object 7777 to cloner" "analyze"
mkdir -p "$blobs/test1/templates" "$blobs/test1/attachments"
for kind in templates attachments; do cp -a "$blobs/prod1/$kind/$source_ctx" "$blobs/test1/$kind/"; done
in_registry "update registry.cluster set isolated = false where name = 'test1'" \
    "update registry.customer set cluster = 'test1' where ctx = '$source_ctx'"
clone strategy=stream
succeeds "stream, on one cluster"
print_target >"$demo/wanted"
cloner undo "$(newest_run)"
is "and back" "$code" 0
clone strategy=template
succeeds "strategy template"
print_target >"$demo/got"
same "template: the same environment" "$demo/wanted" "$demo/got"
is "template: nothing is left between" "$(test1 postgres "select count(*) from pg_database where datname like '%\_raw\_%'")" 0
is "template: the view follows its table" "$(in_target "select count(*) filter (where email_address like '%@mailinator.com') > 0,
    count(*) filter (where email_address like '%@nordlys-%') from crm7.mails")" "t|0"
is "template: large objects are masked, and nobody's of production" "$(in_target "select convert_from(lo_get(7777), 'UTF8'),
    obj_description(7777, 'pg_largeobject'), (select lomowner::regrole <> 'nordlys_owner'::regrole
    from pg_largeobject_metadata where oid = 7777)")" \
    "Ola <ola_nordlys-kunde.example@mailinator.com>|of ola_nordlys-kunde.example@mailinator.com|t"
is "template: tables with nothing to mask are the server's own copy" "$(result wait_backup copy,rewritten | grep -c 'crm7.sequence\|crm7.ticket_status"')" 0
test1 $source_db "select pg_sleep(60)" >/dev/null 2>&1 &
sleeper=$!
at_work() { test1 postgres "select 1 from pg_stat_activity where datname = '$source_db' and state = 'active'"; }
eventually "somebody is at work in the source" at_work
clone strategy=template
is "somebody is at work in the source: refused" "$code" 3
like "and says what to do" "$(cat "$out")" "1 session\(s\) are; end the sessions or choose another strategy"
test1 postgres "select pg_terminate_backend(pid) from pg_stat_activity where datname = '$source_db'" >/dev/null
wait $sleeper || true

finish
