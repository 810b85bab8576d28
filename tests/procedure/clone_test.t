#!/usr/bin/env bash
# The clone end to end: what each of the 24 steps leaves behind, looked up in the databases, in the
# services' records and among the files; and that production is what it was, bit for bit.
# deadline_s: 600
set -eu

# shellcheck source=tests/procedure/platform.sh
. "$(dirname "$0")/platform.sh"
platform_open clone

print_source >"$demo/source.before"
old_oid=$(test1 postgres "select oid from pg_database where datname = '$target_db'")
old_unique=$(in_target "select unique_id from crm7.config")
old_token=$(in_registry "select system_token from registry.app_authorization
    where ctx = '$target_ctx' and client_id = 'insight-hub'")
source_rows() { in_source "select count(*) from crm7.$1"; }

# Two tasks to wait for, and somebody at work in the test environment.
in_registry "insert into registry.customer_task (ctx, kind, state, finishes_at) values
    ('$target_ctx', 'Mirroring', 'running', now() + interval '2 seconds'),
    ('$target_ctx', 'Export', 'queued', now() + interval '3 seconds')"
test1 $target_db "select pg_sleep(300)" >/dev/null 2>"$demo/session" &
session=$!
last_task=$(in_registry "select finishes_at from registry.customer_task where kind = 'Export'")

clone strategy=archive
is "the clone succeeds" "$code" 0
[ "$code" -eq 0 ] || sed 's/^/# /' "$out"
run=$(newest_run)
id=${run//-/} short=${id: -8}
is "all 24 steps are done" "$(in_journal "select count(*), min(state), max(state) from cloner.step where run_id = '$run'")" "24|done|done"
result() { in_journal "select result #>> '{$2}' from cloner.step where run_id = '$run' and step_key = '$1'"; }

# 1. Backup
is "1: the backup saga ran once" "$(in_journal "select count(*), min(result) from cloner.run where name = 'backup'")" "1|succeeded"
archive=$(in_registry "select folder from registry.archive where ctx = '$source_ctx'")
is "1: its archive is registered and there" "$([ -s "$archive/manifest.json" ] && echo yes)" yes
is "1: nobody holds the archive any more" "$(in_registry "select count(*) from registry.archive_use")" 0

# 2, 3. Tasks, maintenance
is "2: customer tasks were waited for" "$(in_registry "select count(*) from registry.customer_task
    where ctx = '$target_ctx' and state in ('queued', 'running')")" 0
is "2: maintenance began after the last task" "$(in_journal "select s.finished_at >= '$last_task'::timestamptz
    from cloner.step s where run_id = '$run' and step_key = 'enter_maintenance'")" t
is "2: open sessions were ended" "$(wait $session && echo went on || echo ended)" ended
like "2: by an administrator's command" "$(cat "$demo/session")" "terminating connection"
is "3: nothing was left for the second wait" "$(result wait_tasks tasks)" 0

# 4, 5. Clusters, restore
new_oid=$(test1 postgres "select oid from pg_database where datname = '$target_db'")
is "4: bound to its own cluster, by identity" "$(in_registry "select database_cluster, file_cluster, database_oid
    from registry.binding where ctx = '$target_ctx'")" "test1|test1|$new_oid"
is "4: the system identifier is the test cluster's" "$(in_registry "select system_identifier from registry.binding
    where ctx = '$target_ctx'")" "$(test1 postgres "select system_identifier from pg_control_system()")"
is "5: the previous database is kept" "$(test1 postgres "select oid from pg_database
    where datname = '${target_db}_prev_$short'")" "$old_oid"
is "5: nothing is left aside" "$(test1 postgres "select count(*) from pg_database where datname ~ '_new_'")" 0
for table in contact person email appointment text ticket ej_message message_customers document attachment \
    form_submission extension_data; do
    is "5: every row of $table" "$(in_target "select count(*) from crm7.$table")" "$(source_rows $table)"
done
is "5: every index and constraint" "$(in_target "select count(*) from pg_indexes where schemaname = 'crm7'" \
    "select count(*) from pg_constraint where connamespace = 'crm7'::regnamespace and convalidated")" \
    "$(in_source "select count(*) from pg_indexes where schemaname = 'crm7'" \
        "select count(*) from pg_constraint where connamespace = 'crm7'::regnamespace and convalidated")"
for table in email_account email_folder email_item email_attachment service_auth login login_customer \
    user_candidate outbox; do
    is "5: $table was never copied" "$(source_rows $table | grep -vc '^0$') $(in_target "select count(*) from crm7.$table")" "1 0"
done

# 6. The copy becomes the target's own
is "6: its own addresses" "$(in_target "select cgi_url from crm7.config")" \
    "https://online5.superoffice.example/$target_ctx/CS/scripts"
is "6: its own unique id" "$(in_target "select unique_id from crm7.config")" "$old_unique"
is "6: no URL of production's is left" "$(in_target "select
    (select count(*) from crm7.ejscript where body like '%$source_ctx%')
    + (select count(*) from crm7.reply_template where body_html like '%$source_ctx%')
    + (select count(*) from crm7.ejuser where signature like '%$source_ctx%')
    + (select count(*) from crm7.registry where value like '%$source_ctx%')
    + (select count(*) from crm7.extapp where url1 ilike '%$source_ctx%')
    + (select count(*) from crm7.company where extrainfo like '%$source_ctx%')")" 0
is "6: panels became variables" "$(in_target "select string_agg(url1, ' ' order by extapp_id) from crm7.extapp where extapp_id <= 5")" \
    "<csti>?action=listTickets&user=<uid> <csrm>?action=safeParse <cscu>?action=mainMenu <csbl>? <cscu>?action=mainMenu"
is "6: other panels stay" "$(in_target "select url1 from crm7.extapp where name = 'Weather'")" \
    "https://weather.example/?city=<city>"
open=$(in_source "select count(*) from crm7.ticket where status in (1, 3)")
is "6: open tickets are closed" "$(in_target "select count(*) from crm7.ticket where status in (1, 3)") $(result copy_customer_info tickets_closed)" "0 $open"
is "6: with their history" "$(in_target "select count(*) from crm7.ticket_status_history h where h.started_at::date >= current_date - 1
    and status = 2 and (select ticket_status from crm7.ticket t where t.id = h.ticket_id) = h.ticket_status")" "$open"
is "6: tickets in other states are left alone" "$(in_target "select count(*) from crm7.ticket where status in (4, 5)")" \
    "$(in_source "select count(*) from crm7.ticket where status in (4, 5)")"
is "6: webhooks are gone" "$(in_target "select (select count(*) from crm7.webhook) + (select count(*) from crm7.webhook_usage)")" 0
is "6: nothing can run or send" "$(in_target "select (select count(*) from crm7.batchtask where state in (1, 2, 3))
    + (select count(*) from crm7.s_shipment where status in (3, 4, 6, 7, 9))
    + (select count(*) from crm7.s_shipment_addr where status = 1)
    + (select count(*) from crm7.erpconnection where active)
    + (select count(*) from crm7.ext_datasource where password is not null)")" 0
is "6: statistics are not reported" "$(in_target "select string_agg(distinct prefvalue, ',') from crm7.userpreference
    where prefkey like '%OptIn - Configured'")" "No"

# 7. Logins. A password may begin with a hyphen (base64url): without -e grep took it for an option.
password=$(cat "$secrets/${target_db}_app.password")
app() { PGPASSWORD=$password psql -X -At -h 127.0.0.1 -p "$(cluster_port "$demo/test1")" -U ${target_db}_app -d $target_db -c "$1" 2>&1; }
is "7: the application signs in with the password in the store" "$(app "select count(*) from crm7.contact")" "$(source_rows contact)"
is "7: and owns everything" "$(in_target "select count(*) from pg_class where relnamespace = 'crm7'::regnamespace
    and relkind in ('r', 'v', 'S') and pg_get_userbyid(relowner) <> '${target_db}_app'")" 0
is "7: the query role reads, but no secrets" "$(in_target "select has_table_privilege('${target_db}_query', 'crm7.contact', 'select'),
    has_table_privilege('${target_db}_query', 'crm7.contact', 'update'),
    has_table_privilege('${target_db}_query', 'crm7.credentials', 'select')")" "t|f|f"
is "7: the password's file is private" "$(stat -c %a "$secrets/${target_db}_app.password")" 600
is "7: the password is in no log" "$(grep -rlF -e "$password" "$demo/test1/log" "$out" | wc -l)" 0
is "7: nor in the journal" "$(dump prod1 cloner | grep -cF -e "$password")" 0

# 8. System users
is "8: the platform's system user works" "$(in_target "select type, deleted, ejuserid from crm7.associate where name = 'SYSTEM'")" "13|0|1"
is "8: no password of the Service part is left" "$(in_target "select count(*) from crm7.ejuser where password is not null")" 0
is "8: production's partner user is out" "$(in_target "select deleted from crm7.associate where name = 'app-nordic-invoice'")" 1

# 9. Addresses
is "9: the certificate counts no leak" "$(result mask_email certificate,leaks)" 0
is "9: and is bound to this database" "$(result mask_email database_oid)" "$new_oid"
# Whoever scans it later, as that tenant's, looks for the same.
scan_result=$(PGPASSWORD=$(cat "$demo/test1/admin") "$CLONER" "$root/scripts/scan.lua" tenant=$target_ctx format=json \
    target="host=127.0.0.1 port=$(cluster_port "$demo/test1") user=postgres dbname=$target_db") || scan_result="failed: $scan_result"
is "9: scan.lua goes by the rules of that certificate" "$(grep -oE '"hash": ?"[0-9a-f]+"' <<<"$scan_result" | grep -oE '[0-9a-f]{64}')" \
    "$(result mask_email certificate,rules,hash)"
is "9: and finds no leak" "$(grep -oE '"leaks": ?[0-9]+' <<<"$scan_result" | grep -oE '[0-9]+$')" 0
is "9: addresses are masked by the rule" "$(in_target "select email_address from crm7.email where email_id = 100")" \
    "$(in_source "select replace(email_address, '@', '_') || '@mailinator.com' from crm7.email where email_id = 100")"
is "9: an address masked before stays" "$(in_target "select count(*) from crm7.email where email_address like '%@mailinator.com@%'
    or email_address like '%mailinator.com_mailinator%'")" 0
is "9: distinct addresses stay distinct" "$(in_target "select count(distinct lower(email_address)) from crm7.email where type = 0")" \
    "$(in_source "select count(distinct lower(email_address)) from crm7.email where type = 0")"
# Two of production's users could sign in to the old test environment: they still can.
kept=$'ase.odegard@nordlys-handel.example\noyvind.mueller@nordlys-handel.example'
is "9: the chosen users keep their sign-in names, nobody else" "$(in_target "select username from crm7.associate
    where username not like '%@mailinator.com' order by 1")" "$kept"

# 10, 16, 18, 19. SuperId
is "10: registered with its company and serial" "$(in_registry "select company_name, serial_no, test_of from registry.superid_tenant
    where ctx = '$target_ctx'")" "Test Env - Nordlys Handel AS|1801550777|$source_ctx"
states=$(in_registry "select string_agg(method || ' ' || path, ', ' order by id) from sample.request
    where service = 'superid' and path like '/tenants/$target_ctx' and method = 'PATCH'")
is "16, 19: the state changed twice" "$states" "PATCH /tenants/$target_ctx, PATCH /tenants/$target_ctx"
is "16: it was in migration" "$(result superid_migrating state)" InMigration
is "16: while the users were changed" "$(in_registry "select bool_and(r.id between
        (select min(id) from sample.request where method = 'PATCH' and path = '/tenants/$target_ctx')
        and (select max(id) from sample.request where method = 'PATCH' and path = '/tenants/$target_ctx'))
    from sample.request r where r.path like '/scim/v2/$target_ctx/Users%' and r.method <> 'GET'")" t
is "19: it is normal" "$(in_registry "select state from registry.superid_tenant where ctx = '$target_ctx'")" Normal
is "18: exactly the users with a plan" "$(in_registry "select upn, associate_id, active from registry.superid_user
    where ctx = '$target_ctx' order by 1")" "$(in_target "select username, associate_id, true from crm7.associate
    where username in ('${kept/$'\n'/"', '"}') order by 1")"

# 11. Templates
same "11: the template files are production's" <(files_of "$blobs/prod1/templates/$source_ctx") <(files_of "$blobs/test1/templates/$target_ctx")
like "11: the missing one is reported" "$(result clone_templates missing)" "mail/lost.html"
is "11: the previous files are kept" "$([ -f "$blobs/test1/templates/$target_ctx.prev-$short/Test letter.docx" ] && echo yes)" yes

# 12. Mail
mailbox=test@${target_db}.suocrm.example
is "12: one test mailbox" "$(in_target "select count(*), min(address), min(server_type) from crm7.mail_in_filter")" "1|$mailbox|8"
is "12: no children of the old ones" "$(in_target "select (select count(*) from crm7.mail_alias) + (select count(*) from crm7.mail_in_uidl)
    + (select count(*) from crm7.inbox) + (select count(*) from crm7.ms_filter_mail) + (select count(*) from crm7.ms_trashbin)
    + (select count(*) from crm7.ticket where filter_id is not null)")" 0
is "12: one route on the mail system" "$(in_registry "select string_agg(address, ',') from registry.mail_route where ctx = '$target_ctx'" \
    "select string_agg(address, ',') from sample.mailbox where ctx = '$target_ctx'")" "$mailbox"$'\n'"$mailbox"

# 13, 14. Schedules, recycle
is "13: every schedule is off" "$(in_target "select count(*) from crm7.schedule where not disabled or asap")" 0
is "14: recycled once" "$(in_registry "select count(*) from sample.recycle where ctx = '$target_ctx'")" 1
is "14: caches have a new generation" "$(in_target "select sum(generation) from crm7.cacheinvalidation")" \
    "$(in_source "select sum(generation + 1) from crm7.cacheinvalidation")"

# 15, 17, 21. Owner, licence, plans, registry
is "15: renamed, with its own serial" "$(in_target "select ownercontactname, serialno from crm7.company")" \
    "Test Env - Nordlys Handel AS|1801550777"
is "15: the owner's card too" "$(in_target "select c.name from crm7.contact c join crm7.company on ownercontactid = contact_id")" \
    "Test Env - Nordlys Handel AS"
is "15: the target's licence package" "$(in_target "select count(*), max(licensenumber) filter (where modulename = 'ten-sales')
    from crm7.modulelicense")" "8|2"
is "17: the plan and every licence it bundles" "$(in_target "select string_agg(distinct m.modulename, ',' order by m.modulename), count(distinct l.associd)
    from crm7.licenseassoclink l join crm7.modulelicense m on m.modulelicense_id = l.modulelicenseid")" \
    "sale-cal,selection-cal,ten-sales,user,visible-for,web|2"
is "21: the registry says what the database says" "$(in_registry "select company_name, serial_no, version from registry.customer
    where ctx = '$target_ctx'")" "$(in_target "select ownercontactname, serialno, version from crm7.company")"

# 20. Partner users
is "20: one system user, with the same token" "$(in_target "select a.name, a.type, a.deleted, c.secret from crm7.credentials c
    join crm7.associate a on a.associate_id = c.associateid")" "app-insight-hub|13|0|$old_token"
is "20: the apps authorised on the target" "$(in_target "select string_agg(clientid, ',' order by clientid) from crm7.onlineapp")" \
    "insight-hub,test-harness"

# 22. Attachments
is "22: system attachments, none of the requests'" "$(cd "$blobs/test1/attachments/$target_ctx" && find . -type f | sed 's,^\./,,' | sort)" \
    "$(in_source "select path || '/' || id from crm7.attachment join crm7.attachment_location using (attachment_location_id)
        where id not in (select attachment_id from crm7.ticket_attachment)" | sort)"
like "22: the same bytes" "$(cd "$blobs/test1/attachments/$target_ctx" && find . -type f |
    while read -r f; do cmp "$f" "$blobs/prod1/attachments/$source_ctx/$f"; done; echo end)" "^end$"
is "22: the previous ones are kept" "$(find "$blobs/test1/attachments/$target_ctx.prev-$short" -type f | wc -l)" 12

# 23. Notices
is "23: each authorised app was told and believed it" "$(in_registry "select client_id, ctx, change_type, accepted from sample.receipt
    order by client_id")" "insight-hub|$target_ctx|1|t"$'\n'"test-harness|$target_ctx|1|t"
is "23: of the new name and serial" "$(in_registry "select distinct claims ->> 'http://schemes.superoffice.net/identity/serial'
    from sample.receipt")" "1801550777"

# 24. Live
is "24: running" "$(in_registry "select state from registry.customer where ctx = '$target_ctx'")" 2
is "24: only the tenant's roles may connect" "$(test1 postgres "select has_database_privilege('public', '$target_db', 'connect'),
    has_database_privilege('${target_db}_app', '$target_db', 'connect'),
    has_database_privilege('${target_db}_query', '$target_db', 'connect')")" "f|t|t"

# Production is what it was; no original address is anywhere on the target's disk.
print_source >"$demo/source.after"
same "production is unchanged, bit for bit" "$demo/source.before" "$demo/source.after"
test1 postgres "checkpoint"
# Every address production has, and whatever else looks like one of its domains; binary neighbours
# stick to a match, so what ends in a kept name is taken out afterwards.
address='[a-z0-9._+-]+(@|%40|=40|&#64;|\\u0040)(nordlys-[a-z0-9-]+\.example|cust26759\.suocrm\.example)'
dump prod1 $source_db | LC_ALL=C grep -aoiE "$address" | LC_ALL=C sort -u | grep -vxF "$kept" >"$demo/addresses"
is "production has addresses to look for" "$([ "$(wc -l <"$demo/addresses")" -gt 1000 ] && echo yes)" yes
is "none of them in the target's cluster, WAL included" \
    "$(LC_ALL=C grep -rhaoF -f "$demo/addresses" "$demo/test1/data" "$demo/test1/log" | sort | uniq -c | head)" ""
is "nor anything else of their domains" "$(LC_ALL=C grep -rhaoiE "$address" "$demo/test1/data" "$demo/test1/log" |
    LC_ALL=C sort -u | grep -vE "(${kept/$'\n'/|})\$")" ""
is "the search would find one" "$(LC_ALL=C grep -rlaoiE '@nordlys-' "$demo/prod1/data" | head -1 | wc -l)" 1

# Again, over the first copy, by an image.
clone
is "a second clone over the first succeeds" "$code" 0
[ "$code" -eq 0 ] || sed 's/^/# /' "$out"
is "and keeps only the last environment" "$(test1 postgres "select count(*) from pg_database where datname like '${target_db}\_%'")" 1
print_source >"$demo/source.after"
same "production is still unchanged" "$demo/source.before" "$demo/source.after"

finish
