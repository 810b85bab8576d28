#!/usr/bin/env bash
# The backup engine against real servers: fidelity, the mask, refusals, damage, cancelling.
# shellcheck disable=SC2317 # functions are called through ok
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/backup/lib.sh
. "$here/../backup/lib.sh"

source_dsn="$TEST_DSN dbname=backup_source"
target_admin=$(cluster target)

fresh() { fresh_on "$target_admin" "$1"; }

sql "$TEST_DSN" -c 'DROP DATABASE IF EXISTS backup_source' -c 'CREATE DATABASE backup_source' 2>/dev/null
sql "$source_dsn" -f "$here/backup.sql" >/dev/null || exit 1

dump "$source_dsn" >"$tmp/source.sql"
# The server's own ANALYZE may come at any time; it writes statistics, which are not ours to count. Nor
# are shared catalogs, where the tests beside this one make databases and roles.
written() {
    sql "$source_dsn" -c "SELECT sum(n_tup_ins), sum(n_tup_upd), sum(n_tup_del) FROM pg_stat_all_tables
        WHERE schemaname !~ '^pg_toast' AND relname !~ '^pg_statistic'
        AND relid NOT IN (SELECT oid FROM pg_class WHERE relisshared)"
}

# ---------------------------------------------------------------- fidelity

same_dump() {
    dump "$1" >"$tmp/copy.sql"
    diff "$tmp/source.sql" "$tmp/copy.sql"
}

streamed=$(fresh streamed)
said=$(verb stream source="$source_dsn" target="$streamed")
ok "stream copies" says '"rows":4059.*"warnings":\[\]' "$said"
ok "pg_dump of the copy is pg_dump of the source" same_dump "$streamed"
ok "materialised views hold what the source's hold" \
    test "$(sql "$streamed" -c 'TABLE crm7.a_second')" = "$(sql "$source_dsn" -c 'TABLE crm7.a_second')"
ok "no trigger or rule fired" test "$(sql "$streamed" -c 'SELECT count(*) FROM crm7.audit')" = \
    "$(sql "$source_dsn" -c 'SELECT count(*) FROM crm7.audit')"
ok "tables are frozen and analysed" test "$(sql "$streamed" -c \
    "SELECT relfrozenxid::text::bigint > 0 AND reltuples = 3000 FROM pg_class WHERE relname = 'person'")" = t
said=$(verb compare source="$source_dsn" target="$streamed")
ok "compare finds them equal" says '"equal":true' "$said"

archive=$tmp/archive
said=$(verb create source="$source_dsn" to="$archive" jobs=4)
ok "create makes an archive" says '"rows":4059' "$said"
ok "progress reaches its total" says '"done":([0-9]+),.*"total":\1\b|"progress_calls":0' "$said"
ok "sha256sum reads the manifest's checksum" bash -c "cd '$archive' && sha256sum -c manifest.json.sha256"
said=$(verb verify archive="$archive")
ok "verify agrees" says '"rows":4059' "$said"
restored=$(fresh restored)
said=$(verb restore archive="$archive" target="$restored" jobs=3)
ok "restore brings it back" says '"rows":4059' "$said"
ok "pg_dump of what was restored is pg_dump of the source" same_dump "$restored"
said=$(verb compare archive="$archive" target="$restored")
ok "compare with the archive finds them equal" says '"equal":true' "$said"

stock_tools() {
    local db
    db=$(fresh stock)
    "$bin/pg_restore" --section=pre-data --no-owner -d "$db" "$archive/schema.dump" &&
        zstd -dcq "$archive"/data/*_crm7.person.bin.zst |
        sql "$db" -c 'COPY crm7.person (id, name, email, fixed, born, seen, boss, doc, raw) FROM STDIN (FORMAT binary)' &&
        zstd -dcq "$archive"/data/*_crm7.every.copy.zst | sql "$db" -c 'COPY crm7.every FROM STDIN' &&
        test "$(sql "$db" -c 'SELECT count(*) FROM crm7.person, (SELECT count(*) FROM crm7.every) e')" = 3000
}
ok "stock tools read an archive" stock_tools

# ---------------------------------------------------------------- the mask

before=$(written)
masked=$(fresh masked)
said=$(verb stream source="$source_dsn" target="$masked" mask_domain=sink.test exclude=crm7.email_item)
ok "a masked stream counts what it masked" says '"masked":14[0-9]{3},' "$said"
ok "an excluded table is there and empty" test "$(sql "$masked" -c 'SELECT count(*) FROM crm7.email_item')" = 0
said=$(verb compare source="$source_dsn" target="$masked" mask_domain=sink.test exclude=crm7.email_item)
ok "compare proves the masked copy" says '"equal":true.*"tables":\[\{"kind":"table","source_rows":[0-9]+,"table":' "$said"
said=$(verb compare source="$source_dsn" target="$masked" exclude=crm7.email_item)
ok "and finds a difference without the mask" says '"problem":"content".*"equal":false|"equal":false' "$said"
masked_back=$(fresh masked_back)
said=$(verb restore archive="$archive" target="$masked_back" mask_domain=sink.test exclude=crm7.email_item)
ok "a masked restore masks the same" says '"masked":14[0-9]{3},' "$said"
ok "both ways lead to the same database" diff <(dump "$masked") <(dump "$masked_back")

no_original() { # the unmasked copies above lie on the same server: a server of its own
    local dir=$tmp/clean dsn found
    dsn=$("$root/tests/support/pg.sh" start "$dir") || return 1
    sql "$dsn" -c 'CREATE DATABASE only_masked'
    verb stream source="$source_dsn" target="$dsn dbname=only_masked" mask_domain=sink.test exclude=crm7.email_item
    sql "$dsn dbname=only_masked" -c 'CHECKPOINT' -c 'SELECT count(*) FROM crm7.person'
    "$root/tests/support/pg.sh" stop "$dir"
    found=$(grep -rlaiE '@corp\.example' "$dir")
    echo "found in: $found"
    grep -rqaE '_corp\.example@sink\.test' "$dir" && [ -z "$found" ]
}
ok "no original address is in any file of the target's server, WAL included" no_original
ok "the source holds what it held" diff <(dump "$source_dsn") "$tmp/source.sql"
ok "and nothing was written to it" test "$(written)" = "$before"

# ---------------------------------------------------------------- differences

sql "$streamed" -c "UPDATE crm7.person SET name = 'changed' WHERE id = 10"
said=$(verb compare source="$source_dsn" target="$streamed")
ok "one changed value is found" says '"problem":"content","source_rows":3000,"table":"crm7.person"' "$said"
sql "$streamed" -c 'DELETE FROM crm7.every WHERE i2 = 0' -c 'DROP TABLE crm7.unlogged' -c 'CREATE TABLE crm7.more ()'
said=$(verb compare source="$source_dsn" target="$streamed")
ok "a missing row is found" says '"problem":"rows","source_rows":503,"table":"crm7.every","target_rows":502' "$said"
ok "a missing table is found" says '"missing in the target","source_rows":0,"table":"crm7.unlogged"' "$said"
ok "a table too many is found" says '"not in the source","source_rows":0,"table":"crm7.more"' "$said"
sql "$masked" -c "INSERT INTO crm7.email_item VALUES (1, 'x')"
said=$(verb compare source="$source_dsn" target="$masked" mask_domain=sink.test exclude=crm7.email_item)
ok "rows in an excluded table are found" says '"excluded, but has rows"' "$said"

# ---------------------------------------------------------------- refusals

said=$(verb stream source="$source_dsn" target="$source_dsn")
ok "source and target may not be the same" says '"class":"permission","code":"E_SAME_DATABASE"' "$said"
said=$(verb stream source="$source_dsn" target="${source_dsn/host=127.0.0.1/host=elsewhere hostaddr=127.0.0.1}")
ok "whatever it is called" says 'E_SAME_DATABASE' "$said"
said=$(verb restore archive="$archive" target="$source_dsn")
ok "nor may an archive go over its source" says 'E_SAME_DATABASE' "$said"
said=$(verb stream source="$source_dsn" target="$restored")
ok "a target with tables is refused by name" says '"class":"conflict","code":"E_NOT_EMPTY".*it has .* more' "$said"
said=$(verb create source="$source_dsn" to="$archive")
ok "an archive is never written over" says 'E_ARCHIVE_EXISTS' "$said"
said=$(verb create source="$source_dsn" to="$tmp/none" exclude=crm7.emial_item)
ok "an excluded table must exist" says '"code":"E_NO_TABLE".*emial_item' "$said"
said=$(verb create source="$TEST_DSN dbname=backup_source" to="$tmp/none" password=wrongword)
ok "a wrong password is not repeated" says '"class":"permission"' "$said"
ok "in any message" bash -c "! printf %s '$said' | grep -q wrongword"
said=$(CLONER_PG_BIN=$tmp/nowhere verb create source="$source_dsn" to="$tmp/none")
ok "a server without its pg_dump names the package" says 'E_SERVER_TOO_NEW.*postgresql-client-' "$said"
ok "none of these left an archive" test ! -e "$tmp/none" -a ! -e "$tmp/none.partial"

wrapped() { # what the children are told: no password among their arguments
    mkdir -p "$tmp/wrap"
    local tool
    for tool in pg_dump pg_restore; do
        # shellcheck disable=SC2016 # for the script, not for us
        printf '#!/bin/sh\nprintf "%%s\\n" "$@" >>%s/arguments\nexec %s/%s "$@"\n' "$tmp" "$bin" "$tool" >"$tmp/wrap/$tool"
        chmod +x "$tmp/wrap/$tool"
    done
    CLONER_PG_BIN=$tmp/wrap verb stream source="$source_dsn" target="$(fresh wrapped)" &&
        grep -q backup_source "$tmp/arguments" && ! grep -qF "$(cat "$TEST_PG_DIR/admin")" "$tmp/arguments" &&
        ! grep -q "password='" "$tmp/arguments"
}
ok "a password is no program's argument" wrapped

# ---------------------------------------------------------------- damage

damaged() { # COMMAND on a copy in $d; then verify and restore must refuse with PATTERN
    local d=$tmp/damaged said
    rm -rf "$d"
    cp -a "$archive" "$d"
    (cd "$d" && eval "$1") || return 1
    said=$(verb verify archive="$d")
    says "$2" "$said" || return 1
    said=$(verb restore archive="$d" target="$(fresh damaged)")
    says "$2" "$said"
}
data='data/*_crm7.person.bin.zst'
ok "a missing file" damaged "rm $data" 'E_ARCHIVE_MISSING.*crm7.person.bin'
ok "a truncated file" damaged "truncate -s -1 $data" 'E_ARCHIVE_TRUNCATED.*crm7.person.bin'
ok "a longer file" damaged "echo >> \$(ls $data)" 'E_ARCHIVE_ALTERED.*crm7.person.bin'
ok "an altered byte" damaged "printf X | dd of=\$(ls $data) bs=1 seek=3000 conv=notrunc status=none" \
    'E_ARCHIVE_ALTERED.*crm7.person.bin'
ok "another file under its name" damaged \
    "cp data/*_crm7.audit.bin.zst x && zstd -dcq $data 2>/dev/null | head -c 100000 > y && zstd -qf y -o \$(ls $data) && rm x y" \
    'E_ARCHIVE_(ALTERED|TRUNCATED).*crm7.person.bin'
ok "a file too many" damaged "touch data/more" 'E_ARCHIVE_EXTRA.*data/more'
ok "an altered schema" damaged "printf X | dd of=schema.dump bs=1 seek=900 conv=notrunc status=none" \
    'E_ARCHIVE_ALTERED.*schema.dump'
ok "an altered manifest" damaged "sed -i 's/\"rows\": 3000/\"rows\": 2999/' manifest.json" 'E_ARCHIVE_ALTERED.*manifest'
ok "a manifest without its checksum" damaged "rm manifest.json.sha256" 'E_ARCHIVE_MISSING.*manifest.json.sha256'
ok "a wrong row count" damaged \
    "sed -i 's/\"rows\": 3000/\"rows\": 2999/' manifest.json && sha256sum manifest.json > manifest.json.sha256" \
    'altered: it has 3000 rows, not 2999|3000 written|2999 rows read'
ok "a newer format" damaged \
    "sed -i 's/\"format_version\": 2/\"format_version\": 9/' manifest.json && sha256sum manifest.json > manifest.json.sha256" \
    'E_ARCHIVE_VERSION.*version 9'
said=$(verb verify archive="$tmp/nowhere")
ok "no archive at all" says '"class":"not_found"' "$said"

# ---------------------------------------------------------------- faults

said=$(CLONER_FAULT=archive_publish:1:error verb create source="$source_dsn" to="$tmp/faulty")
ok "an archive that cannot be published" says 'E_FAULT' "$said"
ok "is not there" test ! -e "$tmp/faulty" -a ! -e "$tmp/faulty.partial"
CLONER_FAULT=archive_publish verb create source="$source_dsn" to="$tmp/faulty" >/dev/null 2>&1
ok "a crash before that leaves it unpublished" test ! -e "$tmp/faulty" -a -d "$tmp/faulty.partial"
said=$(verb create source="$source_dsn" to="$tmp/faulty")
ok "and the next attempt takes its place" says '"rows":4059' "$said"
ok "leaving nothing behind" test -d "$tmp/faulty" -a ! -e "$tmp/faulty.partial"
said=$(CLONER_FAULT=copy_batch:5:error verb stream source="$source_dsn" target="$(fresh faulty)")
ok "a failed batch fails the whole" says '"class":"transient","code":"E_FAULT"' "$said"

sql "$source_dsn" -c "SELECT lo_create(0)" -c "SELECT lo_create(0)" >/dev/null
said=$(verb create source="$source_dsn" to="$tmp/objects")
ok "large objects are not forgotten" says '"large_objects":2,.*"warnings":\[\]' "$said"
sql "$source_dsn" -c 'SELECT lo_unlink(oid) FROM pg_largeobject_metadata' >/dev/null

reader() { # a role that may only read
    sql "$source_dsn" -c "DROP ROLE IF EXISTS backup_reader" 2>/dev/null
    sql "$source_dsn" -c "CREATE ROLE backup_reader LOGIN PASSWORD 'r' IN ROLE pg_read_all_data BYPASSRLS" || return 1
    local dsn="${TEST_DSN/user=postgres/user=backup_reader} dbname=backup_source"
    verb create source="$dsn" password=r to="$tmp/reader" | grep -E '"rows":4059'
}
ok "a role that can only read makes a backup" reader

# ---------------------------------------------------------------- cancelling

sql "$source_dsn" -c "CREATE TABLE crm7.big AS
    SELECT i, repeat('filler ', 30) || i || '@corp.example' AS note FROM generate_series(1, 600000) i"

cancelled() { # WHEN DATABASE
    local before_ms after_ms said dsn
    dsn=$(fresh "$2")
    before_ms=$(date +%s%3N)
    said=$(verb stream source="$source_dsn" target="$dsn" mask_domain=sink.test cancel="$1")
    after_ms=$(date +%s%3N)
    echo "$((after_ms - before_ms)) ms"
    says '"stopped":"gave up"' "$said" || return 1
    # what came before the first rows is not part of the two seconds
    [ $((after_ms - before_ms)) -lt 6000 ] || return 1
    test "$(sql "$target_admin" -c "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^cloner'")" = 0 &&
        test "$(sql "$TEST_DSN" -c "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^cloner' AND datname = 'backup_source'")" = 0
}
ok "cancelled while rows move, it stops and leaves no session" cancelled rows cancelled

locked() { # somebody holds a lock: the wait for it ends with the job
    local holder result
    coproc LOCK { psql -XqAt "$source_dsn"; }
    holder=$LOCK_PID
    # shellcheck disable=SC2154
    echo "BEGIN; LOCK TABLE crm7.audit IN ACCESS EXCLUSIVE MODE; SELECT 'held';" >&"${LOCK[1]}"
    read -r -t 20 result <&"${LOCK[0]}"
    echo "$result"
    cancelled start cancelled2
    result=$?
    echo 'ROLLBACK; \q' >&"${LOCK[1]}"
    wait "$holder"
    return "$result"
}
ok "cancelled while it waits for a lock, too" locked

finish
