#!/usr/bin/env bash
# A planted corpus: every carrier x every form of an address, in a database that is copied through the mask,
# by stream and by archive. Then every file of the target's server is searched byte by byte: data, log,
# write-ahead log, and a dump. The same search must find every one of them in a copy that is not masked.
# shellcheck disable=SC2317 # functions are called through ok
set -u

# shellcheck source=tests/backup/lib.sh
. "$(cd "$(dirname "$0")" && pwd)/../backup/lib.sh"
# shellcheck source=scripts/demo/cluster.sh
. "$root/scripts/demo/cluster.sh"

here=$root/tests/mask/planted
LINES_SHOWN=60
export CLONER_STATE=$tmp/state TMPDIR=$tmp/scratch
mkdir -p "$tmp/said" "$CLONER_STATE" "$TMPDIR"

# A server as it comes, but that no log is thrown away before it was searched.
start() { # NAME: prints a superuser's connection string
    local dir=$tmp/$1
    cluster_create "$dir" && cluster_start "$dir" -c fsync=off -c shared_buffers=64MB -c wal_keep_size=8GB || return 1
    echo "host=127.0.0.1 port=$(cluster_port "$dir") user=postgres password=$(cat "$dir/admin")"
}

stop() { # NAME: with everything on its disk
    cluster_psql "$tmp/$1" -d postgres -At -c CHECKPOINT -c 'SELECT pg_switch_wal()' >/dev/null && cluster_stop "$tmp/$1"
}

copy() { # NAME VERB key=value...: what it prints is kept, and searched later
    local name=$1
    shift
    verb "$@" jobs=2 | tee "$tmp/said/$name"
}

scan() { # NAME DSN: writes the certificate; 1 with leaks, which judge.js looks at
    "$CLONER" "$root/scripts/scan.lua" target="$2" format=json >"$tmp/said/$1.json" 2>"$tmp/said/$1.progress"
}

search() { # OUT PLACE...
    local out=$1
    shift
    node "$here/search.js" "$tmp/manifest.tsv" "$tmp/$out.tsv" "$@"
}

judge() { # OUT: nothing was found but what is known, and that is named
    node "$here/judge.js" "$tmp/manifest.tsv" "$tmp/$1.tsv" "$tmp/said/streamed.json" "$tmp/said/restored.json"
}

needless() { # OUT: lines of known.txt of which nothing was found
    awk -F '\t' 'NR == FNR { found[$1]; next } $6 { line[$6] += $1 in found }
        END { for (l in line) if (!line[l]) print "# not needed in known.txt: " l }' "$tmp/$1.tsv" "$tmp/manifest.tsv"
}

traces() { # OUT: nothing that was planted is left, of what is not known
    awk -F '\t' '$4 == "" { print; left = 1 } END { exit left }' "$tmp/$1.tsv"
}

missing() { # OUT WHERE: those planted in such a place that were not found; fails when there are any
    awk -F '\t' -v where="$2" 'NR == FNR { found[$1]; next }
        $4 ~ where && !($1 in found) { print; missed = 1 }
        END { exit missed }' "$tmp/$1.tsv" "$tmp/manifest.tsv"
}

# ---------------------------------------------------------------- planting

source=$(start source) || exit 1
target=$(start target) || exit 1
src=$(fresh_on "$source dbname=postgres" planted)
node "$here/corpus.js" "$tmp" || exit 1
ok "the corpus is planted" sql "$src" -o /dev/null -f "$tmp/corpus.sql"

# ---------------------------------------------------------------- through the mask

said=$(copy stream stream source="$src" target="$(fresh_on "$target dbname=postgres" streamed)" mask_domain=mailinator.com)
ok "streamed" says '"masked":' "$said"
said=$(copy create create source="$src" to="$tmp/archive")
ok "archived" says '"checksum":' "$said"
said=$(copy restore restore archive="$tmp/archive" target="$(fresh_on "$target dbname=postgres" restored)" mask_domain=mailinator.com)
ok "restored" says '"masked":' "$said"
for name in streamed restored; do
    scan "$name" "$target dbname=$name"
    ok "$name: a certificate" grep -q '"not_scanned"' "$tmp/said/$name.json"
    dump "$target dbname=$name" >"$tmp/$name.sql"
done
said=$(copy hash stream source="$src" target="$(fresh_on "$target dbname=postgres" hashed)" rules=planted)
ok "streamed with hashes" says '"masked":' "$said"
dump "$target dbname=hashed" >"$tmp/hashed.sql"
ok "nothing is left among temporary files" test -z "$(ls -A "$TMPDIR")"
ok "the target stops" stop target

search files "$tmp/target" "$tmp/said" "$CLONER_STATE" | sed 's/^/# files: /'
ok "no planted address in the target's files" judge files
search wal "wal:$tmp/target/data/pg_wal" | sed 's/^/# log: /'
ok "none in its write-ahead log" judge wal
search dump "$tmp/streamed.sql" "$tmp/restored.sql" | sed 's/^/# dumps: /'
ok "none in dumps" judge dump
needless dump

TRACES=yes search traces "$tmp/hashed.sql" | sed 's/^/# hashed: /'
ok "with hashes not even a local part" traces traces

# ---------------------------------------------------------------- the search finds what is there

target=$(start target) || exit 1
said=$(copy open stream source="$src" target="$(fresh_on "$target dbname=postgres" open)")
ok "a copy without a mask" says '"masked":0' "$said"
dump "$target dbname=open" >"$tmp/open.sql"
ok "the target stops again" stop target
search open_files "$tmp/target" | sed 's/^/# files: /'
ok "every planted address is found in its files" missing open_files '^(any|unlogged)$'
search open_wal "wal:$tmp/target/data/pg_wal" | sed 's/^/# log: /'
ok "in its write-ahead log" missing open_wal '^any$'
search open_dump "$tmp/open.sql" | sed 's/^/# dump: /'
ok "in its dump" missing open_dump .

finish
