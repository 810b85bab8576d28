#!/usr/bin/env bash
# Rows that belong to another partition in the copy: keys that the mask changes, hashes of enums.
# shellcheck disable=SC2317 # functions are called through ok
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/backup/lib.sh
. "$here/lib.sh"

target_admin=$(cluster target)
source_dsn=$(fresh_on "$TEST_DSN" reroute_source)
sql "$source_dsn" -f - <<'SQL' || exit 1
CREATE TABLE mails (mail text PRIMARY KEY, n int) PARTITION BY HASH (mail);
CREATE TABLE mails_0 PARTITION OF mails FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE mails_1 PARTITION OF mails FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO mails SELECT 'm' || i || '@corp.example', i FROM generate_series(1, 3000) i;
CREATE TYPE colour AS ENUM ('red', 'green', 'blue', 'black', 'white', 'grey');
CREATE TABLE paint (id int, c colour, note text) PARTITION BY RANGE (id);
CREATE TABLE paint_low PARTITION OF paint FOR VALUES FROM (0) TO (1000) PARTITION BY HASH (c);
CREATE TABLE paint_low_0 PARTITION OF paint_low FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE paint_low_1 PARTITION OF paint_low FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE paint_rest PARTITION OF paint DEFAULT;
INSERT INTO paint SELECT i, (enum_range(NULL::colour))[1 + i % 6], 'p' || i FROM generate_series(1, 2000) i;
CREATE INDEX ON paint (c);
-- a partition whose columns stand in another order, with a gap
CREATE TABLE odd (mail text, id int, note text) PARTITION BY HASH (mail);
CREATE TABLE odd_0 PARTITION OF odd FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE odd_1 (note text, gap int, id int, mail text);
ALTER TABLE odd_1 DROP COLUMN gap;
ALTER TABLE odd ATTACH PARTITION odd_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO odd SELECT 'o' || i || '@corp.example', i, 'n' || i FROM generate_series(1, 1000) i;
SQL

rows_of() { sql "$1" -c "SELECT n FROM mails ORDER BY n" -c "SELECT * FROM paint ORDER BY id" \
    -c "SELECT id, note FROM odd ORDER BY id"; }
same_rows() { diff <(rows_of "$source_dsn") <(rows_of "$1"); }
# Found by their keys, which only leads to the partition they belong to?
found() { # DATABASE
    test "$(sql "$1" -c "SELECT count(*) FROM (SELECT DISTINCT mail FROM mails) m WHERE (SELECT count(*) FROM mails x WHERE x.mail = m.mail) = 1")" = 3000
}

said=$(verb create source="$source_dsn" to="$tmp/archive" jobs=3 part_bytes=16384)
ok "an archive" says '"rows":6000' "$said"
for mask in "" mask_domain=sink.test; do
    for jobs in 1 4; do
        way="${mask:+masked, }$jobs jobs"
        dsn=$(fresh_on "$target_admin" reroute)
        # shellcheck disable=SC2086 # an option or none
        said=$(verb stream source="$source_dsn" target="$dsn" jobs="$jobs" part_bytes=16384 compare=yes $mask)
        ok "streamed and proved: $way" says '"rows":6000' "$said"
        ok "all rows are there: $way" same_rows "$dsn"
        ok "where their keys lead: $way" found "$dsn"
        # shellcheck disable=SC2086
        said=$(verb compare source="$source_dsn" target="$dsn" $mask)
        ok "compare agrees: $way" says '"equal":true' "$said"
        # shellcheck disable=SC2086
        said=$(verb compare archive="$tmp/archive" target="$dsn" $mask)
        ok "with the archive, too: $way" says '"equal":true' "$said"
        dsn=$(fresh_on "$target_admin" reroute_back)
        # shellcheck disable=SC2086
        said=$(verb restore archive="$tmp/archive" target="$dsn" jobs="$jobs" compare=yes $mask)
        ok "restored and proved: $way" says '"rows":6000' "$said"
        ok "all rows are there again: $way" same_rows "$dsn"
    done
done
sql "$dsn" -c "DELETE FROM paint WHERE id = 7"
said=$(verb compare source="$source_dsn" target="$dsn" mask_domain=sink.test)
ok "a row that is missing is missed" says '"equal":false' "$said"

finish
