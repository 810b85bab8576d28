#!/usr/bin/env bash
# What a masked copy would stumble over is found before there is one: widths, keys that become equal,
# constraints, foreign keys. Nothing that is said holds an original.
# shellcheck disable=SC2317 # functions are called through ok
set -u

# shellcheck source=tests/backup/lib.sh
. "$(dirname "$0")/lib.sh"

admin=$(cluster server)
dsn=$(fresh_on "$admin" check_source)
sql "$dsn" >/dev/null <<'SQL' || exit 1
create extension citext;
create schema shop;
create table shop.narrow (id int primary key, mail varchar(18), wide varchar(24), code char(20));
insert into shop.narrow values (1, 'ola@firma.example', 'kari@firma.example', 'ola@firma.example'),
    (2, 'per@firma.example', 'ida', 'none'), (3, 'none', 'ida@sink.test', null);
create table shop.person (id int primary key, mail text unique, other text,
    small text generated always as (lower(other)) stored unique);
insert into shop.person values (1, 'kari@firma.example', 'Kari@firma.example'),
    (2, 'kari_firma.example@sink.test', 'x KARI_firma.example@sink.test'),
    (3, 'Kari@firma.example', 'KARI_firma.example@sink.test'), (4, null, null), (5, 'none', 'none');
create table shop.account (id int primary key, login citext unique, mail text, active bool, tenant int);
create unique index account_low on shop.account (lower(mail));
create unique index account_active on shop.account (mail) where active;
create unique index account_tenant on shop.account (tenant, mail);
insert into shop.account values (1, 'Per@Firma.example', 'Ida@b.example', true, 1),
    (2, 'per_firma.EXAMPLE@SINK.test', 'ida_b.example@sink.test', false, 1),
    (3, 'PER', 'per@b.example', true, 2), (4, 'ola@b.example', 'per_b.example@sink.test', false, 2);
create table shop.company (id int primary key, mail text);
create unique index company_domain on shop.company (split_part(mail, '@', 2));
insert into shop.company values (1, 'post@one.example'), (2, 'post@two.example'), (3, 'post@three.example'),
    (4, 'none');
create table shop.odd (mail text, check (mail like '%@firma.example'), check (length(mail) <= 30),
    check (mail <> '') not valid);
insert into shop.odd values ('kari@firma.example'), ('nordmann.kari@firma.example'), (null);
create domain shop.inside as text check (value !~ '@sink');
create domain shop.further as shop.inside check (value <> '');
create table shop.typed (mail shop.further, list shop.inside[]);
insert into shop.typed values ('kari@firma.example', '{ola@firma.example}'), ('none', null);
create function shop.strict_about(text) returns bool language plpgsql immutable as
    $$ begin if $1 like '%sink%' then raise exception 'never %', $1; end if; return true; end $$;
create table shop.beyond (mail text, note text, check (shop.strict_about(mail)), exclude (mail with =));
insert into shop.beyond values ('kari@firma.example');
create table shop.parent (mail varchar(60) primary key);
create table shop.child (id int primary key, mail varchar(24) references shop.parent);
insert into shop.parent values ('kari@firma.example'), ('k@b.example');
insert into shop.child values (1, 'kari@firma.example'), (2, 'k@b.example'), (3, null);
create materialized view shop.mails as select mail from shop.company;
create unique index mails_mail on shop.mails (mail);
create table shop.fine (id int primary key, mail text unique check (mail like '%@%'), n int unique);
insert into shop.fine select i, 'p' || i || '@firma.example', i from generate_series(1, 5000) i;
create table shop.parts (id int, mail text, primary key (id, mail)) partition by range (id);
create table shop.parts_1 partition of shop.parts for values from (0) to (10);
create table shop.parts_2 partition of shop.parts for values from (10) to (20);
insert into shop.parts values (1, 'a@b.example'), (1, 'a_b.example@sink.test'), (11, 'a@b.example');
analyze;
SQL

results=$(fresh_on "$admin" check_results)
sql "$results" >/dev/null <<'SQL' || exit 1
create table said (doc jsonb);
create view findings as select f.* from said, jsonb_to_recordset(doc -> 'findings')
    as f (kind text, "table" text, columns text, name text, count int, "limit" int, needed int, sample text, other text);
create view columns as select c.* from said, jsonb_to_recordset(doc -> 'columns')
    as c ("table" text, "column" text, changed int, shortened int, squeezed int, unfit int);
create view definitions as select d.* from said, jsonb_to_recordset(doc -> 'definitions')
    as d (kind text, object text, count int);
create view gaps as select g.* from said, jsonb_to_recordset(doc -> 'not_checked') as g (kind text, name text, reason text);
SQL

checked() { # key=value...: what check says is in the views from here on
    verb check "$@" >"$tmp/said.json" 2>&1
    sql "$results" -v said="$(cat "$tmp/said.json")" >/dev/null <<<"truncate said; insert into said values (:'said');" ||
        cat "$tmp/said.json"
}
checked source="$dsn" mask_domain=sink.test jobs=3

# found KIND TABLE COLUMNS NAME COUNT: exactly one such finding; "" for a width's name
found() {
    sql "$results" -v kind="$1" -v table="$2" -v columns="$3" -v name="$4" -v count="$5" <<'SQL' | grep -qx t ||
select count(*) = 1 and min(count) = :count from findings
 where kind = :'kind' and "table" = :'table' and columns = :'columns' and coalesce(name, '') = :'name';
SQL
        { sql "$results" -c "select * from findings"; return 1; }
}
asked() { # SQL: a question to what was said
    sql "$results" -c "select $1" | grep -qx t || { cat "$tmp/said.json"; return 1; }
}

ok "what does not fit its varchar" found width narrow mail "" 2
ok "with the width that would do" asked "(\"limit\", needed) = (18, 20) from findings where kind = 'width'"
ok "what fits by a hash suffix is counted as shortened for its width" asked \
    "(changed, squeezed, unfit) = (1, 1, 0) from columns where \"table\" = 'narrow' and \"column\" = 'wide'"
ok "char(n) is taken without its padding" asked \
    "(changed, unfit) = (1, 0) from columns where \"table\" = 'narrow' and \"column\" = 'code'"
ok "an address that is in the sink and the masked form of another" found unique person mail person_mail_key 1
ok "by way of a generated column, in any case" found unique person other person_small_key 1
ok "citext folds case" found unique account login account_login_key 1
ok "so does an index on lower()" found unique account mail account_low 2
ok "a partial index holds only its rows" asked "count(*) = 0 from findings where name = 'account_active'"
ok "keys of two columns" found unique account "mail, tenant" account_tenant 1
ok "an index of domains alone: all are the sink's" found unique company mail company_domain 2
ok "a CHECK constraint" found check odd mail odd_mail_check 2
ok "one about the length" found check odd mail odd_mail_check1 1
ok "one that is not valid promises nothing" asked "count(*) = 0 from findings where name = 'odd_mail_check2'"
ok "a domain's constraint, by way of another domain" found domain typed mail inside_check 1
ok "a reference in a narrower column" found "foreign key" child mail child_mail_fkey 1
ok "a key within a partition" found unique parts_1 "id, mail" parts_1_pkey 1
ok "and nothing else is found" asked "count(*) = 12 from findings"
ok "what the server fails at is not checked" asked \
    "reason like '%SQLSTATE P0001%' from gaps where name = 'shop.beyond: beyond_mail_check'"
ok "nor are exclusion constraints, views' indexes, domains in arrays" asked "string_agg(name, ', ' order by name)
    = 'shop.beyond: beyond_mail_check, shop.beyond: beyond_mail_excl, shop.mails: mails_mail, shop.typed: inside_check'
    from gaps"
ok "columns where nothing is wrong are counted" asked \
    "(changed, shortened) = (5000, 0) from columns where \"table\" = 'fine' and \"column\" = 'mail'"
ok "samples are masked and shortened" asked "sample = 'kar…@sink.test' from findings where name = 'person_mail_key'"
none_of() { ! grep -nE -- "$1" "$tmp"/said.json "$tmp"/tool.* || return 1; }

tool() {
    "$CLONER" "$root/scripts/check.lua" source="$dsn" mail_domain=sink.test "$@" >"$tmp/tool.out" 2>"$tmp/tool.err"
}
ends() { # CODE COMMAND...
    local wanted=$1 code
    shift
    "$@"
    code=$?
    [ "$code" = "$wanted" ] || { echo "exit code $code, not $wanted"; cat "$tmp/tool.out" "$tmp/tool.err"; return 1; }
}
ok "the tool fails where there are findings" ends 1 tool
ok "and names them with the way out" grep -qE \
    'FINDING +shop.narrow \(mail\): 2 rows do not fit its 18 characters once masked, 20 are needed: widen' "$tmp/tool.out"
ok "tables can be chosen" ends 0 tool tables=shop.fine
ok "a table without findings is said to be fine" grep -q 'nothing stands against' "$tmp/tool.out"
ok "no original is in anything that was said" none_of '@firma\.example|@b\.example|kari@|ola@firma'

copied() {
    "$CLONER" "$root/scripts/copydb.lua" source="$dsn" target="$admin dbname=$1" mail_domain=sink.test \
        >"$tmp/copy.out" 2>&1
}
fresh_on "$admin" check_copy >/dev/null
ok "a copy is refused before anything is written" ends 3 copied check_copy
ok "for one of the findings" grep -qE 'the source cannot be copied with this mask: shop\..* \(and 11 more\)' "$tmp/copy.out"
ok "the target is empty" says '^0$' "$(sql "$admin dbname=check_copy" -c "select count(*) from pg_class where oid > 16384")"

methods=$(fresh_on "$admin" check_methods)
sql "$methods" >/dev/null <<'SQL' || exit 1
create schema shop;
create table shop.dept (code text primary key);
create table shop.staff (id int primary key, code text unique, born date not null,
    pin text check (pin ~ '^[0-9]+$'), dept text references shop.dept, nick text unique);
insert into shop.dept values ('sales');
insert into shop.staff values (1, 'abc', '2000-01-01', '12', 'sales', 'a'), (2, 'abd', '2000-01-02', '13', 'sales', 'bb'),
    (3, 'xyz', '2000-01-03', null, null, null);
SQL
checked source="$methods" rules=check
ok "a method that makes keys equal" found unique staff code staff_code_key 1
ok "one that makes NULL where there must be a value" found "not null" staff born null 3
ok "one whose value breaks a constraint" found check staff pin staff_pin_check 2
ok "one that only one end of a foreign key has" found methods staff dept staff_dept_fkey 0
ok "and no other" asked "count(*) = 4 from findings"
ok "the method that makes keys equal is named" asked "other = 'dictionary' from findings where name = 'staff_code_key'"
said=$(verb check source="$methods" rules=check case=lossy)
ok "one that can keep no keys apart is refused without a look at the rows" says \
    '"code":"E_RULES".*rules/check.lua:[0-9]+: shop.dept.code is unique .dept_pkey., and method .redact.' "$said"

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
schema_tool() { "$CLONER" "$root/scripts/check.lua" source="$schema" mask_domain=sink.test >"$tmp/tool.out" 2>"$tmp/tool.err"; }
ok "they stop nothing" ends 0 schema_tool
for line in '2 address\(es\) in the materialised view shop.desks: rows of the copy may hold them again, at which its scan stops' \
    '2 address\(es\) in the default or generated expression shop.ticket: .* generated rows' \
    'the enum label shop.desk: rows' 'the function shop.ask\(\): the copy gets it as it is'; do
    ok "said to people: $line" grep -qE "in the schema: .*$line" "$tmp/tool.out"
done
ok "but not the comment, which is masked" says '^0$' "$(grep -c comment "$tmp/tool.out")"
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

sql "$dsn" >/dev/null <<'SQL'
drop table shop.narrow, shop.beyond, shop.child;
delete from shop.person where id in (1, 2);
delete from shop.account where id in (2, 4);
drop index shop.company_domain;
drop table shop.odd, shop.typed;
delete from shop.parts where mail like '%sink.test';
SQL
ok "once they are gone the copy is made" ends 0 copied check_copy
finish
