#!/usr/bin/env bash
# data_only: rows into tables that are there already. Columns in another order and more of them,
# partitions cut otherwise, triggers that must not fire, keys that must hold, by a superuser and by
# an owner.
# shellcheck disable=SC2317 # functions are called through ok
set -u

# shellcheck source=tests/backup/lib.sh
. "$(cd "$(dirname "$0")" && pwd)/lib.sh"

server=$(cluster server)
src=$(fresh_on "$server" into_source)
sql "$server" -c "CREATE ROLE into_owner LOGIN PASSWORD 'own'" >/dev/null

sql "$src" >/dev/null <<'SQL'
CREATE SCHEMA crm;
CREATE TABLE crm.company (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE crm.person (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company integer REFERENCES crm.company,
    boss bigint REFERENCES crm.person,
    mail varchar(60),
    born date,
    upper_mail text GENERATED ALWAYS AS (upper(mail)) STORED
);
CREATE TABLE crm.flat (id integer PRIMARY KEY, at date NOT NULL, what text);
CREATE TABLE crm.cut (id integer, at date, what text) PARTITION BY RANGE (at);
CREATE TABLE crm.cut_a PARTITION OF crm.cut FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE crm.cut_b PARTITION OF crm.cut FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') PARTITION BY HASH (id);
CREATE TABLE crm.cut_b0 PARTITION OF crm.cut_b FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE crm.cut_b1 PARTITION OF crm.cut_b FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE crm.recut (id integer, at date, what text) PARTITION BY RANGE (at);
CREATE TABLE crm.recut_1 PARTITION OF crm.recut FOR VALUES FROM ('2020-01-01') TO ('2022-01-01');
CREATE TABLE crm.log (id integer, line text);
CREATE SEQUENCE crm.counter;
INSERT INTO crm.company SELECT i, 'company ' || i FROM generate_series(1, 100) i;
INSERT INTO crm.person (company, boss, mail, born)
    SELECT 1 + i % 100, CASE WHEN i > 1 THEN 1 + i % (i - 1) END, 'p' || i || '@corp.example', '1980-01-01'::date + i
      FROM generate_series(1, 5000) i;
INSERT INTO crm.flat SELECT i, '2020-01-01'::date + i % 730, 'row ' || i FROM generate_series(1, 2000) i;
INSERT INTO crm.cut SELECT * FROM crm.flat;
INSERT INTO crm.recut SELECT * FROM crm.flat;
INSERT INTO crm.log SELECT i, 'line' FROM generate_series(1, 10) i;
SELECT nextval('crm.counter') FROM generate_series(1, 42);
SELECT lo_from_bytea(9, 'large');
SQL

# The target's own idea of it: other order, more columns, types and partitions of its own.
schema() { # DSN
    sql "$1" >/dev/null <<'SQL'
CREATE SCHEMA crm;
CREATE TABLE crm.audit (what text);
CREATE FUNCTION crm.fired() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO crm.audit VALUES (TG_TABLE_NAME); RETURN NEW; END $$;
CREATE TABLE crm.company (name varchar(200) NOT NULL, id integer PRIMARY KEY, note text, since date NOT NULL DEFAULT '2000-01-01');
CREATE TABLE crm.person (
    born text,
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mail varchar(60),
    company integer,
    boss bigint,
    upper_mail text GENERATED ALWAYS AS (upper(mail)) STORED,
    FOREIGN KEY (company) REFERENCES crm.company,
    FOREIGN KEY (boss) REFERENCES crm.person
);
CREATE TABLE crm.flat (id integer, at date NOT NULL, what text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE crm.flat_1 PARTITION OF crm.flat FOR VALUES FROM ('2019-01-01') TO ('2020-07-01');
CREATE TABLE crm.flat_rest PARTITION OF crm.flat DEFAULT;
CREATE TABLE crm.cut (id integer, at date, what text);
CREATE TABLE crm.recut (id integer, at date, what text) PARTITION BY LIST (id);
CREATE TABLE crm.recut_rest PARTITION OF crm.recut DEFAULT;
CREATE TABLE crm.log (id integer, line text);
CREATE SEQUENCE crm.counter;
CREATE TRIGGER a BEFORE INSERT ON crm.company FOR EACH ROW EXECUTE FUNCTION crm.fired();
CREATE TRIGGER b AFTER INSERT ON crm.log FOR EACH ROW EXECUTE FUNCTION crm.fired();
CREATE TRIGGER c AFTER INSERT ON crm.flat_1 FOR EACH ROW EXECUTE FUNCTION crm.fired();
ALTER TABLE crm.log ENABLE ALWAYS TRIGGER b;
CREATE TRIGGER d AFTER INSERT ON crm.cut FOR EACH ROW EXECUTE FUNCTION crm.fired();
ALTER TABLE crm.cut ENABLE REPLICA TRIGGER d;
CREATE TRIGGER e AFTER INSERT ON crm.cut FOR EACH ROW EXECUTE FUNCTION crm.fired();
ALTER TABLE crm.cut DISABLE TRIGGER e;
SQL
}
holds() { # DSN: what the source holds, as the target sees it
    sql "$1" -c 'SELECT id, name FROM crm.company ORDER BY id' \
        -c 'SELECT id, company, boss, mail, born, upper_mail FROM crm.person ORDER BY id' \
        -c 'SELECT id, at, what FROM crm.flat ORDER BY id' -c 'SELECT id, at, what FROM crm.cut ORDER BY id' \
        -c 'SELECT id, at, what FROM crm.recut ORDER BY id' -c 'SELECT * FROM crm.log ORDER BY id' \
        -c 'SELECT last_value, is_called FROM crm.counter' \
        -c "SELECT last_value, is_called FROM crm.person_id_seq" -c 'SELECT lo_get(9)'
}
triggers() { sql "$1" -c "SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2"; }
like_the_source() { # DSN
    diff <(holds "$src") <(holds "$1") || return 1
    test "$(sql "$1" -c 'SELECT count(*) FROM crm.audit')" = 0 || { echo "a trigger fired"; return 1; }
    diff <(triggers "$1") "$tmp/triggers"
}

target=$(fresh_on "$server" into_target)
schema "$target"
triggers "$target" >"$tmp/triggers"
said=$(verb stream source="$src" target="$target" data_only=yes jobs=4 part_bytes=65536)
ok "stream fills tables that are there" says '"large_objects":1,.*"rows":11110,.*"warnings":\[\]' "$said"
ok "with every row, and no trigger fires" like_the_source "$target"
ok "and columns of its own have their defaults" test "$(sql "$target" -c \
    "SELECT count(*) FROM crm.company WHERE note IS NULL AND since = '2000-01-01'")" = 100

said=$(verb preflight source="$src" target="$target" data_only=yes)
ok "preflight says so, too" says '"code":"E_NOT_EMPTY".*crm\.[a-z]+ has rows' "$said"
said=$(verb stream source="$src" target="$target" data_only=yes leave=large_objects)
ok "tables with rows are refused by name" says '"code":"E_NOT_EMPTY".*crm\.[a-z]+ has rows; truncate' "$said"
said=$(verb stream source="$src" target="$target" data_only=yes truncate=yes)
ok "large objects in the way, too" says '"code":"E_NOT_EMPTY".*large objects' "$said"
said=$(verb stream source="$src" target="$target" data_only=yes truncate=yes leave=large_objects)
ok "truncate lets rows go first" says '"rows":11110,' "$said"
ok "and triggers still do not fire" like_the_source "$target"

archive=$tmp/archive
verb create source="$src" to="$archive" part_bytes=65536 >/dev/null
restored=$(fresh_on "$server" into_restored)
schema "$restored"
sql "$restored" -c 'ALTER TABLE crm.person DROP COLUMN born, ADD COLUMN born date' >/dev/null
said=$(verb restore archive="$archive" target="$restored" data_only=yes jobs=3)
ok "restore fills tables that are there" says '"rows":11110,' "$said"
ok "with every row" like_the_source "$restored"
said=$(verb restore archive="$archive" target="$target" data_only=yes truncate=yes leave=large_objects)
ok "a type the archive's binary rows do not fit is refused" says '"code":"E_BINARY_FORM".*crm.person.born is date' "$said"

masked=$(fresh_on "$server" into_masked)
schema "$masked"
said=$(verb stream source="$src" target="$masked" data_only=yes mask_domain=sink.test exclude=crm.log)
ok "rows are masked on their way" says '"masked":5000,' "$said"
ok "whatever type the target has" test "$(sql "$masked" -c \
    "SELECT count(*) FROM crm.person WHERE mail LIKE '%\_corp.example@sink.test'")" = 5000
ok "an excluded table stays as it is" test "$(sql "$masked" -c 'SELECT count(*) FROM crm.log')" = 0

# ---------------------------------------------------------------- what does not fit

refused() { # PATTERN SQL...: a target with that change is refused
    local db pattern=$1
    shift
    db=$(fresh_on "$server" into_refused)
    schema "$db"
    sql "$db" -c "$*" >/dev/null || return 1
    said=$(verb stream source="$src" target="$db" data_only=yes)
    says "$pattern" "$said"
}
ok "a missing table" refused '"code":"E_NO_TABLE".*crm.cut' 'DROP TABLE crm.cut'
ok "a missing column" refused '"code":"E_NO_COLUMN".*crm.log.*line' 'ALTER TABLE crm.log DROP COLUMN line'
ok "a column that wants a value" refused '"code":"E_NO_COLUMN".*crm.log.*strict' \
    'ALTER TABLE crm.log ADD COLUMN strict integer NOT NULL'
ok "a key that rows break" refused '"code":"E_FOREIGN_KEY".*2000 row.*crm.cut break.*cut_fk' \
    'CREATE TABLE crm.other (id integer PRIMARY KEY); ALTER TABLE crm.cut ADD CONSTRAINT cut_fk FOREIGN KEY (id) REFERENCES crm.other'
ok "a check that rows break" refused '"code":"23514".*crm.log.*few' \
    'ALTER TABLE crm.log ADD CONSTRAINT few CHECK (id < 10)'
said=$(verb stream source="$src" target="$(fresh_on "$server" into_refused)" data_only=yes compare=yes)
ok "options that do not go together" says '"code":"E_OPTION"' "$said"

# ---------------------------------------------------------------- an owner, who is no superuser

as_owner() { sed -E "s/user=[^ ]+/user=into_owner/; s/password=[^ ]+/password=own/" <<<"$1"; }
fresh_on "$server" into_owned >/dev/null
sql "$server" -c 'ALTER DATABASE into_owned OWNER TO into_owner' >/dev/null
owned=$(as_owner "$server dbname=into_owned")
schema "$owned"
said=$(verb stream source="$src" target="$owned" data_only=yes leave=owners jobs=4 part_bytes=65536)
ok "an owner fills his tables in the order of their keys" says '"rows":11110,' "$said"
ok "with every row, and no trigger fires" like_the_source "$owned"
sql "$owned" -c 'SELECT lo_unlink(9)' -c 'ALTER TABLE crm.company ADD COLUMN head bigint REFERENCES crm.person' >/dev/null
said=$(verb stream source="$src" target="$owned" data_only=yes truncate=yes leave=owners)
ok "keys in a circle are refused by name" says '"code":"E_FOREIGN_KEY".*foreign key (company_head|person_company)_fkey' "$said"

finish
