#!/usr/bin/env bash
# Parts of tables, and what is made once rows are in: who is split and how, what is frozen, that
# indexes and constraints come out as they were, and that every failure names its object.
# shellcheck disable=SC2317 # functions are called through ok
set -u
# shellcheck source=tests/backup/lib.sh
. "$(dirname "$0")/lib.sh"

source_dsn=$(fresh_on "$TEST_DSN" parts_source)
target_admin=$(cluster target)

sql "$source_dsn" <<'SQL' || exit 1
CREATE TABLE big (id bigint PRIMARY KEY, name text NOT NULL, note text,
    CONSTRAINT big_name_key UNIQUE (name) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO big SELECT i, 'name ' || i, 'someone' || i || '@corp.example ' || repeat('x', 300)
    FROM generate_series(1, 20000) i;
CREATE INDEX big_note ON big (md5(note));
CREATE INDEX big_lower ON big (lower(name), (id % 10)) INCLUDE (id) WITH (fillfactor = 70) WHERE id > 10;
ALTER INDEX big_lower ALTER COLUMN 2 SET STATISTICS 500;
ALTER TABLE big CLUSTER ON big_pkey;
ALTER TABLE big REPLICA IDENTITY USING INDEX big_pkey;
CREATE TABLE refers (id int PRIMARY KEY, big_id bigint REFERENCES big,
    self int CONSTRAINT refers_self REFERENCES refers DEFERRABLE);
INSERT INTO refers SELECT i, i, nullif(i - 1, 0) FROM generate_series(1, 5000) i;
ALTER TABLE refers ADD CONSTRAINT refers_loose FOREIGN KEY (id) REFERENCES big NOT VALID;
CREATE TABLE empty_one (id serial PRIMARY KEY, at timestamptz);
CREATE INDEX ON empty_one (at);
CREATE TABLE gone (id int PRIMARY KEY) WITH (autovacuum_enabled = off); -- it keeps its pages
INSERT INTO gone SELECT generate_series(1, 1000);
DELETE FROM gone;
ANALYZE;
SQL

rows_sorted() { dump "$1" | sed '/^COPY /,/^\\\.$/{/^COPY /!{/^\\\.$/!d}}'; }

same_schema() { diff <(rows_sorted "$source_dsn") <(rows_sorted "$1"); }
same_rows() {
    local table
    for table in big refers empty_one gone; do
        diff <(sql "$source_dsn" -c "SELECT * FROM $table ORDER BY 1") \
            <(sql "$1" -c "SELECT * FROM $table ORDER BY 1") || return
    done
}
parts_total() { sed -n 's/.*"parts_total":\([0-9]*\).*/\1/p' | tail -1; }

# ---------------------------------------------------------------- who is split

for jobs in 1 3; do
    copy=$(fresh_on "$target_admin" "split_$jobs")
    said=$(verb stream source="$source_dsn" target="$copy" jobs=$jobs part_bytes=500000 compare=yes watch=yes)
    ok "$jobs jobs: a table above part_bytes is copied in many parts" \
        test "$(printf '%s\n' "$said" | parts_total)" -ge 10
    ok "$jobs jobs: pg_dump's schema of the copy is that of the source" same_schema "$copy"
    ok "$jobs jobs: rows are the source's" same_rows "$copy"
done
ok "rows of the first part are frozen" test "$(sql "$copy" -c \
    "SELECT count(*) > 0 FROM big WHERE xmin::text::bigint = (SELECT min(xmin::text::bigint) FROM big)")" = t
ok "every table has statistics" test "$(sql "$copy" -c "SELECT string_agg(relname, ' ' ORDER BY relname)
    FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples < 0")" = ""
ok "constraints own their indexes" test "$(sql "$copy" -c "SELECT string_agg(conname, ' ' ORDER BY conname)
    FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u') AND conindid = conname::text::regclass")" = \
    "big_name_key big_pkey empty_one_pkey gone_pkey refers_pkey"
ok "foreign keys are validated, but for the one that was not" test "$(sql "$copy" -c \
    "SELECT string_agg(conname, ' ') FROM pg_constraint WHERE contype = 'f' AND NOT convalidated")" = refers_loose

whole=$(fresh_on "$target_admin" whole)
said=$(verb stream source="$source_dsn" target="$whole" jobs=2 watch=yes)
ok "tables are counted, not parts" says '"tables":4,' "$said"
ok "small tables stay whole, one without a page has no part" \
    test "$(printf '%s\n' "$said" | parts_total)" = 3
ok "in the order of the source" diff <(dump "$source_dsn") <(dump "$whole")

archive=$tmp/archive
said=$(verb create source="$source_dsn" to="$archive" jobs=2 part_bytes=500000)
ok "an archive holds a file for each part" test "$(find "$archive/data" -name '*big*' | wc -l)" -ge 10
ok "verify adds them up" says '"rows":25000' "$(verb verify archive="$archive")"
restored=$(fresh_on "$target_admin" restored)
said=$(verb restore archive="$archive" target="$restored" jobs=3 compare=yes)
ok "restore takes all of them" says '"rows":25000' "$said"
ok "restored: schema" same_schema "$restored"
ok "restored: rows" same_rows "$restored"

masked=$(fresh_on "$target_admin" masked)
said=$(verb stream source="$source_dsn" target="$masked" jobs=2 part_bytes=500000 mask_domain=sink.test compare=yes)
ok "parts are masked, each row once" says '"masked":20000,' "$said"

# ---------------------------------------------------------------- failures name their object

fails() { # PATTERN: the stream of the source fails with it, and nobody is left in either server
    local copy said left
    copy=$(fresh_on "$target_admin" failing)
    said=$(verb stream source="$source_dsn" target="$copy" jobs=2 part_bytes=500000 ${2:+mask_domain="$2"})
    left=$(sql "$target_admin" -c "SELECT count(*) FROM pg_stat_activity WHERE datname = 'failing'")
    printf '%s\n' "$said" "sessions left: $left"
    printf '%s\n' "$said" | grep -qE -- "$1" && [ "$left" = 0 ]
}

sql "$source_dsn" -c "CREATE FUNCTION only_corp(t text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS
    'BEGIN IF t NOT LIKE ''%@corp.example%'' THEN RAISE ''not of corp''; END IF; RETURN t; END'" \
    -c "CREATE INDEX big_corp ON big (only_corp(note))"
ok "an index that cannot be built" fails '"message":"target: index public.big_corp: .*not of corp' sink.test
sql "$source_dsn" -c "DROP INDEX big_corp" -c "DROP FUNCTION only_corp" \
    -c "CREATE TABLE checked (t text CHECK (t NOT LIKE '%sink.test%'))" \
    -c "INSERT INTO checked VALUES ('a@corp.example')"
ok "a row the target refuses" fails '"message":"target: public.checked: .*checked_t_check' sink.test
sql "$source_dsn" -c "DROP TABLE checked" \
    -c "ALTER TABLE refers DROP CONSTRAINT refers_loose" -c "SET session_replication_role = replica" \
    -c "DELETE FROM big WHERE id = 77"
ok "a foreign key that does not hold" fails '"message":"target: foreign key refers_big_id_fkey of public.refers: '
sql "$source_dsn" -c "DELETE FROM refers" \
    -c "CREATE ROLE parts_owner" -c "CREATE TABLE owned ()" -c "ALTER TABLE owned OWNER TO parts_owner"
ok "an owner the target's server does not know" fails 'parts_owner'
owned=$(fresh_on "$target_admin" owned)
said=$(verb stream source="$source_dsn" target="$owned" leave=owners,privileges)
ok "leave = owners goes without" says '"tables":' "$said"
sql "$source_dsn" -c "DROP TABLE owned" -c "DROP ROLE parts_owner"
# ---------------------------------------------------------------- tablespaces

mkdir -p "$tmp/space_a" "$tmp/space_b" "$tmp/space_c"
[ "$(id -u)" != 0 ] || chown postgres "$tmp"/space_?
sql "$TEST_DSN" -c "CREATE TABLESPACE parts_a LOCATION '$tmp/space_a'" \
    -c "CREATE TABLESPACE \"parts \"\"b\" LOCATION '$tmp/space_b'"
sql "$target_admin" -c "CREATE TABLESPACE parts_c LOCATION '$tmp/space_c'"
spaced=$(fresh_on "$TEST_DSN" parts_spaced)
sql "$spaced" -c 'CREATE TABLE a (id int PRIMARY KEY USING INDEX TABLESPACE "parts ""b") TABLESPACE parts_a' \
    -c 'CREATE TABLE b (id int)' -c 'CREATE INDEX b_id ON b (id) TABLESPACE parts_a' \
    -c "CREATE TABLE p (id int) PARTITION BY RANGE (id) TABLESPACE parts_a" -c "CREATE TABLE plain ()"
lies() { # DSN: what lies where
    sql "$1" -c "SELECT string_agg(relname || ' ' || coalesce(spcname, '-'), ', ' ORDER BY relname) FROM pg_class c
        LEFT JOIN pg_tablespace t ON t.oid = reltablespace WHERE relnamespace = 'public'::regnamespace"
}
copy=$(fresh_on "$target_admin" spaced)
said=$(verb stream source="$spaced" target="$copy")
ok "a tablespace the target lacks is named, with the way out" says 'E_NO_TABLESPACE.*(parts_a|parts .*b)' "$said"
ok "before anything is written" test "$(lies "$copy")" = ""
said=$(verb stream source="$spaced" target="$copy" tablespaces='parts_a=parts_c,parts "b=pg_default')
ok "tablespaces are mapped" test "$(lies "$copy")" = "a parts_c, a_pkey -, b -, b_id parts_c, p parts_c, plain -"
copy=$(fresh_on "$target_admin" spaced)
said=$(verb stream source="$spaced" target="$copy" leave=tablespaces)
ok "leave = tablespaces says what was ignored" says '"warnings":\["tablespaces of the source were left behind' "$said"
ok "and puts everything in the database's own" test "$(lies "$copy")" = "a -, a_pkey -, b -, b_id -, p -, plain -"
verb create source="$spaced" to="$tmp/spaced" >/dev/null
copy=$(fresh_on "$target_admin" spaced)
said=$(verb restore archive="$tmp/spaced" target="$copy" tablespaces='parts_a=parts_c,parts "b=parts_c')
ok "restore maps them, too" test "$(lies "$copy")" = \
    "a parts_c, a_pkey parts_c, b -, b_id parts_c, p parts_c, plain -"
sql "$TEST_DSN" -c "DROP DATABASE parts_spaced" -c "DROP TABLESPACE parts_a" -c 'DROP TABLESPACE "parts ""b"'

# ---------------------------------------------------------------- how wide values are stored

wide=$(fresh_on "$TEST_DSN" parts_wide)
sql "$wide" -c "CREATE TABLE wide (a text, b text COMPRESSION pglz)" -c "INSERT INTO wide SELECT t, t
    FROM (SELECT string_agg(repeat(md5(i::text) || ' ', 3), '') AS t FROM generate_series(1, 500) i) x"
stored() { sql "$1" -c "SELECT pg_column_compression(a), pg_column_compression(b) FROM wide"; }
copy=$(fresh_on "$target_admin" wide)
said=$(verb stream source="$wide" target="$copy" compare=yes)
ok "wide values are stored with lz4, but in columns that say otherwise" test "$(stored "$copy")" = "lz4|pglz"
ok "and the copy is the source" diff <(dump "$wide") <(dump "$copy")
copy=$(fresh_on "$target_admin" wide)
said=$(verb stream source="$wide" target="$copy" toast_lz4=no)
ok "with toast_lz4 = false the server's default stands" test "$(stored "$copy")" = "pglz|pglz"

ok "leave takes known names only" says "leave has no 'ownerz'" \
    "$(verb stream source="$source_dsn" target="$owned" leave=ownerz)"

finish
