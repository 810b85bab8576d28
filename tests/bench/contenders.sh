# shellcheck shell=bash
# The contenders of bench.sh, which sources this: contender_NAME makes one copy of $source_url, timing
# its parts with `part NAME COMMAND...`. Before it starts, the database of $target_url is new and empty,
# $work is an empty folder, and neither server has anything left to write.
#
# shellcheck disable=SC2154 # the variables of bench.sh
# shellcheck disable=SC2317 # called by name

sink=mailinator.com

dump_all() { pg_dump -Fd "$@" -j "$jobs" -f "$work/dump" "$source_url"; }
restore_all() { pg_restore -j "$jobs" -d "$target_url" "$work/dump"; }

contender_dump() {
    part pg_dump dump_all
    part pg_restore restore_all
}

# Dumps and restores like the one above, so it goes on where that one ended (see the order below).
contender_recipe() {
    part UPDATE psql -Xq -f "$here/recipe.sql" "$target_url"
}

contender_dump_plain() {
    part pg_dump dump_all -Z0
    part pg_restore restore_all
}

pgcopydb_clone() {
    local program=$1
    shift
    "$program" clone --source "$source_url" --target "$target_url" --dir "$work/pgcopydb" \
        --table-jobs "$jobs" --index-jobs "$jobs" "$@"
}

contender_pgcopydb() { part clone pgcopydb_clone pgcopydb; }
contender_pgcopydb_new() { part clone pgcopydb_clone "$pgcopydb_new" --restore-jobs "$jobs"; }
contender_pgcopydb_binary() {
    part clone pgcopydb_clone "$pgcopydb_new" --restore-jobs "$jobs" --use-copy-binary
}

# In the source's own cluster: the fastest way there is, and it masks nothing.
contender_file_copy() {
    part copy psql -Xq "$source_admin" -c \
        "create database bench_copy template \"$source_name\" strategy file_copy"
}

# The same, then every table filled again through the mask: each of them holds addresses.
contender_template_masked() {
    local tables
    tables=$(psql -XqAt "$source_url" -c "select string_agg(oid::regclass::text, ',') from pg_class
        where relkind = 'r' and relnamespace = 'crm'::regnamespace")
    contender_file_copy
    part rewrite cloner_verb rewrite source="$source_url" target="$target_url" tables="$tables" mask_domain=$sink
}

raw_schema() {
    pg_dump -Fc --schema-only -f "$work/schema" "$source_url" &&
        pg_restore --section=pre-data -d "$target_url" "$work/schema"
}

raw_table() {
    psql -Xq -v ON_ERROR_STOP=1 "$source_url" -c "copy $1 to stdout (format binary)" |
        PGOPTIONS='-c synchronous_commit=off' psql -Xq -v ON_ERROR_STOP=1 -1 "$target_url" \
            -c "truncate $1" -c "copy $1 from stdin (format binary, freeze)"
}

raw_rows() {
    export -f raw_table
    export source_url target_url
    psql -XqAt "$source_url" -c "select oid::regclass from pg_class
        where relkind = 'r' and relnamespace = 'crm'::regnamespace order by pg_table_size(oid) desc" |
        xargs -P "$jobs" -I{} bash -o pipefail -c 'raw_table {}'
}

# What the servers allow when a client does nothing but pass bytes on.
contender_raw() {
    part schema raw_schema
    part rows raw_rows
    part post-data pg_restore --section=post-data -j "$jobs" -d "$target_url" "$work/schema"
}

cloner_verb() { "$cloner" "$here/copy.lua" "verb=$1" "jobs=$jobs" "${@:2}"; }

contender_stream() { part stream cloner_verb stream source="$source_url" target="$target_url"; }
contender_stream_masked() {
    part stream cloner_verb stream source="$source_url" target="$target_url" mask_domain=$sink
}
contender_stream_pglz() {
    part stream cloner_verb stream source="$source_url" target="$target_url" mask_domain=$sink toast_lz4=no
}
contender_archive() {
    part create cloner_verb create source="$source_url" archive="$work/archive"
    part restore cloner_verb restore archive="$work/archive" target="$target_url"
}
contender_archive_masked() {
    part create cloner_verb create source="$source_url" archive="$work/archive"
    part restore cloner_verb restore archive="$work/archive" target="$target_url" mask_domain=$sink
}

# One table, one job or two, on this machine's own cores and over connections of limited speed.
contender_table_1() { jobs=1 contender_stream_masked; }
contender_table_2() { jobs=2 contender_stream_masked; }
contender_link_1() { source_url=$slow_url jobs=1 contender_stream_masked; }
contender_link_2() { source_url=$slow_url jobs=2 contender_stream_masked; }
