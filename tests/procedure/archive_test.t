#!/usr/bin/env bash
# A policy with methods for dates and numbers, and strategy archive: the archive is written so that they can be
# applied when it is restored; of a target whose own policy has others it gets one of its own.
# deadline_s: 300
set -eu

# shellcheck source=tests/procedure/platform.sh
. "$(dirname "$0")/platform.sh"
: "${SCALE:=0.1}"
strategy=archive
platform_open archived
cp -r "$root/scripts" "$demo/scripts"
rm -rf "$demo/scripts/demo"
script=$demo/scripts/clone.lua
sed -i 's/^    sink(c.mail_domain),/&\n    policy.key "a key of the tests, of no secret",/
    s/^    empty { "crm7.outbox".*/&\n    policy.column { "crm7.appointment.do_by", as = require("mask").date_shift { days = 40, by = "appointment_id" } },/' \
    "$demo/scripts/mask.lua"

succeeds() {
    is "$1" "$code" 0
    [ "$code" -eq 0 ] || sed 's/^/# /' "$out"
}
archives_for() { in_journal "select string_agg(coalesce(params ->> 'target', 'any'), ',') from cloner.run where name = 'backup'"; }
in_source "copy (select appointment_id, do_by from crm7.appointment) to stdout" >"$demo/was"

clone
succeeds "a clone by an archive, with a method for timestamps"
is "the archive is for any target" "$(archives_for)" any
test1 $target_db "create table public.was (id int primary key, do_by timestamp)"
cluster_psql "$demo/test1" -d $target_db -c "\\copy public.was from '$demo/was'"
is "every date was moved, by no more than was said" "$(in_target "select count(*) > 0 and
    bool_and(a.do_by <> w.do_by and abs(extract(epoch from a.do_by - w.do_by)) <= 40 * 86400)
    from crm7.appointment a join public.was w on w.id = a.appointment_id where w.do_by is not null")" t

cat >"$demo/scripts/tenants/$target_ctx.mask.lua" <<'LUA'
local policy, mask = require "policy", require "mask"
return function()
  return { policy.column { "crm7.extension_data.amount", as = mask.noise { percent = 10 } } }
end
LUA
platform_reset
clone
succeeds "with a method of the target's own, for numbers"
is "the archive is for this target" "$(archives_for)" $target_ctx
in_source "copy (select extension_data_id, amount from crm7.extension_data) to stdout" >"$demo/was"
test1 $target_db "create table public.was (id bigint primary key, amount numeric)"
cluster_psql "$demo/test1" -d $target_db -c "\\copy public.was from '$demo/was'"
is "every number was changed, by no more than was said" "$(in_target "select count(*) > 0 and
    bool_and(abs(e.amount - w.amount) <= abs(w.amount) * 0.1 + 0.01) and count(*) filter (where e.amount <> w.amount) > 0
    from crm7.extension_data e join public.was w on w.id = e.extension_data_id where w.amount > 10")" t

finish
