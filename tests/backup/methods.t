#!/usr/bin/env bash
# Columns with methods of their own: every way to copy makes the same of them, and compare agrees.
# shellcheck disable=SC2317 # functions are called through ok
set -u

# shellcheck source=tests/backup/lib.sh
. "$(dirname "$0")/lib.sh"

server=$(cluster server)
source_dsn=$(fresh_on "$server" origin)
sql "$source_dsn" >/dev/null <<'SQL' || exit 1
CREATE SCHEMA m;
CREATE TABLE m.person (id int PRIMARY KEY, code uuid UNIQUE, login varchar(30) UNIQUE, first text, last varchar(6),
    full_ char(10), "full" varchar(12), firm text, street varchar(14), city text, phone text, ssn char(11), card text,
    fixed text, gone text, born date, seen timestamptz, joined timestamp, salary numeric(7,2), score float8,
    rank int2, age int, grade text, doc jsonb, raw json, note text, plain bytea);
INSERT INTO m.person
SELECT i, md5(i::text)::uuid, 'login ' || i, 'Bjørn' || i % 40, 'L' || i % 50, 'pad' || i, 'F L' || i, 'Firm ' || i % 20,
       'Gate ' || i, 'By' || i % 30, '+47 22 33 ' || 1000 + i, lpad(i::text, 11, '1'), '4111 1111 1111 ' || 1000 + i,
       'x', 'y', CASE WHEN i % 100 = 0 THEN 'infinity' WHEN i % 101 = 0 THEN '0001-01-05 BC' ELSE date '1950-01-01' + i * 7 END,
       timestamptz '2024-01-01 12:30:00.25+02' + make_interval(days => i), timestamp '2020-02-29 23:59:59.5' + make_interval(days => i),
       99999.99 - i * 13.37, i * 1.0 / 7, i * 8 - 8000, i % 90, (ARRAY['gold', 'silver', 'tin', NULL])[1 + i % 4],
       jsonb_build_object('name', 'Bo ' || i, 'items', jsonb_build_array(jsonb_build_object('price', i, 'sku', 's')), 'z', 1, 'mail', 'm' || i || '@corp.example'),
       json_build_object('contact', json_build_object('phone', '22 33 ' || 1000 + i), 'age', i % 80),
       'see a' || i || E'@corp.example\t\\ and more', decode(md5(i::text), 'hex')
  FROM generate_series(1, 2000) i;
INSERT INTO m.person (id) VALUES (0);
CREATE TABLE m.alias (id int PRIMARY KEY, login varchar(30));
INSERT INTO m.alias SELECT id, login FROM m.person;
CREATE TABLE m.event (id int, day date, what text) PARTITION BY RANGE (day);
CREATE TABLE m.event_24 PARTITION OF m.event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE m.event_rest PARTITION OF m.event DEFAULT;
INSERT INTO m.event SELECT i, date '2024-01-01' + i, 'e' || i FROM generate_series(0, 500) i;
CREATE TABLE m.empty (id int, mail text, born date) PARTITION BY LIST (id);
CREATE TABLE m.other (id int PRIMARY KEY, n numeric, d date, t text);
INSERT INTO m.other SELECT i, i / 3.0, date '2000-01-01' + i, 'other ' || i FROM generate_series(1, 500) i;
SQL

state() { # DSN: all rows, in order
    local t
    for t in person alias event other; do sql "$1" -c "TABLE m.$t ORDER BY id"; done
}
stream() { verb stream source="$source_dsn" rules=methods compare=yes "$@"; }

one=$(fresh_on "$server" one)
said=$(stream target="$one" jobs=1)
ok "streamed by one worker and read back" says '"rows":5003' "$said"
four=$(fresh_on "$server" four)
said=$(stream target="$four" jobs=4 part_bytes=65536)
ok "by four, in parts" says '"rows":5003' "$said"
ok "makes the same" diff <(state "$one") <(state "$four")
said=$(verb compare source="$source_dsn" target="$four" rules=methods)
ok "compare finds no difference" says '"differences":\[\]' "$said"

said=$(verb create source="$source_dsn" to="$tmp/binary")
refused=$(verb restore archive="$tmp/binary" target="$(fresh_on "$server" packed)" rules=methods)
ok "an archive of binary numbers is refused by name" \
    says '"code":"E_BINARY_FORM".*m\.(person|event[_a-z0-9]*)\.[a-z]+ cannot be masked' "$refused"
said=$(verb create source="$source_dsn" to="$tmp/archive" restored_with=methods)
ok "archived as text where the rules need it" says '"rows":5003' "$said"
ok "and binary where they do not" test -n "$(compgen -G "$tmp/archive/data/*m.other*.bin.zst")"
restored=$(fresh_on "$server" restored)
said=$(verb restore archive="$tmp/archive" target="$restored" rules=methods compare=yes jobs=2)
ok "restored and read back" says '"rows":5003' "$said"
ok "makes the same of an archive" diff <(state "$one") <(state "$restored")
said=$(verb compare archive="$tmp/archive" target="$four" rules=methods)
ok "compare with the archive, too" says '"differences":\[\]' "$said"
said=$(verb rewrite source="$source_dsn" target="$restored" tables=m.person,m.alias rules=methods)
ok "rewritten" diff <(state "$one") <(state "$restored")
said=$(stream target="$restored" data_only=yes truncate=yes)
ok "filled anew" diff <(state "$one") <(state "$restored")

# What became of the values, beside what they were.
sql "$source_dsn" -c "COPY m.person TO STDOUT" | sql "$one" -c "CREATE TABLE was (LIKE m.person)" -c "COPY was FROM STDIN"
holds() { # CONDITION: of every person but the one of NULLs
    local n
    n=$(sql "$one" -c "SELECT count(*) FROM m.person p JOIN was w USING (id) WHERE id > 0 AND ($1) IS NOT TRUE")
    [ "$n" = 0 ] || { echo "$n rows are not: $1" && sql "$one" -c "SELECT p, w FROM m.person p JOIN was w USING (id)
        WHERE id > 0 AND ($1) IS NOT TRUE LIMIT 2" && false; }
}
ok "columns without a method are what they were" holds "p.full_ = w.full_ AND p.plain = w.plain"
ok "but swept" holds "p.note = 'see a' || id || E'_corp.example@sink.test\t\\\\ and more'"
ok "hash: other uuids, letters" holds "p.code <> w.code AND p.login ~ '^[a-z2-7]{20}\$'"
ok "hash: the same in another table" test "$(sql "$one" -c "SELECT count(*) FROM m.person JOIN m.alias USING (id, login)")" = 2000
ok "fake: words" holds "p.first ~ '^[A-Z][a-z]+\$' AND p.last ~ '^[A-Z][a-z]+\$' AND p.full ~ '^[A-Z][a-z]+ [A-Z][a-z]+\$'
    AND p.firm ~ ' ' AND p.street ~ '[0-9]\$' AND p.city ~ '^[A-Z][a-z]+\$'"
ok "fake: phones keep their form" holds "p.phone ~ '^\\+47 \\d\\d \\d\\d \\d{4}\$' AND p.phone <> w.phone"
ok "fake: the same for the same" test "$(sql "$one" -c "SELECT max(n) FROM (SELECT count(DISTINCT p.first) n
    FROM m.person p JOIN was w USING (id) GROUP BY w.first) x")" = 1
ok "redact" holds "p.ssn = repeat('*', 11)"
ok "partial" holds "p.card = repeat('*', 15) || right(w.card, 4)"
ok "constant, swept" holds "p.fixed = 'ask it_corp.example@sink.test'"
ok "null" holds "p.gone IS NULL"
ok "date_shift" holds "(p.born = w.born AND NOT isfinite(w.born)) OR p.born - w.born BETWEEN -30 AND 30 AND p.born <> w.born"
ok "date_shift: columns of a row move together" holds "NOT isfinite(w.born) OR p.seen - w.seen = make_interval(days => p.born - w.born)"
ok "generalise: month" holds "p.joined = date_trunc('month', w.joined)"
ok "generalise: bucket" holds "p.age = w.age / 10 * 10"
ok "noise" holds "abs(p.salary - w.salary) <= abs(w.salary) * 0.1 + 0.01 AND abs(p.score - w.score) <= w.score * 0.1001
    AND abs(p.rank - w.rank) <= abs(w.rank) / 2 + 1 AND sign(p.rank) = sign(w.rank)"
ok "noise differs" test "$(sql "$one" -c "SELECT count(*) > 1900 FROM m.person p JOIN was w USING (id)
    WHERE p.salary <> w.salary AND p.score <> w.score")" = t
ok "dictionary" holds "p.grade IS NOT DISTINCT FROM CASE w.grade WHEN 'gold' THEN 'A' WHEN 'silver' THEN 'B' WHEN 'tin' THEN 'C' END"
ok "json: jsonb" holds "p.doc = jsonb_build_object('name', '***', 'items', '[{\"sku\": \"s\", \"price\": null}]'::jsonb, 'z', 1,
    'mail', 'm' || id || '_corp.example@sink.test')"
ok "json: json" holds "(p.raw ->> 'age')::int = id % 80 / 10 * 10 AND p.raw #>> '{contact,phone}' ~ '^\\d\\d \\d\\d \\d{4}\$'"
ok "NULL stays NULL" test "$(sql "$one" -c "SELECT count(*) FROM m.person WHERE id = 0 AND num_nonnulls(code, login, first,
    phone, ssn, fixed, born, salary, doc) = 0")" = 1
ok "rows found the partition their new date belongs to" test "$(sql "$one" -c "SELECT count(*) FROM m.event_24
    WHERE day NOT BETWEEN '2024-01-01' AND '2024-12-31'")" = 0
ok "tables without a method are what they were" diff <(sql "$source_dsn" -c 'TABLE m.other ORDER BY 1') \
    <(sql "$one" -c 'TABLE m.other ORDER BY 1')

wrong() { # PATTERN COLUMN METHOD: rules that are refused before anything is written
    local target said
    printf 'local m = require("mask") return function() return m.rules { key = "%s", columns = { ["%s"] = m.%s } } end\n' \
        0123456789abcdef "$2" "$3" >"$tmp/rules/wrong.lua"
    target=$(fresh_on "$server" wrong)
    said=$("$CLONER" "$tmp/verb.lua" verb=stream source="$source_dsn" target="$target" rules=wrong)
    [ "$(sql "$target" -c "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")" = 0 ] &&
        says '"class":"invalid"' "$said" && says "$1" "$said"
}
mkdir -p "$tmp/rules" && cp "$root/tests/backup/verb.lua" "$tmp/"
ok "a column that is not there" wrong 'wrong.lua:1: the rules name m.person.primo' m.person.primo 'null()'
ok "a table that is not there" wrong 'the rules name m.persons, but' m.persons.first 'null()'
ok "a partition" wrong 'm.event_24.*partition' m.event_24.day 'null()'
ok "a column that decides and is not there" wrong 'm.person.uid' m.person.born 'date_shift { days = 3, by = "uid" }'
ok "a type it cannot make" wrong "m.person.born \\\\?\\(date\\): method 'redact'" m.person.born 'redact()'
ok "a column of a table without partitions" wrong 'wrong.lua:1: the rules name m.empty.post' m.empty.post 'null()'
ok "a column that decides there and is not there" wrong 'm.empty.uid' m.empty.born 'date_shift { days = 3, by = "uid" }'
ok "one value of many where they must differ" wrong \
    "wrong.lua:1: m.person.login is unique \\(person_login_key\\), and method 'partial'" m.person.login 'partial { first = 1 }'
ok "too wide for its column" wrong 'm.person.last.*6' m.person.last 'constant "too wide"'

finish
