#!/usr/bin/env bash
# Columns that swap rows (method shuffle): every way to copy makes the same of them, compare agrees, and no
# row of the source reaches the target's disk as it was.
# shellcheck disable=SC2317 # functions are called through ok
set -u

# shellcheck source=tests/backup/lib.sh
. "$(dirname "$0")/lib.sh"
export CLONER_STATE=$tmp/state

server=$(cluster server)
copies=$(cluster copies)
mkdir -p "$tmp/spill" && export TMPDIR=$tmp/spill
source_dsn=$(fresh_on "$server" origin)
sql "$source_dsn" >/dev/null <<'SQL' || exit 1
CREATE SCHEMA s;
CREATE TABLE s.person (id int PRIMARY KEY, first text, last varchar(20), mail varchar(60) UNIQUE, country text NOT NULL,
    city text, born date, sex char(2), doc jsonb, photo bytea);
INSERT INTO s.person
SELECT i, CASE WHEN i % 10 > 0 THEN 'First' || i || 'x' END, 'Last' || i || 'x', CASE WHEN i % 7 > 0 THEN 'm' || i || '@corp.example' END,
       'C' || i % 3, 'C' || i % 3 || E'-\\' || i % 8, date '1950-01-01' + i, (ARRAY['f', 'm'])[1 + i % 2],
       jsonb_build_object('n', i, 'to', 'j' || i || '@corp.example'), convert_to('b' || i || '@corp.example', 'UTF8')
  FROM generate_series(1, 6000) i;
CREATE TABLE s.loose (word text, n int);
INSERT INTO s.loose SELECT 'w' || i % 50, i % 4 FROM generate_series(1, 3000) i;
CREATE TABLE s.word (word text PRIMARY KEY);
INSERT INTO s.word SELECT 'w' || i FROM generate_series(0, 49) i;
ALTER TABLE s.loose ADD FOREIGN KEY (word) REFERENCES s.word;
CREATE UNIQUE INDEX person_city ON s.person (city, id);
CREATE TABLE s.event (id int, day date, what text) PARTITION BY RANGE (day);
CREATE TABLE s.event_24 PARTITION OF s.event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE s.event_rest PARTITION OF s.event DEFAULT;
INSERT INTO s.event SELECT i, date '2024-01-01' + i, 'e' || i FROM generate_series(0, 500) i;
SQL

state() { # DSN: all rows, in order
    sql "$1" -c 'TABLE s.person ORDER BY id' -c 'TABLE s.loose ORDER BY 1, 2' -c 'TABLE s.event ORDER BY id'
}
fresh() { fresh_on "$copies" "$1"; }
stream() { verb stream source="$source_dsn" rules=shuffle case=all compare=yes "$@"; }

said=$(verb check source="$source_dsn" rules=shuffle case=all)
ok "a reference between shuffled columns is found before" says '"kind":"methods",[^}]*"name":"loose_word_fkey"' "$said"
ok "what binds a shuffled column to others is said not to be looked at" \
    says '"name":"s.person: person_city","reason":"values of its columns are shuffled"' "$said"
ok "and nothing else is found" says '"findings":\[\{[^}]*\}\]' "$said"

one=$(fresh one)
said=$(stream target="$one" jobs=1)
ok "streamed by one worker and read back" says '"rows":9551.*"warnings":\[\]' "$said"
four=$(fresh four)
said=$(stream target="$four" jobs=4 part_bytes=65536)
ok "by four, in parts" says '"rows":9551' "$said"
ok "makes the same" diff <(state "$one") <(state "$four")
said=$(verb compare source="$source_dsn" target="$four" rules=shuffle case=all jobs=3 part_bytes=100000)
ok "compare finds no difference" says '"differences":\[\]' "$said"
sql "$four" -c "UPDATE s.person SET city = 'elsewhere' WHERE id = 5" -c "UPDATE s.loose
    SET word = CASE word WHEN 'w7' THEN 'w8' ELSE 'w7' END WHERE ctid = '(0,1)'"
said=$(verb compare source="$source_dsn" target="$four" rules=shuffle case=all)
ok "and one that is there, by its row" says '"rows":\["id = 5: other content"\]' "$said"
ok "in a table without a key, too" says '"problem":"content"[^}]*"table":"s\.loose"' "$said"

# Who has which address, on a server's disk and in a copy.
on_disk() { # SERVER'S NAME, HOW ADDRESSES GO ON: numbers of persons whose address stands beside their name
    LC_ALL=C grep -rahoE "Last[0-9]+x.m[0-9]+$2" "$tmp/$1" | LC_ALL=C sed -E 's/^Last([0-9]+)x.m([0-9]+).*/\1 \2/' |
        awk '$1 == $2 { print $1 }' | sort -u
}
by_chance() {
    sql "$one" -c "SELECT substring(last, '[0-9]+') FROM s.person WHERE substring(last, '[0-9]+') = substring(mail, '[0-9]+')" | sort -u
}
sql "$copies" -c CHECKPOINT
sql "$server" -c CHECKPOINT
ok "on the source's disk names are beside their addresses" test "$(on_disk server @corp | wc -l)" -gt 5000
ok "on the target's they never were" diff <(by_chance) <(on_disk copies _corp)
ok "nor is there an address" test -z "$(LC_ALL=C grep -rahoE '[bmj][0-9]+@corp' "$tmp/copies" | head -3)"

killed=$(fresh killed)
CLONER_FAULT=copy_part:3 stream target="$killed" resume=killed part_bytes=65536 >"$tmp/killed" 2>&1
ok "a copy is killed" test $? = 137
said=$(stream target="$killed" resume=killed part_bytes=65536)
ok "and goes on" says '"resumed_parts":[1-9]' "$said"
ok "to the same" diff <(state "$one") <(state "$killed")

said=$(verb create source="$source_dsn" to="$tmp/archive" restored_with=shuffle case=all part_bytes=100000)
ok "archived" says '"rows":9551' "$said"
restored=$(fresh restored)
said=$(verb restore archive="$tmp/archive" target="$restored" rules=shuffle case=all compare=yes jobs=2)
ok "restored and read back" says '"rows":9551' "$said"
ok "makes the same of an archive" diff <(state "$one") <(state "$restored")
said=$(verb compare archive="$tmp/archive" target="$restored" rules=shuffle case=all)
ok "compare with the archive, too" says '"differences":\[\]' "$said"
said=$(verb rewrite source="$source_dsn" target="$restored" tables=s.person rules=shuffle case=all)
ok "rewritten" diff <(state "$one") <(state "$restored")

# The same rows in another order of another table: as they are told by what they hold, nothing changes.
sql "$source_dsn" -c "CREATE TABLE s.again (LIKE s.person INCLUDING ALL)" \
    -c "INSERT INTO s.again SELECT * FROM s.person ORDER BY md5(id::text)" \
    -c "DROP TABLE s.person" -c "ALTER TABLE s.again RENAME TO person"
again=$(fresh again)
said=$(stream target="$again" jobs=2)
ok "the same rows in another order" says '"rows":9551' "$said"
ok "get the same" diff <(state "$one") <(state "$again")

# What became of the values, beside what they were.
sql "$source_dsn" -c "COPY s.person TO STDOUT" | sql "$one" -c "CREATE TABLE was (LIKE s.person)" -c "COPY was FROM STDIN"
sql "$source_dsn" -c "COPY s.loose TO STDOUT" | sql "$one" -c "CREATE TABLE loose_was (LIKE s.loose)" -c "COPY loose_was FROM STDIN"
none() { # CONDITION: is true of no person
    local n
    n=$(sql "$one" -c "SELECT count(*) FROM s.person p JOIN was w USING (id) WHERE $1")
    [ "$n" = 0 ] || { echo "$n rows are: $1" && sql "$one" -c "SELECT p, w FROM s.person p JOIN was w USING (id)
        WHERE $1 LIMIT 2" && false; }
}
same_bag() { # EXPRESSION [EXPRESSION OF THE ORIGINAL]: the copy's values are the source's, each as often
    [ "$(sql "$one" -c "SELECT count(*) FROM (SELECT $1 FROM s.person EXCEPT ALL SELECT ${2:-$1} FROM was) x")" = 0 ]
}
masked="replace(mail, '@corp.example', '_corp.example@sink.test')"
ok "no row keeps its name" none "(p.first, p.last) IS NOT DISTINCT FROM (w.first, w.last)"
ok "which moved as one" same_bag "first, last"
ok "nor its address" none "p.mail = replace(w.mail, '@corp.example', '_corp.example@sink.test')"
ok "which are the same, masked" same_bag mail "$masked"
ok "nor its city" none "p.city = w.city"
ok "which is one of its country" none "left(p.city, 2) <> p.country"
ok "and are the same" same_bag "country, city"
ok "nor its date" none "p.born = w.born"
ok "and are the same dates" same_bag born
ok "nor, of two that are as many, the other" none "p.sex = w.sex"
ok "nor its document" none "p.doc ->> 'n' = w.doc ->> 'n'"
ok "which is one of another, swept" none "p.doc ->> 'to' <> 'j' || (p.doc ->> 'n') || '_corp.example@sink.test'"
ok "nor its bytes" none "convert_from(p.photo, 'UTF8') = 'b' || w.id || '_corp.example@sink.test'"
ok "which are the same, swept" same_bag "convert_from(photo, 'UTF8')" "'b' || id || '_corp.example@sink.test'"
ok "NULL stays where it is" none "(p.first IS NULL) <> (w.first IS NULL) OR (p.mail IS NULL) <> (w.mail IS NULL)"
ok "units of a row have nothing to do with each other" test "$(sql "$one" -c "SELECT count(*) < 60 FROM s.person
    WHERE 'm' || substr(last, 5) = replace(mail, '_corp.example@sink.test', 'x')")" = t
ok "a table of equal rows has the same words" test "$(sql "$one" -c "SELECT count(*) FROM (SELECT word FROM s.loose
    EXCEPT ALL SELECT word FROM loose_was) x")" = 0
ok "with other numbers" test "$(sql "$one" -c "SELECT count(*) > 0 FROM (TABLE s.loose EXCEPT ALL TABLE loose_was) x")" = t
ok "partitions shuffle by themselves" test "$(sql "$one" -c "SELECT count(*) FROM s.event_24
    WHERE what = 'e' || id OR substr(what, 2)::int > 365")" = 0

sql "$source_dsn" -c "UPDATE s.person SET city = 'none' WHERE country = 'C1' AND id % 10 > 0"
said=$(stream target="$(fresh most)")
ok "rows that have to keep their values are told of" \
    says 's.person.city: 1[0-9]{3} of 6000 rows keep their value: no other row' "$said"

refused() { # PATTERN CASE VERB...
    local pattern=$1 case=$2
    shift 2
    says "$pattern" "$("$@" rules=shuffle case="$case")"
}
ok "values that are kept are refused" refused 's.person.mail .*shuffle.* kept' kept \
    verb stream source="$source_dsn" target="$(fresh refused)"
ok "data_only is refused" refused 'data_only does not go with .*shuffle' all \
    verb stream source="$source_dsn" target="$(fresh refused)" data_only=yes
ok "what was read to be shuffled left no file" test -z "$(find "$TMPDIR" -maxdepth 1 -type f)"

finish
