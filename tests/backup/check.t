#!/usr/bin/env bash
# What a masked copy would stumble over is found before there is one: widths, keys that become equal,
# constraints, foreign keys. Nothing that is said holds an original.
# shellcheck disable=SC2317 # functions are called through ok
set -u

# shellcheck source=tests/backup/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/backup/check.sh
. "$(dirname "$0")/check.sh"

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
create table shop.odd (mail text, check (mail like '%@firma.example'), check (octet_length(mail) <= 30),
    check (mail <> '') not valid);
insert into shop.odd values ('kari@firma.example'), ('nordmann.kari@firma.example'), (null);
create domain shop.brief as text check (length(value) < 25);
create table shop.bounded (a text check (a is null or char_length(a) between 1 and 24), b shop.brief,
    c varchar(60) check (octet_length(c) <= 24), d text check (length(d) <= 24 or d = 'all'));
insert into shop.bounded values ('kari@firma.example', 'kari@firma.example', 'kari@firma.example', 'none');
create table shop.tiny (mail text check (length(mail) <= 18));
insert into shop.tiny values ('ola@firma.example');
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

checked source="$dsn" mask_domain=sink.test jobs=3

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
ok "one about the length is kept, as a varchar's" asked \
    "(changed, squeezed, unfit) = (2, 1, 0) from columns where \"table\" = 'odd'"
ok "however it is written" asked "string_agg(\"column\" || squeezed, ' ' order by \"column\") = 'a1 b1 c1'
    from columns where \"table\" = 'bounded'"
ok "or it is a width that does not do" found width tiny mail "" 1
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
tool() {
    "$CLONER" "$root/scripts/check.lua" source="$dsn" mail_domain=sink.test "$@" >"$tmp/tool.out" 2>"$tmp/tool.err"
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

sql "$dsn" >/dev/null <<'SQL'
drop table shop.narrow, shop.tiny, shop.beyond, shop.child;
delete from shop.person where id in (1, 2);
delete from shop.account where id in (2, 4);
drop index shop.company_domain;
drop table shop.odd, shop.typed;
delete from shop.parts where mail like '%sink.test';
SQL
ok "once they are gone the copy is made" ends 0 copied check_copy
ok "with values that keep constraints about their length" says '^(k[a-z]*_[a-z2-7]+@sink.test ?){3}$' \
    "$(sql "$admin dbname=check_copy" -c "select a || ' ' || b || ' ' || c from shop.bounded")"
finish
