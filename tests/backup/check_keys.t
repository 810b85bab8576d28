#!/usr/bin/env bash
# What a masked copy would stumble over between tables, and what stands in the schema itself: bounds of
# partitions, keys that meet in another one, foreign keys, definitions.
# shellcheck disable=SC2317 # functions are called through ok
set -u

# shellcheck source=tests/backup/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/backup/check.sh
. "$(dirname "$0")/check.sh"

# ---- what stands in the schema itself -----------------------------------------------------------------

schema=$(fresh_on "$admin" check_schema)
sql "$schema" >/dev/null <<'SQL' || exit 1
create schema shop;
create type shop.desk as enum ('post@firma.example', 'none');
create table shop.ticket (id int primary key, mail text, desk shop.desk default 'none',
    seen text generated always as (coalesce(mail, 'nobody@firma.example')) stored, kind text default 'x@firma.example');
comment on table shop.ticket is 'ask ola@firma.example';
insert into shop.ticket values (1, 'kari@firma.example');
create function shop.ask() returns text language sql as $$ select 'ask@firma.example' $$;
create materialized view shop.desks as select 'desk@firma.example'::text as mail, 'two@firma.example'::text as other;
SQL
checked source="$schema" mask_domain=sink.test
ok "addresses in definitions are told of" asked "string_agg(line, ', ' order by line) = 'comment shop.ticket 1, '
    || 'default or generated expression shop.ticket 2, enum label shop.desk 1, '
    || 'function shop.ask() 1, materialised view shop.desks 2'
    from (select format('%s %s %s', kind, object, sum(count)) as line from definitions group by kind, object) d"
ok "and are no findings" asked "count(*) = 0 from findings"
schema_tool() { "$CLONER" "$root/scripts/check.lua" source="$schema" mail_domain=sink.test >"$tmp/tool.out" 2>"$tmp/tool.err"; }
ok "they stop nothing" ends 0 schema_tool
for line in '2 address\(es\) in the materialised view shop.desks: rows of the copy may hold them again, at which its scan stops' \
    '2 address\(es\) in the default or generated expression shop.ticket: .* generated rows' \
    'the enum label shop.desk: rows' 'the function shop.ask\(\): the copy gets it as it is'; do
    ok "said to people: $line" grep -qE "in the schema: .*$line" "$tmp/tool.out"
done
ok "but not the comment, which is masked" says '^0$' "$(grep -c comment "$tmp/tool.out")"
mkdir -p "$tmp/strict" && cp "$root"/scripts/findings.lua "$tmp/strict/"
cat >"$tmp/strict/refuse.lua" <<'LUA'
local findings, mask, given = require "findings", require "mask", ...
findings.refuse("it", { source = given.source, mask = mask.rules { sink_domain = "sink.test" } }, given.strict == "yes")
LUA
refuse() { "$CLONER" "$tmp/strict/refuse.lua" source="$schema" strict="$1" >"$tmp/tool.out" 2>"$tmp/tool.err"; }
ok "before a clone they are warnings" ends 0 refuse no
ok "one for each" says '^4$' "$(grep -c 'in the schema: ' "$tmp/tool.err")"
ok "and refused where definitions are looked at strictly" ends 1 refuse yes
ok "but for those that may be masked" grep -qE \
    'it cannot be copied with this mask: in the schema: .* \(and 2 more\)' "$tmp/tool.err"
ok "no address of theirs is in anything that was said" none_of "(post|nobody|desk|two|x|ola|ask)@"

# ---- bounds of partitions -------------------------------------------------------------------------------

bounds=$(fresh_on "$admin" check_bounds)
sql "$bounds" >/dev/null <<'SQL' || exit 1
create schema shop;
create table shop.listed (id int, mail text) partition by list (mail);
create table shop.listed_a partition of shop.listed for values in ('kari@firma.example', 'ola@firma.example');
create table shop.listed_b partition of shop.listed for values in ('none', null);
insert into shop.listed values (1, 'kari@firma.example'), (2, 'ola@firma.example'), (3, 'none'), (4, null);
create table shop.tight (mail text collate "C", n int) partition by range (mail);
create table shop.tight_k partition of shop.tight for values from ('kari@') to ('kari@z');
create table shop.tight_p partition of shop.tight for values from ('p') to ('q');
insert into shop.tight values ('kari@firma.example', 1), ('kari@b.example', 2), ('per@firma.example', 3);
create table shop.deep (kind int, mail text) partition by list (kind);
create table shop.deep_1 partition of shop.deep for values in (1) partition by list (lower(mail));
create table shop.deep_1_a partition of shop.deep_1 for values in ('ida@firma.example');
create table shop.deep_2 (mail text, kind int);
alter table shop.deep attach partition shop.deep_2 for values in (2);
insert into shop.deep values (1, 'Ida@firma.example'), (2, 'ola@firma.example');
create table shop.open (mail text) partition by list (mail);
create table shop.open_a partition of shop.open for values in ('kari@firma.example');
create table shop.open_rest partition of shop.open default;
insert into shop.open values ('kari@firma.example'), ('ola@firma.example');
create table shop.only (mail text) partition by range (mail);
create table shop.only_rest partition of shop.only default;
insert into shop.only values ('kari@firma.example');
create table shop.hashed (mail text) partition by hash (mail);
create table shop.hashed_0 partition of shop.hashed for values with (modulus 2, remainder 0);
create table shop.hashed_1 partition of shop.hashed for values with (modulus 2, remainder 1);
insert into shop.hashed select 'm' || i || '@firma.example' from generate_series(1, 50) i;
create table shop.many (mail text) partition by list (mail);
select format('create table shop.many_%s partition of shop.many for values in (%L)', i, 'n' || i) from generate_series(1, 201) i \gexec
insert into shop.many values ('n7');
SQL
checked source="$bounds" mask_domain=sink.test
ok "rows no list takes once masked" found partition listed_a mail listed 2
ok "nor any range" found partition tight_k mail tight 2
ok "nor a partition of a partition, by an expression" found partition deep_1_a "kind, mail" deep 1
ok "and nothing else is found in bounds" asked "count(*) = 3 from findings"
ok "where partitions are too many that is said" asked "count(*) = 1 and min(reason) = 'its table has too many partitions'
    from gaps where kind = 'partition'"
ok "the bounds that hold an address are told of" asked "string_agg(object, ' ' order by object)
    = 'shop.deep_1_a shop.listed_a shop.open_a' from definitions where kind = 'partition bound'"
copy_bounds() { verb stream source="$bounds" target="$(fresh_on "$admin" check_bounds_copy)" mask_domain=sink.test compare=yes; }
said=$(copy_bounds)
ok "such a copy fails" says '"code":"23514"' "$said"
sql "$bounds" >/dev/null -c "create table shop.listed_rest partition of shop.listed default" \
    -c "create table shop.tight_rest partition of shop.tight default" \
    -c "create table shop.deep_rest partition of shop.deep_1 default"
checked source="$bounds" mask_domain=sink.test
ok "with default partitions nothing is found" asked "count(*) = 0 from findings"
said=$(copy_bounds)
ok "and the copy is made" says '"rows":6[0-9]' "$said"

# ---- keys that meet in another partition ---------------------------------------------------------------

meet=$(fresh_on "$admin" check_meet)
sql "$meet" >/dev/null <<'SQL' || exit 1
create schema shop;
create table shop.keyed (n int, mail text primary key) partition by hash (mail);
create table shop.keyed_0 partition of shop.keyed for values with (modulus 2, remainder 0);
create table shop.keyed_1 (mail text not null, gap int, n int);
alter table shop.keyed_1 drop column gap;
alter table shop.keyed attach partition shop.keyed_1 for values with (modulus 2, remainder 1);
insert into shop.keyed select i, 'm' || i || '@firma.example' from generate_series(1, 40) i;
insert into shop.keyed select i + 40, 'm' || i || '_firma.example@sink.test' from generate_series(1, 40) i;
SQL
checked source="$meet" mask_domain=sink.test
ok "keys that become equal in whatever partition" asked "count(*) = 1 and sum(count) = 40 from findings
    where kind = 'unique' and columns = 'mail' and name like 'keyed%pkey'"
ok "and nothing else" asked "count(*) = 1 from findings"
sql "$meet" -c "delete from shop.keyed where mail like '%sink.test'"
checked source="$meet" mask_domain=sink.test
ok "without them there is none" asked "count(*) = 0 from findings"

# ---- foreign keys of addresses --------------------------------------------------------------------------

folded=$(fresh_on "$admin" check_folded)
sql "$folded" >/dev/null <<'SQL' || exit 1
create extension citext;
create schema shop;
create collation shop.loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
create table shop.login (mail citext primary key);
create table shop.visit (id int primary key, mail citext references shop.login);
insert into shop.login values ('kari@firma.example'), ('none'),
    ('somebody.with.a.local.part.that.is.so.long.that.it.is.shortened@firma.example');
insert into shop.visit values (1, 'Kari@Firma.example'), (2, 'NONE'), (3, null), (4, 'kari@firma.example'),
    (5, 'Somebody.with.a.local.part.that.is.so.long.that.it.is.shortened@firma.example');
create table shop.desk (mail text collate shop.loose primary key);
create table shop.seat (mail text collate shop.loose references shop.desk);
insert into shop.desk values ('Ola@firma.example');
insert into shop.seat values ('ola@firma.example'), ('Ola@firma.example');
SQL
checked source="$folded" mask_domain=sink.test
ok "a key in another case that is shortened would lead nowhere" found folded visit mail visit_mail_fkey 1
ok "and no other" asked "count(*) = 1 from findings"
ok "keys that are addresses are told of" asked "string_agg(format('%s %s', r ->> 'other', r ->> 'count'), ', '
    order by r ->> 'other') = 'shop.desk.mail 2, shop.login.mail 3' from said, jsonb_array_elements(doc -> 'references') r"
checked source="$folded" rules=check case=hash
ok "nor would any that is a hash" asked "string_agg(\"table\" || ' ' || count, ', ' order by \"table\") = 'seat 1, visit 2'
    from findings where kind = 'folded'"
sql "$folded" -c "update shop.visit set mail = 'none' where id in (1, 5)" \
    -c "delete from shop.seat where mail collate \"C\" like 'o%'"
checked source="$folded" rules=check case=hash
ok "written alike they all lead somewhere" asked "count(*) = 0 from findings"

# ---- references to what is not copied -------------------------------------------------------------------

cut=$(fresh_on "$admin" check_cut)
sql "$cut" >/dev/null <<'SQL' || exit 1
create schema shop;
create table shop.login (id int, "Tenant" int, primary key (id, "Tenant"));
create table shop.visit (id int primary key, login int, "Tenant" int,
    constraint visit_login foreign key (login, "Tenant") references shop.login);
create table shop.trace (login int, "Tenant" int, foreign key (login, "Tenant") references shop.login);
create table shop.loose (login int, "Tenant" int);
insert into shop.login values (1, 1), (2, 1);
insert into shop.visit values (1, 1, 1), (2, 2, 1), (3, 3, null), (4, null, null);
insert into shop.trace values (1, 1);
insert into shop.loose values (9, 9);
alter table shop.loose add foreign key (login, "Tenant") references shop.login not valid;
SQL
checked source="$cut" mask_domain=sink.test exclude=shop.login,shop.trace
ok "rows that refer to a table left empty" found emptied visit "login, Tenant" visit_login 2
ok "but not those that are left out, too, or that no key binds" asked "count(*) = 1 from findings"
checked source="$cut" rules=check case=cut exclude=shop.login,shop.trace
ok "nor those that are made NULL" asked "count(*) = 0 from findings"
checked source="$cut" rules=check case=cut
ok "as they are where what is referred to is copied" asked "count(*) = 0 from findings"
checked source="$cut" mask_domain=sink.test exclude=shop.visit,shop.trace
ok "what is referred to may be there all the same" asked "count(*) = 0 from findings"

finish
