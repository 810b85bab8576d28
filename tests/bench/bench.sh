#!/usr/bin/env bash
# Times cloner beside the other ways to copy a database: README.md says how and what for.
#
#   bench.sh            measures (settings come from the environment: README.md)
#   bench.sh report     writes table and picture once more from the timings that are kept
set -eu -o pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=scripts/demo/cluster.sh
. "$root/scripts/demo/cluster.sh"
# What it sets for the contenders looks unused from here.
# shellcheck disable=SC2034
# shellcheck source=tests/bench/contenders.sh
. "$here/contenders.sh"

read -ra sizes <<<"${SIZES:-0.5 2 8}"
runs=${RUNS:-3}
jobs=${JOBS:-2}
warm=${WARM:-yes}
fsync=${BENCH_FSYNC:-on}
table_gb=${TABLE_GB:-}
link_mib=${LINK_MIB:-40}
pgcopydb_new=${PGCOPYDB:-}
cloner=${CLONER:-$root/cloner}
dir=${BENCH_DIR:-$root/build/bench}
# Fewer than three runs are a smoke test: what is kept beside this file is not touched.
if [ "$runs" -ge 3 ]; then out=${OUT:-$here}; else out=${OUT:-$dir}; fi
timings=$dir/timings.tsv

# In the order they run: recipe goes on where dump has ended.
all="dump recipe dump_plain pgcopydb pgcopydb_new pgcopydb_binary file_copy template_masked raw stream"
all="$all stream_masked stream_pglz archive archive_masked"
table_all='table_1 table_2 link_1 link_2'
clone_all='clone_archive clone_stream clone_golden'
wanted=${CONTENDERS:-$all $table_all $clone_all}

say() { printf '%s\n' "$*"; }
die() {
    echo "bench: $*" >&2
    exit 1
}
wants() { [[ " $wanted " == *" $1 "* ]]; }

# ---- servers ------------------------------------------------------------------------------------

# Both alike. Nothing here is tuned for one of the contenders; checkpoints and vacuum are kept out of
# the timed parts as far as that goes.
settings=(-c shared_buffers=512MB -c maintenance_work_mem=256MB -c max_wal_size=8GB -c min_wal_size=2GB
    -c checkpoint_timeout=1h -c autovacuum=off -c max_connections=100 -c "fsync=$fsync")

servers_start() {
    local side
    PATH=$(cluster_bin):$PATH
    mkdir -p "$dir/log"
    (umask 077 && : >"$dir/pgpass")
    for side in source target; do
        cluster_create "$dir/$side"
        cluster_start "$dir/$side" "${settings[@]}"
        echo "127.0.0.1:$(cluster_port "$dir/$side"):*:postgres:$(cat "$dir/$side/admin")" >>"$dir/pgpass"
    done
    export PGPASSFILE=$dir/pgpass
}

url() { # SIDE DATABASE
    echo "postgres://postgres@127.0.0.1:$(cluster_port "$dir/$1")/$2"
}

sql() { # SIDE DATABASE [psql arguments]
    PGOPTIONS='-c client_min_messages=warning' psql -XqAt -v ON_ERROR_STOP=1 "$(url "$1" "$2")" "${@:3}"
}

proxy_pid=''
finish() {
    local side
    trap - EXIT INT TERM
    proxy_stop
    [ ! -d "$dir/platform" ] || "$here/platform.sh" down "$dir/platform" || true
    jobs -p | xargs -r kill 2>/dev/null || true
    for side in source target; do
        cluster_stop "$dir/$side" || true
    done
    rm -rf "$dir/work"
}

# A second door to the source, where every connection has so many bytes a second.
proxy_start() {
    local port=''
    exec {proxy_out}< <(exec node "$here/throttle.js" "$(cluster_port "$dir/source")" "$link_mib")
    proxy_pid=$!
    read -r -t 20 port <&"$proxy_out" || die "the limited link does not come up"
    echo "127.0.0.1:$port:*:postgres:$(cat "$dir/source/admin")" >>"$dir/pgpass"
    slow_url=postgres://postgres@127.0.0.1:$port/$source_name
}

proxy_stop() {
    [ -z "$proxy_pid" ] || kill "$proxy_pid" 2>/dev/null || true
    proxy_pid=''
}

# ---- one measurement ----------------------------------------------------------------------------

now() { echo "$EPOCHREALTIME"; }

# keep MEASURE VALUE UNIT: one line of the timings; the warm pass, run 0, is not kept.
keep() {
    [ "$run" -eq 0 ] ||
        printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$today" "$size" "$contender" "$run" "$1" "$2" "$3" >>"$timings"
}

# part NAME COMMAND...: times it.
part() {
    local name=$1 began seconds
    shift
    began=$(now)
    # In the background: a signal is then answered at once.
    "$@" >>"$log" 2>&1 &
    wait $! || { tail -20 "$log" >&2 && die "$contender: $name failed; all it said is in $log"; }
    seconds=$(awk "BEGIN { printf \"%.3f\", $(now) - $began }")
    total=$(awk "BEGIN { printf \"%.3f\", $total + $seconds }")
    keep "$name" "$seconds" s
}

wal_position() { sql "$side" postgres -c "select pg_current_wal_lsn() - '0/0'::pg_lsn"; }

# CPU seconds that both servers, with the backends that have ended, and all our commands have used.
cpu_seconds() {
    local pid side ticks=0 used
    for side in source target; do
        for pid in $(cluster_pid "$dir/$side") $(pgrep -P "$(cluster_pid "$dir/$side")"); do
            used=$(awk '{ sub(/.*\) /, ""); print $12 + $13 + $14 + $15 }' "/proc/$pid/stat" 2>/dev/null) || used=0
            ticks=$((ticks + used))
        done
    done
    used=$(awk '{ sub(/.*\) /, ""); print $14 + $15 }' "/proc/$$/stat")
    awk "BEGIN { printf \"%.2f\", ($ticks + $used) / $(getconf CLK_TCK) }"
}

settle() {
    local side
    for side in source target; do sql $side postgres -c checkpoint; done
}

# The copy holds what the source does, and nothing unmasked where it says so.
check_copy() {
    local said
    sql source "$source_name" -f "$here/contents.sql" >"$dir/rows.source"
    sql "$side" bench_copy -f "$here/contents.sql" >"$dir/rows.copy"
    diff "$dir/rows.source" "$dir/rows.copy" >&2 || die "$contender: the copy is not complete"
    case $contender in
    recipe | *_masked | *_pglz | table_* | link_*)
        said=$(sql "$side" bench_copy -f "$here/leaks.sql")
        [ "$said" = 0 ] || die "$contender: $said values in the copy are not masked"
        ;;
    esac
}

# The recipe goes on in the copy that dump has just made; its time is theirs and its own.
prepare() {
    if [ "$contender" = recipe ]; then
        awk -F '\t' -v OFS='\t' -v size="$size" -v run="$run" '$2 == size && $3 == "dump" && $4 == run &&
            ($7 == "s" || $5 == "WAL" || $5 == "CPU") { $3 = "recipe"; print }' "$timings" >"$dir/dumped"
        cat "$dir/dumped" >>"$timings"
        return
    fi
    total=0
    rm -rf "$dir/work"
    mkdir "$dir/work"
    local at
    for at in source target; do sql $at postgres -c 'drop database if exists bench_copy with (force)'; done
    copies_files ||
        sql target postgres -c 'create database bench_copy template template0'
}

# Contenders whose copy is made in the source's own cluster.
copies_files() { [[ $contender = file_copy || $contender = template_* ]]; }

measure() {
    local side=target work=$dir/work wal cpu source_url target_url source_admin
    log=$dir/log/$size-$contender.log
    : >"$log"
    if copies_files; then side=source; fi
    source_url=$(url source "$source_name") target_url=$(url "$side" bench_copy)
    source_admin=$(url source postgres)
    prepare
    settle
    wal=$(wal_position)
    cpu=$(cpu_seconds)
    "contender_$contender"
    keep CPU "$(awk "BEGIN { printf \"%.2f\", $(cpu_seconds) - $cpu }")" CPU
    keep WAL $((($(wal_position) - wal) / 1048576)) MiB
    keep database "$(sql $side postgres -c "select pg_database_size('bench_copy') / 1048576")" MiB
    [ ! -d "$work/archive" ] || keep archive "$(du -sm "$work/archive" | cut -f1)" MiB
    [ ! -d "$work/dump" ] || keep archive "$(du -sm "$work/dump" | cut -f1)" MiB
    [ "$run" -gt 0 ] || check_copy
    progress ''
}

progress() {
    local which="run $run/$runs"
    [ "$run" -gt 0 ] || which=warm
    say "$(printf '%5s GB  %-7s %-16s %8.1f s%s' "$size" "$which" "$contender" "$total" "$1")"
}

# ---- one size -----------------------------------------------------------------------------------

# Whether a contender can be had here, and belongs to this source.
takes_part() {
    case $1 in
    pgcopydb) command -v pgcopydb >/dev/null ;;
    pgcopydb_new | pgcopydb_binary) [ -n "$pgcopydb_new" ] ;;
    recipe) wants dump ;;
    esac
}

# make_source FILE: the database $source_name, unless it is there from before (KEEP=yes).
make_source() {
    local print
    print="$(sha256sum <"$here/$1" | cut -c1-16) $size"
    [ "$(sql source postgres -c "select shobj_description(oid, 'pg_database') from pg_database
        where datname = '$source_name'")" != "$print" ] || return 0
    say "$(printf '%5s GB  making the source' "$size")"
    sql source postgres -c "drop database if exists \"$source_name\"" -c "create database \"$source_name\""
    sql source "$source_name" -v "gb=$size" -f "$here/$1"
    sql source postgres -c "comment on database \"$source_name\" is '$print'"
}

drop_all() {
    local at
    for at in source target; do sql $at postgres -c 'drop database if exists bench_copy with (force)'; done
    [ "${KEEP:-}" = yes ] || sql source postgres -c "drop database if exists \"$source_name\""
    settle
}

# rounds CONTENDER...: every contender once; run 0 is the warm pass.
rounds() {
    local first=1 contender total=0
    [ "$warm" != yes ] || first=0
    for ((run = first; run <= runs; run++)); do
        for contender in "$@"; do measure; done
    done
}

bench_size() {
    local size=$1 names=() name
    for name in $all; do
        if wants "$name" && takes_part "$name"; then names+=("$name"); fi
    done
    [ ${#names[@]} -gt 0 ] || return 0
    source_name=bench_$size
    make_source crm.sql
    rounds "${names[@]}"
    drop_all
    merge
}

bench_table() {
    local size=$1 names=() name
    for name in $table_all; do
        if wants "$name"; then names+=("$name"); fi
    done
    [ ${#names[@]} -gt 0 ] && [ "$size" != 0 ] || return 0
    source_name=bench_table
    make_source one_table.sql
    proxy_start
    rounds "${names[@]}"
    proxy_stop
    drop_all
    merge
}

# The 24 steps, on a sample platform with a source of that size: the time offline is what users feel.
bench_clones() {
    local size=$1 names=() name known total
    known=$("$here/platform.sh" strategies)
    for name in $clone_all; do
        if wants "$name" && [[ " $known " == *" ${name#clone_} "* ]]; then names+=("${name#clone_}"); fi
    done
    [ ${#names[@]} -gt 0 ] || return 0
    say "$(printf '%5s GB  making the platform' "$size")"
    CLONER_DEMO_PG="${settings[*]}" "$here/platform.sh" up "$dir/platform" "$size"
    # The first clone replaces the platform's own small test environment: it is not counted.
    for ((run = 0; run <= runs; run++)); do
        for name in "${names[@]}"; do measure_clone; done
    done
    "$here/platform.sh" down "$dir/platform" "$size"
    [ "${KEEP:-}" = yes ] || rm -rf "$dir/platform"
    merge
}

measure_clone() {
    local contender=clone_$name log offline
    log=$dir/log/$size-$contender.log
    "$here/platform.sh" clone "$dir/platform" "$name" >"$dir/clone" 2>"$log" &
    wait $! || { tail -20 "$log" >&2 && die "$contender failed; all it said is in $log"; }
    read -r total offline <"$dir/clone"
    keep clone "$total" s
    keep offline "$offline" "s offline"
    progress ", offline $offline s"
}

# ---- what is kept -------------------------------------------------------------------------------

# What was measured now takes the place of what was measured before. Ratios are of figures of one run,
# so old figures of the same size and kind go, even of contenders that did not take part now.
merge() {
    mkdir -p "$out"
    touch "$out/results.tsv"
    awk -F '\t' '
        function kind(name) { return name ~ /^(table|link)_/ ? "table" : name ~ /^clone_/ ? "clone" : "copy" }
        /^#/ { next }
        NR == FNR { now[$2, kind($3)] = 1; print; next }
        !(($2, kind($3)) in now)' \
        "$timings" "$out/results.tsv" | sort -t "$(printf '\t')" -k2,2g -s >"$dir/merged"
    { machine | sed 's/^/#/' && cat "$dir/merged"; } >"$out/results.tsv"
    report
}

report() {
    [ -s "$out/results.tsv" ] || die "nothing was measured yet: $out/results.tsv"
    awk -f "$here/stats.awk" -f "$here/report.awk" "$out/results.tsv" >"$out/results.md"
    awk -f "$here/stats.awk" -f "$here/chart.awk" "$out/results.tsv" >"$out/results.svg"
}

machine() {
    say "cores	$(nproc), $(awk -F ': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)"
    say "memory	$(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo)"
    say "kernel	$(uname -sr)"
    say "PostgreSQL	$(sql target postgres -c 'show server_version'), $(tuned)"
    say "pgcopydb	$(pgcopydb_version pgcopydb)${pgcopydb_new:+, $(pgcopydb_version "$pgcopydb_new")}"
    say "cloner	$(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown)"
    say "jobs	$jobs"
}

tuned() {
    local setting shown=
    for setting in "${settings[@]}"; do [ "$setting" = -c ] || shown="$shown${shown:+ }$setting"; done
    printf '%s' "$shown"
}

pgcopydb_version() { "$1" --version 2>/dev/null | awk '/^pgcopydb version/ { print $3 }'; }

# ---- before anything is started -----------------------------------------------------------------

# Source, the recipe's swollen copy, write-ahead logs, a dump or an archive.
check_space() {
    local largest need have
    largest=$(printf '%s\n' "${sizes[@]}" "$table_gb" | sort -g | tail -1)
    need=$(awk "BEGIN { printf \"%d\", $largest * 6.5 * 1024 + 1024 }")
    mkdir -p "$dir"
    have=$(df -Pm "$dir" | awk 'NR == 2 { print $4 }')
    [ "$have" -ge "$need" ] || die "not enough space for $largest GB in $dir: $need MiB are needed for source," \
        "copies, logs and archives, $have MiB are free; choose smaller SIZES"
}

check_settings() {
    local size
    for size in "${sizes[@]}" "${table_gb:-0}"; do
        [[ $size =~ ^[0-9]+(\.[0-9]+)?$ ]] || die "SIZES are numbers of GB, not '$size'"
    done
    [[ $runs =~ ^[1-9][0-9]*$ ]] || die "RUNS is a number from 1, not '$runs'"
    [ -z "$pgcopydb_new" ] || [ -x "$pgcopydb_new" ] || die "PGCOPYDB=$pgcopydb_new is not a program"
    # The bar is for 2 GB; a smoke test is content with less.
    [ -n "$table_gb" ] ||
        table_gb=$(printf '%s\n' "${sizes[@]}" | sort -g | awk '{ largest = $1 } END { print (largest > 2 ? 2 : largest) }')
}

main() {
    local size
    if [ "${1:-}" = report ]; then
        report
        return
    fi
    check_settings
    check_space
    today=$(date -u +%F)
    : >"$timings"
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    say "Measuring in ${dir#"$root"/}: ${sizes[*]} GB, $runs run(s) each; nothing else should run here."
    servers_start
    for size in "${sizes[@]}"; do bench_size "$size"; done
    bench_table "$table_gb"
    for size in "${sizes[@]}"; do bench_clones "$size"; done
    say ""
    sed -n '/^## Bars/,/^## /p' "$out/results.md" | grep -v '^##'
    say "All of it: ${out#"$root"/}/results.md, results.svg, results.tsv"
}

main "$@"
