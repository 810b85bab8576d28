# shellcheck shell=bash disable=SC2154 # what those who source it have set
# Round trips of every case in cases/: sourced by fidelity_stream.t and fidelity_archive.t.
#
#   fidelity     runs for each case what the script calls copy() and prints TAP
#
# Those have sourced lib.sh and started two servers, source_admin and target_admin.
#
# copy SOURCE TARGET JOBS MASK makes one copy into an empty database; MASK is "" or mask_domain=….
# FIDELITY_CASES="a b" runs these alone, FIDELITY_ALL=1 all four ways of each case instead of two.

# What is compared is pg_dump's text. Rows of a table may stand in any order; of a masked copy only
# their number is compared, and not what large objects hold; `rows` leaves nothing but them.
readable() { # sorted|counted|rows <DUMP
    perl -0777 -e '
        my $mode = shift;
        my $text = <STDIN>;
        my $all = "";
        $text =~ s{^(COPY\ .*?\ FROM\ stdin;\n)(.*?)^\\\.\n}{
            my ($head, $body) = ($1, $2);
            my @rows = split /^/, $body;
            $all .= $body;
            $head . ($mode eq "counted" ? scalar(@rows) . " rows\n" : join("", sort @rows));
        }gsmex;
        $text =~ s/^SELECT pg_catalog.lowrite\(.*\n//mg if $mode eq "counted";
        print $mode eq "rows" ? $all : $text;
    ' "$1"
}

# Lines of a case that the servers are told first, once: roles and tablespaces belong to no database.
tell_servers() { # CASE-FILE
    local server port told
    for server in "$source_admin" "$target_admin"; do
        port=${server##*port=}
        told=$tmp/told_$(basename "$1")_${port%% *}
        mkdir "$told" 2>/dev/null || continue
        sed -n 's/^--cluster: \(.*\)$/\1;/p' "$1" | sql "$server" -f - >/dev/null || return 1
    done
}

# What pg_dump and pg_restore make of a case: the measure of every copy.
make_reference() { # CASE SOURCE
    local dsn
    dsn=$(fresh_on "$target_admin" "ref_$1")
    "$bin/pg_dump" -Fc -f "$tmp/$1.dump" "$2" &&
        "$bin/pg_restore" --exit-on-error -d "$dsn" "$tmp/$1.dump" &&
        dump "$dsn" >"$tmp/$1.text" &&
        readable sorted <"$tmp/$1.text" >"$tmp/$1.sorted" &&
        readable counted <"$tmp/$1.text" >"$tmp/$1.counted"
}

# Defaults are masked, too.
expected() { # MASK
    if [ -n "$1" ]; then sed -E "/ DEFAULT '/ s/([a-z]+)@corp\.example/\1_corp.example@sink.test/g"; else cat; fi
}

# Is that copy what it should be? An address which is left in a masked one stands for all of them.
check_copy() { # CASE SOURCE WAY JOBS MASK
    local dsn said how=sorted
    dsn=$(fresh_on "$target_admin" "${3}_$1")
    said=$(copy "$2" "$dsn" "$4" "$5") || { echo "$said" && return 1; }
    echo "$said" | grep -q '"rows":' || { echo "$said" && return 1; }
    dump "$dsn" >"$tmp/$1.$3" || return 1
    [ -z "$5" ] || how=counted
    diff <(expected "$5" <"$tmp/$1.$how") <(readable "$how" <"$tmp/$1.$3") || return 1
    [ -z "$5" ] || ! readable rows <"$tmp/$1.$3" | grep -aiE '@corp\.example' || return 1
    rm -f "$tmp/$1.$3"
    sql "$target_admin" -c "DROP DATABASE \"${3}_$1\"" >/dev/null 2>&1 || true # not with a subscription
}

# One case in a process of its own; its TAP lacks numbers.
run_case() { # CASE NUMBER
    local dsn ways="1::plain_1 4:mask_domain=sink.test:masked_4"
    local file=$root/tests/backup/cases/$1.sql way jobs mask name
    [ $(($2 % 2)) -eq 0 ] || ways="1:mask_domain=sink.test:masked_1 4::plain_4"
    [ -z "${FIDELITY_ALL-}" ] || ways="1::plain_1 4:mask_domain=sink.test:masked_4 1:mask_domain=sink.test:masked_1 4::plain_4"
    dsn=$(fresh_on "$source_admin" "case_$1")
    ok "${prefix-}$1: pg_dump and pg_restore copy it" prepared "$1" "$dsn" "$file"
    for way in $ways; do
        IFS=: read -r jobs mask name <<<"$way"
        ok "${prefix-}$1: ${mask:+masked, }$jobs jobs" check_copy "$1" "$dsn" "$name" "$jobs" "$mask"
    done
}

prepared() { # CASE SOURCE FILE
    tell_servers "$3" && sql "$2" -o /dev/null -f "$3" && make_reference "$1" "$2"
}

# Runs those cases, three at once; TAP without sensible numbers.
run_cases() { # CASE...
    local case number=0 running=0
    for case in "$@"; do
        number=$((number + 1))
        run_case "$case" "$number" >"$tmp/$case.tap" 2>&1 &
        running=$((running + 1))
        [ "$running" -lt 3 ] || { wait -n && running=$((running - 1)); }
    done
    wait
    for case in "$@"; do
        cat "$tmp/$case.tap"
    done
}

# Numbers the tests and adds the plan; fails when one of them did.
numbered() {
    awk '/^(not )?ok [0-9]+ - / { n++; sub(/ok [0-9]+ - /, "ok " n " - ") }
        /^not ok/ { bad = 1 }
        { print }
        END { print "1.." n; exit bad }'
}

fidelity() {
    local wanted
    wanted=${FIDELITY_CASES:-$(cd "$root/tests/backup/cases" && printf '%s\n' *.sql | sed 's/\.sql$//')}
    # shellcheck disable=SC2086 # a list
    run_cases $wanted | numbered
}
