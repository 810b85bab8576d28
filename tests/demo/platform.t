#!/usr/bin/env bash
# The sample platform: up twice, up after a crash, down, and nothing left running.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
export CLONER_DEMO_DIR=$TEST_TMP/platform
# shellcheck source=scripts/demo/lib.sh
. "$root/scripts/demo/lib.sh"
n=0

ok() {
    n=$((n + 1))
    if "${@:2}"; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi
}

# is WHAT GOT WANTED
is() {
    ok "$1" [ "$2" = "$3" ]
    [ "$2" = "$3" ] || echo "# got '$2', wanted '$3'"
}

up() {
    "$root/scripts/demo/up.sh" >"$TEST_TMP/platform.out" 2>&1 || { cat "$TEST_TMP/platform.out" && false; }
}

pids() {
    echo "$(cluster_pid "$demo/prod1") $(cluster_pid "$demo/test1") $(services_pid)"
}

healthy() {
    (services_healthy "$(cat "$demo/services.port")")
}

# as_cloner CLUSTER DATABASE SQL: what the role scripts use may do.
as_cloner() {
    PGPASSWORD=$(cat "$secrets/$1-cloner") psql -X -At -v ON_ERROR_STOP=1 -h 127.0.0.1 \
        -p "$(cluster_port "$demo/$1")" -U cloner -d "$2" -c "$3" 2>&1
}

refused() {
    ! as_cloner prod1 cust26759 "begin; set transaction read write; $1" >/dev/null
}

# A process nobody has waited for yet has no command line any more.
gone() {
    local pid
    for pid in "$@"; do
        [ -z "$(tr -d '\0' 2>/dev/null <"/proc/$pid/cmdline")" ] || return 1
    done 2>/dev/null
}

down() {
    "$root/scripts/demo/down.sh" >/dev/null
}

trap platform_stop EXIT
ok 'up' up
ok 'its services answer' healthy
before=$(pids)
ok 'up again' up
is 'changes nothing' "$(pids)" "$before"

is 'the source has the size asked for' "$(as_cloner prod1 cust26759 "select sum(n) between 45000 and 55000 from (
    select (xpath('/row/c/text()', query_to_xml('select count(*) as c from ' || oid::regclass, false, true, '')))[1]::text::int as n
    from pg_class where relkind = 'r' and relnamespace = 'crm7'::regnamespace) t")" t
ok 'cloner may not write to production' refused "insert into crm7.ticket_priority values (9, 'x')"
ok 'nor make tables there' refused 'create table crm7.mine ()'
ok 'nor temporary ones' refused 'create temp table mine ()'
is 'every template row but one has its file' "$(as_cloner prod1 cust26759 "select filename from crm7.doctmpl
    where deleted = 0 and loadtemplatefromplugin = 0" | while read -r file; do
    [ -f "$blobs/prod1/templates/Cust26759/$file" ] || echo "$file"
done)" 'mail/lost.html'
is 'every attachment has a file of its size' "$(as_cloner prod1 cust26759 "select path || '/' || id || ' ' || att_size
    from crm7.attachment join crm7.attachment_location using (attachment_location_id)" | while read -r file size; do
    [ "$(stat -c %s "$blobs/prod1/attachments/Cust26759/$file")" = "$size" ] || echo "$file"
done)" ''
is 'secrets are for their owner alone' "$(find "$secrets" -type f ! -name '*.pub.pem' ! -perm 600)" ''
is 'no old content has an address of the source' "$(grep -rlai '@nordlys-' "$demo/test1/data" | head -3)" ''

# shellcheck disable=SC2086 # three pids
kill -KILL $before
deadline=$((SECONDS + 30))
# shellcheck disable=SC2086
until gone $before || [ "$SECONDS" -ge "$deadline" ]; do :; done
ok 'up after everything was killed' up
ok 'its services answer again' healthy
is 'on the ports the registry knows' \
    "$(as_cloner prod1 registry "select port from registry.cluster order by name" | xargs)" \
    "$(cluster_port "$demo/prod1") $(cluster_port "$demo/test1")"

before=$(pids)
ok 'down' down
# shellcheck disable=SC2086
ok 'nothing runs any more' gone $before
ok 'and no configuration is left' [ ! -e "$config" ]
ok 'down again' down
echo "1..$n"
