#!/usr/bin/env bash
# Proofs of copies: what backup.compare finds, and stream and restore with compare.
# shellcheck disable=SC2317 # functions are called through ok
set -u

# shellcheck source=tests/backup/lib.sh
. "$(dirname "$0")/lib.sh"

source_dsn=$(fresh_on "$TEST_DSN" compare_source)
target_admin=$(cluster target)
sql "$source_dsn" -f "$root/tests/backup/compare.sql" >/dev/null || exit 1

compare() { verb compare source="$source_dsn" "$@"; }

# ---------------------------------------------------------------- while copying

plain=$(fresh_on "$target_admin" plain)
said=$(verb stream source="$source_dsn" target="$plain" compare=yes jobs=3)
ok "a stream that compares says of how many tables" says '"compared":13,' "$said"
ok "progress reaches its total" says '"done":([0-9]+),.*"total":\1\b|"progress_calls":0' "$said"
masked=$(fresh_on "$target_admin" masked)
said=$(verb stream source="$source_dsn" target="$masked" mask_domain=sink.test exclude=shop.secret compare=yes)
ok "a masked one leaves out what is excluded" says '"compared":12,.*"masked":[1-9]' "$said"
archive=$tmp/archive
verb create source="$source_dsn" to="$archive" >/dev/null
said=$(verb restore archive="$archive" target="$(fresh_on "$target_admin" restored)" compare=yes)
ok "a restore compares too" says '"compared":13,' "$said"
said=$(verb restore archive="$archive" target="$(fresh_on "$target_admin" masked_back)" mask_domain=sink.test compare=yes)
ok "and a masked one" says '"compared":13,.*"masked":[1-9]' "$said"
said=$(verb stream source="$source_dsn" target="$(fresh_on "$target_admin" off)")
ok "without compare nothing is compared" bash -c "! grep -q compared <<<'$said'"

tampered() { # SQL: what happens to the rows when the last objects are made, after the load
    local dsn said
    dsn=$(fresh_on "$target_admin" tampered)
    sql "$dsn" -c "CREATE FUNCTION public.tamper() RETURNS event_trigger LANGUAGE plpgsql AS
            \$\$ BEGIN $1; END \$\$" \
        -c "CREATE EVENT TRIGGER tamper ON ddl_command_end WHEN tag IN ('CREATE TRIGGER')
            EXECUTE FUNCTION public.tamper()" || return 1
    shift
    said=$(verb "$@" target="$dsn" compare=yes)
    printf '%s\n' "$said"
}
said=$(tampered "UPDATE shop.person SET name = 'changed' WHERE id = 10" stream source="$source_dsn")
ok "a changed row fails the stream" says \
    '"class":"conflict","code":"E_COPY_DIFFERS".*shop.person.*2000 rows were written, 2000 read back, with other' "$said"
said=$(tampered "DELETE FROM shop.form WHERE id = 10" restore archive="$archive" mask_domain=sink.test)
ok "a lost row fails the restore" says 'E_COPY_DIFFERS.*shop.form.*300 rows were written, 299 read back' "$said"
said=$(tampered "DELETE FROM shop.form WHERE id = 10; INSERT INTO shop.nothing VALUES (1)" \
    stream source="$source_dsn")
ok "several are counted" says 'E_COPY_DIFFERS","message":"2 tables differ, first: shop' "$said"

said=$(verb stream source="$source_dsn" target="$(fresh_on "$target_admin" parts)" compare=yes part_bytes=16384 \
    mask_domain=sink.test jobs=3)
ok "the sums of parts add up" says '"compared":13,.*"masked":[1-9]' "$said"
said=$(tampered "DELETE FROM shop.person WHERE id = 10" stream source="$source_dsn" part_bytes=16384)
ok "and tell when a row of one is gone" says 'E_COPY_DIFFERS.*shop.person.*2000 rows were written, 1999 read back' "$said"

# ---------------------------------------------------------------- afterwards

said=$(compare target="$plain")
ok "compare finds a copy equal" says '"differences":\[\],"equal":true' "$said"
said=$(compare target="$masked" mask_domain=sink.test exclude=shop.secret)
ok "a masked one, whatever form the server gave its values" says '"differences":\[\],"equal":true' "$said"
said=$(verb compare archive="$archive" target="$plain")
ok "against an archive" says '"differences":\[\],"equal":true' "$said"
said=$(verb compare archive="$archive" target="$masked" mask_domain=sink.test exclude=shop.secret)
ok "masked against an archive" says '"differences":\[\],"equal":true' "$said"
said=$(compare target="$masked" mask_domain=sink.test exclude=shop.secret part_bytes=16384 jobs=3)
ok "in many parts" says '"differences":\[\],"equal":true.*("parts_total":[3-9][0-9],|"progress_calls":0)' "$said"
said=$(compare target="$masked" exclude=shop.secret)
ok "unmasked, the masked copy differs" says '"equal":false,.*"n_differences":8' "$said"

differs() { # SQL PATTERN [key=value...]: with the copy changed so, compare says that; the copy is put right again
    local change=$1 pattern=$2 said dsn=$plain
    shift 2
    [[ "$*" != *mask_domain* ]] || dsn=$masked
    sql "$target_admin" -c 'DROP DATABASE IF EXISTS changed' \
        -c "CREATE DATABASE changed TEMPLATE ${dsn##*dbname=}" >/dev/null 2>&1
    sql "$target_admin dbname=changed" -c "SET search_path = shop, public" -c "$change" >/dev/null || return 1
    said=$(compare target="$target_admin dbname=changed" "$@")
    says "$pattern" "$said" && says '"equal":false' "$said"
}
one='"n_differences":1,'
ok "one changed value" differs "UPDATE person SET name = 'x' WHERE id = 7" \
    "\"problem\":\"content\",\"rows\":.*,\"source_rows\":2000,\"table\":\"shop.person\",\"target_rows\":2000.*$one"
ok "a missing row" differs "DELETE FROM person WHERE id = 7" \
    "\"problem\":\"rows\",\"rows\":.*,\"source_rows\":2000,\"table\":\"shop.person\",\"target_rows\":1999.*$one"
ok "an extra row" differs "INSERT INTO twice VALUES ('k1', 1)" \
    "\"source_rows\":200,\"table\":\"shop.twice\",\"target_rows\":201.*$one"
ok "a row that is there once too often in another's place" differs \
    "DELETE FROM twice WHERE ctid = (SELECT min(ctid) FROM twice); INSERT INTO twice VALUES ('k0', 1)" \
    "\"problem\":\"content\",.*\"table\":\"shop.twice\".*$one"
ok "a row in another table" differs \
    "WITH gone AS (DELETE FROM person WHERE id = 7 RETURNING *) INSERT INTO moved_here TABLE gone" \
    '"table":"shop.moved_here","target_rows":1.*"n_differences":2,'
ok "values swapped between two rows" differs \
    "UPDATE person p SET name = q.name FROM person q WHERE p.id + q.id = 15 AND p.id IN (7, 8)" \
    "\"problem\":\"content\",.*\"table\":\"shop.person\".*$one"
ok "a row of no columns" differs "INSERT INTO without_columns DEFAULT VALUES" \
    "\"source_rows\":1,\"table\":\"shop.without_columns\",\"target_rows\":2.*$one"
ok "a row in an empty table" differs "INSERT INTO nothing VALUES (1)" "\"table\":\"shop.nothing\",\"target_rows\":1.*$one"
ok "a sequence that has moved on" differs "SELECT nextval('counter')" \
    "\"kind\":\"sequence\",\"problem\":\"at 18, not 17\".*\"table\":\"shop.counter\".*$one"
ok "one that was called" differs "SELECT nextval('untouched')" "\"problem\":\"at 5, not 5 \\(not called\\)\".*$one"
ok "a sequence that is not there" differs "DROP SEQUENCE counter" \
    "\"kind\":\"sequence\",\"problem\":\"missing in the target\".*$one"
ok "a sequence too many" differs "CREATE SEQUENCE more" \
    "\"kind\":\"sequence\",\"problem\":\"not in the source\".*\"table\":\"shop.more\".*$one"
ok "a materialised view that is empty" differs "REFRESH MATERIALIZED VIEW adults WITH NO DATA" \
    "\"kind\":\"materialised view\",\"problem\":\"missing or not filled.*$one"
ok "rows are named by their keys" differs \
    "UPDATE person SET name = 'x' WHERE id = 7; DELETE FROM person WHERE id = 1234; INSERT INTO person VALUES (-5, 'secret')" \
    '"rows":\["(id = 7: other content|id = 1234: missing in the target|id = -5: not in the source)"(,"id = (7|1234|-5): [a-z ]+"){2}\]'
ok "in whichever part they are" differs "DELETE FROM person WHERE id = 1999; UPDATE person SET born = NULL WHERE id = 3" \
    '"rows":\["id = (3: other content|1999: missing in the target)","id = [13]' part_bytes=16384
ok "keys of several columns, without what could be an address" differs "UPDATE pair SET note = 'x' WHERE note = 'n7'" \
    '"rows":\["b = \(with an @, hash [0-9a-f]{8}\), a = 8f14e45f-ceea-167a-5a36-dedd4bea2543: other content"\]'
ok "rows without a key by how often they are there" differs "INSERT INTO twice VALUES ('k1', 1)" \
    '"rows":\["a row \(no key, hash [0-9a-f]{16}\): [1-9][0-9]* in the target, not [0-9]+"\]'
ok "no more than a handful" differs "UPDATE person SET name = 'x'" \
    '"rows":\[("id = [0-9]+: other content",){5}"… and at least 1[0-9]{3} more"\]'
mask="mask_domain=sink.test exclude=shop.secret"
# shellcheck disable=SC2086 # two words
{
    ok "under a mask: a changed value" differs "UPDATE person SET born = born + 1 WHERE id = 7" \
        "\"table\":\"shop.person\".*$one" $mask
    ok "an address that was not masked" differs "UPDATE person SET email = 'p7@corp.example' WHERE id = 7" \
        "\"table\":\"shop.person\".*$one" $mask
    ok "keys are masked" differs "UPDATE pair SET note = 'x' WHERE note = 'n7'; UPDATE pair SET b = 'b8@corp.example' WHERE note = 'n8'" \
        '"rows":\["b = b[78]_corp.example@sink.test, [^@]+b = b[78]_corp.example@sink.test, [^@]+b = b[78]_corp.example@sink.test, [^@]+$' $mask
    ok "another value in a document" differs "UPDATE form SET doc = jsonb_set(doc, '{z}', '0') WHERE id = 7" \
        "\"table\":\"shop.form\".*$one" $mask
    ok "values swapped within a document" differs \
        "UPDATE doc SET j = j || jsonb_build_object('b', j -> 'm7_corp.example@sink.test', 'm7_corp.example@sink.test', j -> 'b') WHERE id = 7" \
        "\"table\":\"shop.doc\".*$one" $mask
    ok "elements of an array in another order" differs \
        "UPDATE inside SET texts = texts[5:5] || texts[1:4] WHERE id = 7" "\"table\":\"shop.inside\".*$one" $mask
    ok "another value beside one" differs "UPDATE form SET code = 'other' WHERE id = 7" \
        "\"table\":\"shop.form\".*$one" $mask
    ok "rows where none may be" differs "INSERT INTO secret VALUES ('x')" \
        "\"problem\":\"excluded, but has rows\".*$one" $mask
}

# ---------------------------------------------------------------- partitioned in another way

recut() { # DATABASE: flat becomes partitioned, cut becomes flat
    sql "$1" <<'SQL'
SET search_path = shop;
CREATE TABLE flat_new (at date NOT NULL, id int NOT NULL, note text) PARTITION BY HASH (id);
CREATE TABLE flat_0 PARTITION OF flat_new FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE flat_1 PARTITION OF flat_new FOR VALUES WITH (MODULUS 2, REMAINDER 1) PARTITION BY RANGE (id);
CREATE TABLE flat_1a PARTITION OF flat_1 FOR VALUES FROM (0) TO (200);
CREATE TABLE flat_1b PARTITION OF flat_1 DEFAULT;
INSERT INTO flat_new (id, note, at) TABLE flat;
DROP TABLE flat;
ALTER TABLE flat_new RENAME TO flat;
CREATE TABLE cut_new AS TABLE cut;
DROP TABLE cut;
ALTER TABLE cut_new RENAME TO cut;
SQL
}
recut "$plain"
recut "$masked"
said=$(compare target="$plain")
ok "a table that is partitioned on one side only is compared as a whole" says \
    '"differences":\[\],"equal":true.*"source_rows":500,"table":"shop.flat","target_rows":500' "$said"
ok "so are its partitions with a table" says '"source_rows":500,"table":"shop.cut","target_rows":500' "$said"
said=$(compare target="$masked" mask_domain=sink.test exclude=shop.secret part_bytes=16384)
ok "under a mask" says '"differences":\[\],"equal":true' "$said"
said=$(verb compare archive="$archive" target="$plain")
ok "an archive does not tell of which table its partitions are" says \
    '"missing in the target".*"table":"shop.cut_2025".*"not in the source".*"shop.cut".*"n_differences":3' "$said"
ok "but its whole tables are found in partitions" says '"source_rows":500,"table":"shop.flat","target_rows":500' "$said"
ok "what differs there is found" differs "UPDATE flat SET note = 'x' WHERE id = 7; DELETE FROM cut WHERE id = 8" \
    '"rows":\["id = 7: other content"\],"source_rows":500,"table":"shop.flat".*"table":"shop.cut","target_rows":499'

# ---------------------------------------------------------------- scripts

script() { # CODE PATTERN SCRIPT key=value...: ends with that exit code and says that
    local code=$1 pattern=$2 name=$3 said got
    shift 3
    said=$("$CLONER" "$root/scripts/$name" "$@" 2>&1)
    got=$?
    echo "exit code $got"
    says "$pattern" "$said" && [ "$got" = "$code" ]
}
copied=$(fresh_on "$target_admin" copied)
ok "copydb proves its copy" script 0 '13 tables read back and equal' copydb.lua \
    source="$source_dsn" target="$copied" mail_domain=sink.test
ok "compare.lua says that nothing differs" script 0 'result +no difference found' compare.lua \
    source="$source_dsn" target="$copied" mail_domain=sink.test
sql "$copied" -c 'DELETE FROM shop.person WHERE id = 7' -c "SELECT nextval('shop.counter')" >/dev/null
ok "and lists what does" script 1 'DIFFERS +table shop.person: rows \(2000 rows, 1999 in the target\)' compare.lua \
    source="$source_dsn" target="$copied" mail_domain=sink.test
ok "with the row's key" script 1 '^ +id = 7: missing in the target$' compare.lua \
    archive="$archive" target="$copied" mail_domain=sink.test
ok "sequences too" script 1 'DIFFERS +sequence shop.counter: at 18, not 17$' compare.lua \
    archive="$archive" target="$copied" mail_domain=sink.test
ok "as JSON" script 1 '"n_differences": ?2' compare.lua \
    archive="$archive" target="$copied" mail_domain=sink.test format=json
ok "compare.lua refuses two sources" script 2 'either source=DSN or archive=PATH' compare.lua \
    source="$source_dsn" archive="$archive" target="$copied"
ok "and a parameter nobody knows" script 2 "unknown parameter 'masks'" compare.lua \
    source="$source_dsn" target="$copied" masks=x

finish
