#!/usr/bin/env bash
# Addresses in default and generated expressions: masked on the way, straight and by archive, where what
# comes of them is still a value of the column; and told of where it would not be.
# shellcheck disable=SC2317 # functions are called through ok
set -u

# shellcheck source=tests/backup/lib.sh
. "$(cd "$(dirname "$0")" && pwd)/lib.sh"

server=$(cluster server)
src=$(fresh_on "$server" defaults_source)
sql "$src" >/dev/null <<'SQL' || exit 1
SET client_min_messages = warning;
CREATE EXTENSION citext;
CREATE TYPE who AS ENUM ('ole@corp.example', 'nobody');
CREATE DOMAIN mail AS varchar(60) DEFAULT 'domain@corp.example' CHECK (VALUE LIKE '%@%');
CREATE TABLE person (mail text PRIMARY KEY);
CREATE TABLE t (
    id int PRIMARY KEY,
    plain text DEFAULT 'plain@corp.example' REFERENCES person,
    two text DEFAULT 'one@corp.example, ' || lower('Two@corp.example'),
    quoted text DEFAULT 'it''s "o''brien@corp.example"',
    escaped text DEFAULT E'C:\\new ''ole@corp.example''',
    narrow varchar(30) DEFAULT 'somebody.with.a.name@corp.example.org'::varchar(30) NOT NULL,
    fixed char(40) DEFAULT 'fixed@corp.example',
    folded citext DEFAULT 'Folded@corp.example',
    doc jsonb DEFAULT '{"mail": "doc@corp.example", "note": "a \" and \\ b"}',
    bytes bytea DEFAULT 'bytes@corp.example',
    list text[] DEFAULT '{list@corp.example}',
    listed text[] DEFAULT ARRAY['listed@corp.example'],
    short varchar(9)[] DEFAULT '{a@b.c}',
    label who DEFAULT 'ole@corp.example',
    of_domain mail,
    checked text DEFAULT 'mask me: check@corp.example' CHECK (checked <> 'left@corp.example'),
    "DEFAULT 'x@corp.example'" text,
    "default" text DEFAULT CASE WHEN 1 < 2 THEN 'case@corp.example' ELSE 'else@corp.example' END,
    made text GENERATED ALWAYS AS ('made@corp.example ' || id) STORED,
    tight varchar(8) DEFAULT 'a@b.c');
CREATE TABLE child (plain text DEFAULT 'child@corp.example', tight varchar(8) DEFAULT 'c@b.c') INHERITS (t);
INSERT INTO person VALUES ('plain@corp.example');
INSERT INTO t (id, tight, short) VALUES (1, 'x', '{}');
SQL

expressions() {
    sql "$1" -c "SELECT c.relname || '.' || a.attname, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d
        JOIN pg_class c ON c.oid = d.adrelid JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        ORDER BY c.relname DESC, a.attnum"
}
ok "the source's are as they are" says 'plain@corp' "$(expressions "$src")"
wanted=$(
    cat <<'END'
t.plain|'plain_corp.example@sink.test'::text
t.two|('one_corp.example@sink.test, '::text || lower('Two_corp.example@sink.test'::text))
t.quoted|'it''s "o''brien_corp.example@sink.test"'::text
t.escaped|'C:\new ''ole_corp.example@sink.test'''::text
t.fixed|'fixed_corp.example@sink.test'::bpchar
t.folded|'Folded_corp.example@sink.test'::citext
t.doc|'{"mail": "doc_corp.example@sink.test", "note": "a \" and \\ b"}'::jsonb
t.list|'{list_corp.example@sink.test}'::text[]
t.listed|ARRAY['listed_corp.example@sink.test'::text]
t.label|'ole@corp.example'::who
t.checked|'mask me: check_corp.example@sink.test'::text
END
)

left=$(
    cat <<'END'
t.label|'ole@corp.example'::who
child.narrow|'somebody.with.a.name@corp.example.org'::character varying(30)
child.fixed|'fixed@corp.example'::bpchar
child.label|'ole@corp.example'::who
END
)

for way in stream restore; do
    copy=$(fresh_on "$server" "defaults_$way")
    if [ $way = restore ]; then
        verb create source="$src" to="$tmp/archive" >/dev/null
        said=$(verb restore archive="$tmp/archive" target="$copy" mask_domain=sink.test compare=yes)
    else
        said=$(verb stream source="$src" target="$copy" mask_domain=sink.test compare=yes)
    fi
    ok "$way: masked, and proved" says '"masked":[0-9]+,.*"warnings":\[\]' "$said"
    expressions "$copy" >"$tmp/$way"
    ok "$way: constants of text are masked, a label is not" diff <(echo "$wanted") <(grep -Fxf <(echo "$wanted") "$tmp/$way")
    ok "$way: none is left but of the label, and of inherited columns with a limit" diff <(echo "$left") \
        <(grep -F '@corp.example' "$tmp/$way")
    ok "$way: bytes are masked" says 'bytes_corp.example@sink.test' "$(sql "$copy" -c "SELECT convert_from(bytes, 'UTF8') FROM t")"
    ok "$way: what does not fit stays" says "tight\|'a@b.c'::character varying" "$(cat "$tmp/$way")"
    sql "$copy" -c "INSERT INTO t (id) VALUES (2)" -c "INSERT INTO child (id) VALUES (3)" >"$tmp/inserted" 2>&1
    ok "$way: rows can be made of them, referring to rows that are there" test "$(sql "$copy" -c 'SELECT count(*) FROM t')" = 3
    ok "$way: within the limits of their columns" test "$(sql "$copy" -c "SELECT length(narrow) <= 30
        AND narrow LIKE '%@sink.test' AND of_domain = 'domain_corp.example@sink.test' FROM t WHERE id = 2")" = t
    ok "$way: like those that came" test "$(sql "$copy" -c "SELECT count(*) FROM (SELECT plain, two, quoted, escaped, fixed,
        folded, doc, bytes, list, listed, of_domain, checked, \"default\" FROM ONLY t GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13) g")" = 1
    ok "$way: a child has its own" test "$(sql "$copy" -c 'SELECT plain FROM child')" = child_corp.example@sink.test
    ok "$way: generated columns hold none" test "$(sql "$copy" -c "SELECT count(*) FROM t WHERE made LIKE 'made_corp.example@sink.test %'")" = 3
    "$CLONER" "$root/scripts/scan.lua" target="$copy" allow=sink.test >"$tmp/scan" 2>&1
    ok "$way: the scan tells of what was left" says 'in the schema +.*in the default or generated expression public\.t: corp\.example' "$(cat "$tmp/scan")"
    ok "$way: and of the check" says 'in the schema +.*in the check constraint public\.t: corp\.example' "$(cat "$tmp/scan")"
done

finish
