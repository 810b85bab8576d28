#!/usr/bin/env bash
# Lua functions of columns, run in the workers of a copy: rules/script.lua.
# shellcheck disable=SC2317 # functions are called through ok
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/backup/lib.sh
. "$here/lib.sh"

target_admin=$(cluster target)
source_dsn=$(fresh_on "$TEST_DSN" mask_script_source)
sql "$source_dsn" -f - <<'SQL' || exit 1
CREATE SCHEMA crm;
CREATE TABLE crm.person (id int PRIMARY KEY, first varchar(20), last text, mail text, note text, wide text);
INSERT INTO crm.person SELECT i, 'name ' || i, (ARRAY['Ærlig', '李小龙', '😀 smile', 'Plain'])[1 + i % 4],
    'p' || i || '@corp.example', CASE i % 5 WHEN 0 THEN 'secret' WHEN 1 THEN NULL ELSE E'tab\there \\ ' || i END, NULL
  FROM generate_series(1, 3000) i;
INSERT INTO crm.person (id, wide) SELECT 10000, string_agg(md5(i::text), '') FROM generate_series(1, 32768) i;
CREATE TABLE crm.untouched AS SELECT i, 'u' || i || '@corp.example' AS mail FROM generate_series(1, 100) i;
CREATE TABLE crm.other (id int, age int, born date, doc jsonb, tags text[], photo bytea) PARTITION BY RANGE (id);
CREATE TABLE crm.other_low PARTITION OF crm.other FOR VALUES FROM (0) TO (50);
CREATE TABLE crm.other_high PARTITION OF crm.other DEFAULT;
INSERT INTO crm.other SELECT i, i, date '2000-01-01' + i * 37, '{"a": 1}', ARRAY['a, b', 'c'],
    convert_to('b' || i || '@corp.example', 'UTF8') FROM generate_series(1, 99) i;
SQL

# What rules/script.lua says, said in SQL.
expected="SELECT id, (ARRAY['Kari', 'Ola', 'Liv', 'Per', 'Åse'])[length(first) % 5 + 1],
    left(last, 1) || ' of crm.person.last', 'write to p' || id || '_corp.example@sink.test',
    CASE WHEN note <> 'secret' THEN note || '!' END, reverse(wide) FROM crm.person WHERE id < 10000 ORDER BY id"
rows="SELECT * FROM crm.person WHERE id < 10000 ORDER BY id"
as_expected() { diff <(sql "$source_dsn" -c "$expected") <(sql "$1" -c "$rows"); }
other="SELECT id, age / 10 * 10, date_trunc('year', born)::date,
    '{\"by\": \"x_corp.example@sink.test\", \"chars\": 8}'::jsonb, '{\"A, B\",C}'::text[],
    convert_to('b' || id || '_corp.example@sink.test!', 'UTF8') FROM crm.other ORDER BY id"
others() { diff <(sql "$source_dsn" -c "$other") <(sql "$1" -c "SELECT * FROM crm.other ORDER BY id"); }
wide() { test "$(sql "$1" -c 'SELECT md5(reverse(wide)) FROM crm.person WHERE id = 10000')" = "$wide_md5"; }
wide_md5=$(sql "$source_dsn" -c 'SELECT md5(wide) FROM crm.person WHERE id = 10000')

for jobs in 1 4; do
    dsn=$(fresh_on "$target_admin" "mask_script_$jobs")
    said=$(verb stream source="$source_dsn" target="$dsn" jobs="$jobs" part_bytes=16384 compare=yes rules=script case=good)
    ok "streamed and proved: $jobs jobs" says '"rows":3200' "$said"
    ok "values are what the functions made: $jobs jobs" as_expected "$dsn"
    ok "other types, partitions: $jobs jobs" others "$dsn"
    ok "a value of a megabyte: $jobs jobs" wide "$dsn"
    said=$(verb compare source="$source_dsn" target="$dsn" rules=script case=good)
    ok "compare agrees: $jobs jobs" says '"equal":true' "$said"
done
one="$target_admin dbname=mask_script_1"
ok "one worker and four make the same" diff <(sql "$one" -c "$rows") <(sql "$dsn" -c "$rows")
said=$(verb create source="$source_dsn" to="$tmp/archive" jobs=2)
dsn=$(fresh_on "$target_admin" mask_script_archive)
said=$(verb restore archive="$tmp/archive" target="$dsn" jobs=4 compare=yes rules=script case=good)
ok "restored and proved" says '"rows":3200' "$said"
ok "the archive's values, too" as_expected "$dsn"

# Whatever fails names the column and the line, and leaves no copy behind that looks whole.
fails() { # CASE PATTERN
    local said dsn
    dsn=$(fresh_on "$target_admin" mask_script_fails)
    said=$(verb stream source="$source_dsn" target="$dsn" jobs=4 part_bytes=16384 rules=script case="$1")
    says "$2" "$said" && says '"class":"invalid"' "$said"
}
line() { grep -n "$1" "$here/rules/script.lua" | head -1 | cut -d: -f1; }
at='rules/script\.lua:'
ok "an error names column, row and line" fails fails \
    "crm\.person\.first, row [0-9]+: [^ ]*$at$(line 'cannot make'): cannot make anything of name 1234 of a_corp"
ok "an endless loop" fails loops "crm\.person\.last, row [0-9]+: [^ ]*$at$(line 'cases.loops'): .*endless loop"
ok "a function that counts" fails counts "crm\.person\.first, row [0-9]+: [^ ]*$at$(line 'n = n + 1'): .*changes 'n'"
ok "half a character" fails cuts "crm\.person\.last, row [0-9]+: [^ ]*$at$(line 'cases.cuts'): .*not UTF-8"
ok "what a function does not have" fails takes "crm\.person\.first, row [0-9]+: [^ ]*$at$(line 'cases.takes'): .*'lua'"
said=$(verb stream source="$source_dsn" target="$target_admin" rules=script case=userdata 2>&1)
ok "what cannot go along is said before anything starts" says \
    "crm\.person\.first: [^ ]*$at$(line 'cases.userdata'): the function uses 'rules' from outside" "$said"
ok "the source is what it was" test "$(sql "$source_dsn" -c "SELECT count(*) FROM crm.person")" = 3001

finish
