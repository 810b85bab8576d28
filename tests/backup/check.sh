# shellcheck shell=bash
# What check.t and check_keys.t share: what check says, as views of a database; sourced after lib.sh.
# shellcheck disable=SC2154 # tmp is set by lib.sh
# Sets admin, a superuser's connection string to a server of the test's own, and results.

admin=$(cluster server)
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

none_of() { ! grep -nE -- "$1" "$tmp"/said.json "$tmp"/tool.* || return 1; }

ends() { # CODE COMMAND...
    local wanted=$1 code
    shift
    "$@"
    code=$?
    [ "$code" = "$wanted" ] || { echo "exit code $code, not $wanted"; cat "$tmp/tool.out" "$tmp/tool.err"; return 1; }
}
