#!/usr/bin/env bash
# Large objects: copied with owners, privileges, comments and every byte, straight and by archive,
# masked and not, by a superuser and by somebody who only owns them.
# shellcheck disable=SC2317 # functions are called through ok
set -u

# shellcheck source=tests/backup/lib.sh
. "$(cd "$(dirname "$0")" && pwd)/lib.sh"

server=$(cluster server)
src=$(fresh_on "$server" lo_source)
sql "$server" -c "CREATE ROLE lo_owner LOGIN" -c "CREATE ROLE \"lo \"\"reader\"" -c "CREATE ROLE lo_more"

sql "$src" >/dev/null <<'SQL'
-- 1: nothing, 2: short, 3: a hole in front, 4: 3 MB that do not compress, 5: ends where a piece ends
SELECT lo_create(1), lo_from_bytea(2, 'hello'), lo_create(3), lo_from_bytea(4, ''), lo_create(5);
SELECT lo_put(3, 3000000, 'behind the hole');
SELECT lo_put(4, (i * 32)::bigint, sha256(i::text::bytea)) FROM generate_series(0, 98303) i;
SELECT lo_put(5, 1048575, '\x00');
SELECT lo_from_bytea(6, convert_to(repeat('x', 65536), 'UTF8')), lo_from_bytea(7, convert_to(repeat('x', 65537), 'UTF8'));
ALTER LARGE OBJECT 2 OWNER TO lo_owner;
GRANT SELECT ON LARGE OBJECT 2 TO "lo ""reader" WITH GRANT OPTION;
GRANT SELECT, UPDATE ON LARGE OBJECT 2 TO lo_more;
SET SESSION AUTHORIZATION "lo ""reader";
GRANT SELECT ON LARGE OBJECT 2 TO PUBLIC;
RESET SESSION AUTHORIZATION;
COMMENT ON LARGE OBJECT 2 IS E'it''s a "comment"\\\nof two lines';
-- owners who may not write any more, or do nothing at all
ALTER LARGE OBJECT 4 OWNER TO lo_owner;
REVOKE UPDATE ON LARGE OBJECT 4 FROM lo_owner;
REVOKE ALL ON LARGE OBJECT 5 FROM postgres;
DO $$ BEGIN
    FOR i IN 1..3000 LOOP
        PERFORM lo_from_bytea(('1' || lpad(i::text, 8, '0'))::oid,
            CASE WHEN i % 3 = 0 THEN '\x00ff'::bytea || i::text::bytea
                 ELSE convert_to('to mail' || i || '@corp.example, thanks', 'UTF8') END);
    END LOOP;
END $$;
SELECT lo_from_bytea(4294967295, 'the last one');
SQL

contents() {
    sql "$1" -c "SELECT oid, length(lo_get(oid)), md5(lo_get(oid)) FROM pg_largeobject_metadata ORDER BY oid"
}

by_pg_dump=$(fresh_on "$server" lo_by_pg_dump)
"$bin/pg_dump" -Fc "$src" | "$bin/pg_restore" -d "$by_pg_dump"
same() { # DSN: like what pg_dump and pg_restore made of it
    diff <(dump "$1") <(dump "$by_pg_dump") && diff <(contents "$1") <(contents "$by_pg_dump")
}
pages() { sql "$1" -c 'SELECT loid, pageno, md5(data) FROM pg_largeobject ORDER BY 1, 2'; }

streamed=$(fresh_on "$server" lo_streamed)
said=$(verb stream source="$src" target="$streamed" compare=yes)
ok "stream copies large objects" says '"large_objects":3008,.*"warnings":\[\]' "$said"
ok "as pg_dump and pg_restore do" same "$streamed"
ok "page by page, holes included" diff <(pages "$streamed") <(pages "$by_pg_dump")
ok "progress reaches its total" says '"done":([0-9]+),.*"total":\1\b|"progress_calls":0' "$said"

said=$(verb compare source="$src" target="$streamed" jobs=3)
ok "compare finds them equal" says '"equal":true' "$said"
sql "$streamed" -c "SELECT lo_put(4, 2500000, 'x')" >/dev/null
said=$(verb compare source="$src" target="$streamed")
ok "and one changed byte" says '"differences":\[\{"kind":"large objects","problem":"content","source_rows":3008,' "$said"
sql "$streamed" -c "SELECT lo_create(100)" >/dev/null
said=$(verb compare source="$src" target="$streamed")
ok "and one too many" says '"problem":"number","source_rows":3008,.*"target_rows":3009' "$said"
said=$(verb compare source="$src" target="$streamed" leave=large_objects)
ok "unless it is told to leave them" says '"equal":true' "$said"

archive=$tmp/archive
said=$(verb create source="$src" to="$archive" jobs=3)
ok "create keeps them" says '"large_objects":3008,.*"warnings":\[\]' "$said"
said=$(verb verify archive="$archive")
ok "verify reads them" says '"warnings":\[\]' "$said"
restored=$(fresh_on "$server" lo_restored)
said=$(verb restore archive="$archive" target="$restored" jobs=4)
ok "restore brings them back" says '"large_objects":3008,' "$said"
ok "as they were" same "$restored"

stock_tools() {
    local db
    db=$(fresh_on "$server" lo_stock)
    sql "$db" -c 'CREATE TABLE stage (loid oid, "offset" bigint, data bytea, owner text, grants text, remarks text)' || return 1
    local file
    for file in "$archive"/data/*pg_largeobject*.bin.zst; do
        zstd -dcq "$file" | sql "$db" -c 'COPY stage FROM STDIN (FORMAT binary)' || return 1
    done
    sql "$db" >/dev/null <<'SQL' || return 1
SELECT lo_create(loid) FROM stage WHERE "offset" = 0;
SELECT lo_put(loid, "offset", data) FROM stage;
SELECT format('ALTER LARGE OBJECT %s OWNER TO %I', loid, owner), grants, remarks FROM stage WHERE "offset" = 0 \gexec
DROP TABLE stage;
SQL
    same "$db"
}
ok "stock tools read them from an archive" stock_tools

# ---------------------------------------------------------------- the mask

masked=$(fresh_on "$server" lo_masked)
said=$(verb stream source="$src" target="$masked" mask_domain=sink.test)
ok "a masked stream masks those that are text" says '"masked":2000,' "$said"
text_of() { sql "$masked" -c "SELECT convert_from(lo_get($1), 'UTF8')"; }
ok "whole" test "$(text_of 100000001)" = "to mail1_corp.example@sink.test, thanks"
ok "and leaves others alone" test "$(sql "$masked" -c "SELECT lo_get(100000003)")" = '\x00ff33'
ok "no address is left" test "$(sql "$masked" -c \
    "SELECT count(*) FROM pg_largeobject WHERE encode(data, 'escape') LIKE '%@corp.example%'")" = 0
masked_back=$(fresh_on "$server" lo_masked_back)
said=$(verb restore archive="$archive" target="$masked_back" mask_domain=sink.test compare=yes)
ok "a masked restore makes the same" diff <(dump "$masked") <(dump "$masked_back")
said=$(verb compare archive="$archive" target="$masked_back" mask_domain=sink.test)
ok "compare proves the masked copy" says '"equal":true' "$said"

left=$(fresh_on "$server" lo_left)
said=$(verb stream source="$src" target="$left" leave=large_objects)
ok "they can be left behind, which is told" says '"large_objects":0,.*"warnings":\["3008 large objects' "$said"
said=$(verb restore archive="$archive" target="$(fresh_on "$server" lo_left)" leave=large_objects,owners)
ok "by restore, too" says '"large_objects":0,.*"warnings":\["3008 large objects' "$said"
said=$(verb create source="$src" to="$tmp/less" leave=large_objects)
ok "or out of an archive" says '"large_objects":0,.*"warnings":\["3008 large objects' "$said"
said=$(verb restore archive="$tmp/less" target="$(fresh_on "$server" lo_left)")
ok "which says so later" says '"warnings":\["3008 large objects' "$said"
plain=$(fresh_on "$server" lo_plain)
verb restore archive="$archive" target="$plain" leave=owners,privileges >/dev/null
ok "owners and privileges can be left behind" test "$(sql "$plain" -c \
    "SELECT count(*) FROM pg_largeobject_metadata WHERE lomowner = 'postgres'::regrole AND lomacl IS NULL")" = 3008

# an address across the border of two pieces; binary from the second piece on; too long a text
sql "$src" >/dev/null <<'SQL'
SELECT lo_from_bytea(10, convert_to(repeat('x ', 524285) || 'jane.doe@corp.example' || repeat(' x', 600000), 'UTF8'));
SELECT lo_from_bytea(11, convert_to(repeat('jane@corp.example ', 100000), 'UTF8') || '\x00');
SQL
wide=$(fresh_on "$server" lo_wide)
said=$(verb stream source="$src" target="$wide" mask_domain=sink.test)
ok "an address across two pieces is masked" test "$(sql "$wide" -c \
    "SELECT position('jane.doe_corp.example@sink.test x'::bytea in lo_get(10))")" = 1048571
ok "in contents that turn out to be no text addresses are overwritten" test "$(sql "$wide" -c \
    "SELECT length(lo_get(11)) || ' ' || position('@'::bytea IN lo_get(11))")" = "1800001 0"
sql "$src" -c "SELECT lo_from_bytea(12, convert_to(repeat('0123456789abcdef', 4194305), 'UTF8'))" >/dev/null
said=$(verb stream source="$src" target="$(fresh_on "$server" lo_wide)" mask_domain=sink.test)
ok "a text too long for the mask is an error that names it" says \
    '"code":"E_LARGE_OBJECT".*large object 12 .*64 MiB.*large_objects' "$said"

# ---------------------------------------------------------------- refusals and rights

sql "$src" -c 'SELECT lo_unlink(oid) FROM pg_largeobject_metadata WHERE oid BETWEEN 1 AND 12' >/dev/null
said=$(verb stream source="$src" target="$masked_back")
ok "a target with large objects is refused by name" says '"code":"E_NOT_EMPTY".*large object 1 .*more' "$said"

# somebody who owns his database and his objects, and nothing else
sql "$server" -c "ALTER ROLE lo_owner PASSWORD 'own'" >/dev/null
as_owner() { sed -E "s/user=[^ ]+/user=lo_owner/; s/password=[^ ]+/password=own/" <<<"$1"; }
owned() { # NAME: a database of his; prints how he reaches it
    fresh_on "$server" "$1" >/dev/null
    sql "$server" -c "ALTER DATABASE $1 OWNER TO lo_owner" >/dev/null
    as_owner "$server dbname=$1"
}
his=$(owned lo_his)
sql "$his" -c "SELECT lo_from_bytea(21, 'mine')" -c 'GRANT SELECT ON LARGE OBJECT 21 TO lo_more' \
    -c "COMMENT ON LARGE OBJECT 21 IS 'also mine'" >/dev/null
copy=$(owned lo_his_copy)
said=$(verb stream source="$his" target="$copy")
ok "who owns objects copies them" says '"large_objects":1,' "$said"
ok "whole" diff <(dump "$his") <(dump "$copy")
sql "$server dbname=lo_his" -c "SELECT lo_from_bytea(22, 'not his')" >/dev/null
said=$(verb stream source="$his" target="$(owned lo_his_copy)" leave=owners)
ok "who may not read one is told which" says '"class":"permission".*large object 22' "$said"

# ---------------------------------------------------------------- damage

broken() { # flips a byte in the middle of a data file
    local d=$tmp/broken file said
    cp -a "$archive" "$d" && file=$(find "$d/data" -name '*pg_largeobject*' | sort | tail -1)
    printf 'X' | dd of="$file" bs=1 seek=$(($(stat -c %s "$file") / 2)) conv=notrunc status=none
    said=$(verb verify archive="$d")
    says '"code":"E_ARCHIVE_ALTERED".*pg_largeobject' "$said" || return 1
    said=$(verb restore archive="$d" target="$(fresh_on "$server" lo_broken)")
    says '"code":"E_ARCHIVE_ALTERED".*pg_largeobject' "$said"
}
ok "a damaged file of large objects is refused" broken

finish
