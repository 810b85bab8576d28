#!/usr/bin/env bash
# bytea and large objects that are text, or hold addresses among other bytes; and comments: masked in
# binary and in text COPY, straight and by archive, and proved.
# shellcheck disable=SC2317 # functions are called through ok
set -u

# shellcheck source=tests/backup/lib.sh
. "$(cd "$(dirname "$0")" && pwd)/lib.sh"

server=$(cluster server)
src=$(fresh_on "$server" bytes_source)
sql "$src" >/dev/null <<'SQL'
CREATE DOMAIN blob AS bytea;
CREATE TYPE word AS ENUM ('a');
CREATE TABLE binary_copy (id int PRIMARY KEY, b bytea, d blob);
CREATE TABLE text_copy (id int PRIMARY KEY, b bytea, w word[]); -- an array of a user's type
CREATE VIEW given (id, b) AS VALUES
    (1, convert_to('to ole@corp.example', 'UTF8')),
    (2, '\x00ff'::bytea || convert_to('ole@corp.example', 'UTF8') || '\x0012'),
    (3, convert_to('Kåre Hansen <kare@corp.example>, tax', 'LATIN1')),
    (4, '\x00ff40002e'::bytea),
    (5, ''::bytea),
    (6, NULL),
    (7, '\x5c78'::bytea || convert_to(' \n ole%40corp.example', 'UTF8')),
    (8, '\x00c3'::bytea || convert_to('a@b.no', 'UTF8'));
CREATE TYPE file AS (name text, body bytea, parts bytea[]);
CREATE TYPE span AS RANGE (subtype = bytea);
CREATE DOMAIN list AS bytea[];
CREATE TABLE binary_lists (id int PRIMARY KEY, b bytea[], l list);
CREATE TABLE text_lists (id int PRIMARY KEY, b bytea[], l list, d blob[], f file, fs file[], s span);
INSERT INTO binary_copy SELECT id, b, b FROM given;
INSERT INTO binary_lists SELECT id, ARRAY[[b, NULL], ['', b]], ARRAY[b] FROM given;
INSERT INTO text_lists SELECT id, ARRAY[[b, NULL], ['', b]], ARRAY[b], ARRAY[b]::blob[], ('to ole@corp.example', b, ARRAY[b])::file,
    ARRAY[('\x ", (', b, ARRAY[b, b])::file], span(b, NULL) FROM given;
INSERT INTO text_copy SELECT id, b, '{a}' FROM given;
INSERT INTO binary_copy SELECT i, sha256(i::text::bytea), sha256(i::text::bytea) || sha512(i::text::bytea)
  FROM generate_series(100, 5000) i;
CREATE TABLE keyed (b bytea) PARTITION BY LIST (b);
CREATE TABLE keyed_1 PARTITION OF keyed FOR VALUES IN ('ole@corp.example', 'ole_corp.example@sink.test');
CREATE TABLE keyed_2 PARTITION OF keyed DEFAULT;
INSERT INTO keyed VALUES ('ole@corp.example'), ('kari@corp.example'), ('\x00');

-- 1: binary, an address across the border of pieces; 2: text but for its very end; 3: two MiB of noise
SELECT lo_create(1), lo_from_bytea(2, convert_to(repeat('to ole@corp.example ', 60000), 'UTF8') || '\x0080'), lo_create(3);
SELECT lo_put(1, 0, '\x00'), lo_put(1, 1048570, 'ole@corp.example'), lo_put(1, 2097151, '\xff');
SELECT lo_put(3, (i * 64)::bigint, sha512(i::text::bytea)) FROM generate_series(0, 32767) i;
COMMENT ON LARGE OBJECT 3 IS 'it''s ole@corp.example';

COMMENT ON TABLE binary_copy IS E'ask "ole@corp.example", it''s \\ his\n-- TOC entry';
COMMENT ON COLUMN text_copy.b IS 'ole@sink.test';
CREATE TABLE "with ' and @corp.example" ("a""'@b.example" int);
COMMENT ON COLUMN "with ' and @corp.example"."a""'@b.example" IS 'ole@corp.example';
CREATE INDEX binary_b ON binary_copy (id, md5(b));
COMMENT ON INDEX binary_b IS 'o''brien@corp.example';
CREATE FUNCTION f(a text DEFAULT 'x''y') RETURNS text LANGUAGE sql AS 'SELECT a';
COMMENT ON FUNCTION f(text) IS 'ole@corp.example';
SQL

masked=$(fresh_on "$server" bytes_masked)
said=$(verb stream source="$src" target="$masked" mask_domain=sink.test compare=yes jobs=2)
ok "a masked stream, proved" says '"masked":[0-9]+,.*"warnings":\[\]' "$said"

bytes() { sql "$masked" -c "SELECT encode(b, 'escape') FROM $1 WHERE id = $2"; }
for table in binary_copy text_copy; do
    ok "text is masked as text ($table)" test "$(bytes $table 1)" = 'to ole_corp.example@sink.test'
    ok "Latin-1, too" test "$(bytes $table 3)" = 'K\345re Hansen <kare_corp.example@sink.test>, tax'
    ok "escapes are read" test "$(bytes $table 7)" = '\\x \\n ole_corp.example%40sink.test'
    ok "in other bytes as many letters stand there" test "$(sql "$masked" -c "SELECT
        length(b) = 20 AND get_byte(b, 0) = 0 AND get_byte(b, 1) = 255 AND substr(b, 19) = '\x0012'
        AND position('@'::bytea IN b) = 0 FROM $table WHERE id = 2")" = t
    ok "what is none stays" diff <(sql "$src" -c "SELECT * FROM $table WHERE id IN (4, 5, 6, 8) OR id >= 100 ORDER BY id") \
        <(sql "$masked" -c "SELECT * FROM $table WHERE id IN (4, 5, 6, 8) OR id >= 100 ORDER BY id")
done
ok "arrays hold what columns of their own would" test "$(sql "$masked" -c "SELECT count(*) FROM binary_copy c
    JOIN binary_lists l USING (id) JOIN text_lists t USING (id) WHERE ARRAY[[c.b, NULL], ['', c.b]] IS DISTINCT FROM l.b
    OR ARRAY[c.b] IS DISTINCT FROM l.l::bytea[] OR t.b IS DISTINCT FROM l.b OR t.l IS DISTINCT FROM l.l")" = 0
ok "so do composites, ranges, and those within each other" test "$(sql "$masked" -c "SELECT count(*) FROM binary_copy c
    JOIN text_lists t USING (id) WHERE t.d::bytea[] IS DISTINCT FROM ARRAY[c.b] OR (t.f).body IS DISTINCT FROM c.b
    OR (t.f).parts IS DISTINCT FROM ARRAY[c.b] OR (t.f).name <> 'to ole_corp.example@sink.test'
    OR (t.fs)[1] IS DISTINCT FROM ('\x \", (', c.b, ARRAY[c.b, c.b])::file OR lower(t.s) IS DISTINCT FROM c.b")" = 0
ok "domains are masked alike" test "$(sql "$masked" -c 'SELECT count(*) FROM binary_copy WHERE id < 10 AND b <> d')" = 0
ok "rows find their partition anew" test "$(sql "$masked" -c 'SELECT count(*) FROM keyed_1')" = 1

lo() { sql "$masked" -c "SELECT $1"; }
ok "an address across pieces of a large object is overwritten" test "$(lo "length(lo_get(1)) || ' '
    || position('@'::bytea IN lo_get(1)) || ' ' || get_byte(lo_get(1), 2097151)")" = "2097152 0 255"
ok "and every one in what is nearly text" test "$(lo "length(lo_get(2)) || ' ' || position('@'::bytea IN lo_get(2))")" = \
    "1200002 0"
ok "noise stays" test "$(lo "md5(lo_get(3))")" = "$(sql "$src" -c 'SELECT md5(lo_get(3))')"

comments() {
    sql "$1" -c "SELECT description FROM pg_description
        WHERE objoid >= 16384 OR classoid = 'pg_largeobject'::regclass ORDER BY description COLLATE \"C\""
}
comments "$masked" >"$tmp/comments"
ok "comments are masked" diff - "$tmp/comments" <<'END'
ask "ole_corp.example@sink.test", it's \ his
-- TOC entry
it's ole_corp.example@sink.test
o'brien_corp.example@sink.test
ole@sink.test
ole_corp.example@sink.test
ole_corp.example@sink.test
END
ok "names are not" test "$(sql "$masked" -c "SELECT count(*) FROM pg_class WHERE relname = 'with '' and @corp.example'")" = 1

archive=$tmp/archive
said=$(verb create source="$src" to="$archive")
ok "an archive keeps them as they are" says '"warnings":\[\]' "$said"
back=$(fresh_on "$server" bytes_back)
said=$(verb restore archive="$archive" target="$back" mask_domain=sink.test compare=yes)
ok "a masked restore, proved" says '"masked":[0-9]+,.*"warnings":\[\]' "$said"
ok "makes the same" diff <(dump "$masked") <(dump "$back")
said=$(verb compare source="$src" target="$back" mask_domain=sink.test)
ok "compare finds no difference" says '"equal":true' "$said"
said=$(verb compare source="$src" target="$back")
ok "but without the mask" says '"equal":false' "$said"

"$CLONER" "$root/scripts/scan.lua" target="$masked" allow=sink.test >"$tmp/scan" 2>&1
ok "a scan finds nothing" test $? = 0
"$CLONER" "$root/scripts/scan.lua" target="$src" allow=sink.test >"$tmp/scan" 2>&1
ok "in the source it finds" test $? = 1
ok "the same in bytea" says 'LEAK +4 in public.binary_copy.b: corp.example' "$(cat "$tmp/scan")"
ok "in arrays" says 'LEAK +8 in public.binary_lists.b: corp.example' "$(cat "$tmp/scan")"
ok "and within composites" says 'LEAK +12 in public.text_lists.fs: corp.example' "$(cat "$tmp/scan")"
ok "and in large objects" says 'LEAK +60001 in pg_catalog.pg_largeobject.data: corp.example' "$(cat "$tmp/scan")"

finish
