#!/usr/bin/env bash
# Copies of a database's files in which only some tables are filled again, masked: what comes through,
# what stays as it is, what hangs on the tables is there afterwards as it was.
# shellcheck disable=SC2317 # functions are called through ok
set -u

# shellcheck source=tests/backup/lib.sh
. "$(dirname "$0")/lib.sh"

admin=$(cluster server)
source_dsn=$(fresh_on "$admin" rewrite_source)
sql "$source_dsn" >/dev/null <<'SQL' || exit 1
create schema shop;
create table shop.person (id int primary key, mail text unique, note text default 'none',
    lower text generated always as (lower(mail)) stored);
create table shop.country (code text primary key, name text);
create table shop."order, ""odd""" (id int primary key, person int, foreign key (person) references shop.person
    on delete cascade deferrable initially deferred, code text references shop.country);
create table shop.visit (day date, person int references shop.person, remark text) partition by range (day);
create table shop.visit_1 partition of shop.visit for values from ('2026-01-01') to ('2026-07-01');
create table shop.visit_2 partition of shop.visit for values from ('2026-07-01') to ('2027-01-01');
create table shop.secret (id int primary key references shop.person, word text);
create table shop.tree (id int primary key, parent int references shop.tree, label text);
insert into shop.person (id, mail) select i, 'Kari' || i || '@firma.example' from generate_series(1, 3000) i;
insert into shop.country values ('no', 'Norge'), ('se', 'Sverige');
insert into shop."order, ""odd""" select i, i, 'no' from generate_series(1, 50) i;
insert into shop.visit select '2026-01-01'::date + i, i, 'saw ola@firma.example' from generate_series(1, 300) i;
insert into shop.secret select i, 'word of per@firma.example' from generate_series(1, 10) i;
insert into shop.tree select i, nullif(i / 2, 0), 'leaf' || i || '@firma.example' from generate_series(1, 100) i;
create index person_note on shop.person (note) where note <> '';
comment on index shop.person_note is 'few';
comment on constraint visit_person_fkey on shop.visit is 'who came';
comment on table shop.country is 'it''s o''brien@firma.example who knows \ "it"';
comment on column shop.country.name is 'plain';
create domain shop.mail as varchar(60) default 'domain@firma.example';
create table shop.form (contact varchar(40) default 'contact@firma.example', of_domain shop.mail,
    tight varchar(8) default 'a@b.c', list varchar(8)[] default '{a@b.c}', label text default lower('Label@firma.example'));
alter table shop.person cluster on person_pkey, replica identity full;
alter table shop.person alter mail set statistics 500;
create function shop.never() returns trigger language plpgsql as $$ begin raise exception 'fired'; end $$;
create trigger never before insert on shop.person for each row execute function shop.never();
alter table shop.person enable always trigger never;
create trigger off before insert on shop.person for each row execute function shop.never();
alter table shop.person disable trigger off;
create materialized view shop.mails as select mail from shop.person;
create index on shop.mails (mail);
create materialized view shop.domains as select distinct split_part(mail, '@', 2) as domain from shop.mails;
select lo_from_bytea(7001, convert_to('saw lo@firma.example', 'UTF8')),
    lo_from_bytea(7002, '\x00ff'::bytea || convert_to('lo.binary@firma.example', 'UTF8') || '\x00'),
    lo_from_bytea(7003, convert_to(repeat('to wide@firma.example ', 60000), 'UTF8')), lo_from_bytea(7004, 'nothing');
comment on large object 7001 is 'note of@firma.example';
create role rewrite_reader;
grant select on large object 7001 to rewrite_reader;
analyze;
analyze pg_largeobject;
SQL
sql "$admin" -c "drop database if exists rewritten" -c "create database rewritten template rewrite_source"
target_dsn="$admin dbname=rewritten"
in_copy() { sql "$target_dsn" -c "$1"; }
file_of() { in_copy "select pg_relation_filenode('$1')"; }
"$bin/pg_dump" -s "$source_dsn" | grep -vE '^\\(un)?restrict ' >"$tmp/schema.wanted"
country=$(file_of shop.country)

rewrite() {
    verb rewrite source="$source_dsn" target="$target_dsn" mask_domain=sink.test exclude=shop.secret compare=yes "$@"
}
said=$(rewrite tables=shop.person,shop.visit_1,shop.visit_2,shop.tree jobs=3)
ok "tables are filled again, and compared" says '"compared":4,.*"large_objects":4,.*"masked":63407,' "$said"
equal() { [ "$2" = "$1" ] || { echo "got $2, wanted $1"; return 1; }; }
ok "no address is left" equal "0|0|0|0" "$(in_copy "select
    (select count(*) from shop.person where mail !~ '@sink.test\$' or lower <> lower(mail)),
    (select count(*) from shop.visit where remark !~ '@sink.test\$'),
    (select count(*) from shop.tree where label !~ '@sink.test\$'),
    (select count(*) from shop.mails where mail !~ '@sink.test\$')")"
ok "every row is there" equal "3000|300|100|3000" "$(in_copy "select (select count(*) from shop.person),
    (select count(*) from shop.visit), (select count(*) from shop.tree), (select count(*) from shop.mails)")"
ok "so is every large object, masked" equal "saw lo_firma.example@sink.test|26|t|t|nothing" "$(in_copy "select
    convert_from(lo_get(7001), 'UTF8'), length(lo_get(7002)),
    substr(lo_get(7002), 1, 2) = '\x00ff' and position('@'::bytea in lo_get(7002)) = 0,
    lo_get(7003) = convert_to(repeat('to wide_firma.example@sink.test ', 60000), 'UTF8'), convert_from(lo_get(7004), 'UTF8')")"
ok "with what was said about it" equal "note of_firma.example@sink.test|s" "$(in_copy "select
    obj_description(7001, 'pg_largeobject'), (select privilege from (select lower(left(privilege_type, 1)) from
    pg_largeobject_metadata, aclexplode(lomacl) a where oid = 7001 and a.grantee = 'rewrite_reader'::regrole) p (privilege))")"
ok "views upon views follow" equal "sink.test" "$(in_copy "select string_agg(domain, ',') from shop.domains")"
ok "what is excluded is empty" equal 0 "$(in_copy "select count(*) from shop.secret")"
ok "other tables stay what they are" equal "$country" "$(file_of shop.country)"
"$bin/pg_dump" -s "$target_dsn" | grep -vE '^\\(un)?restrict ' >"$tmp/schema.got"
sed -i -E "s/(o''brien|domain|contact|Label)@firma.example/\1_firma.example@sink.test/" "$tmp/schema.wanted"
ok "the schema is what it was, masked: keys, comments, defaults, triggers, indexes" diff "$tmp/schema.wanted" "$tmp/schema.got"
ok "foreign keys hold" equal "f" "$(in_copy "select bool_or(not convalidated) from pg_constraint where contype = 'f'")"
in_copy "checkpoint"
files=$(in_copy "select setting || '/base/' || (select oid from pg_database where datname = 'rewritten')
    from pg_settings where name = 'data_directory'")
none_in() { ! LC_ALL=C grep -rlaF '@firma.example' "$1"; }
ok "no page of the copy holds an address" none_in "$files"
ok "the search would find one" bash -c "LC_ALL=C grep -rlaF '@firma.example' '${files%/*}' | grep -q ."

ok "a table that is not there is refused" says 'E_TABLE.*1 of the 1 tables' "$(rewrite tables=shop.nobody)"
ok "the source itself is refused" says 'E_SAME_DATABASE' \
    "$(verb rewrite source="$source_dsn" target="$source_dsn" tables=shop.person)"
ok "and is as it was" equal 3000 "$(sql "$source_dsn" -c "select count(*) from shop.person where mail ~ '@firma.example\$'")"
ok "large objects cannot be left behind" says 'E_OPTION.*large objects' "$(rewrite tables=shop.person leave=large_objects)"

finish
