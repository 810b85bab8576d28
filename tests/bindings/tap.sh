# shellcheck shell=bash
# What the shell tests here share: checks that print TAP. Sourced; at the end call finish.

tests=0 bad=0

# is WHAT GOT WANTED
is() {
    tests=$((tests + 1))
    if [ "$2" = "$3" ]; then
        echo "ok $tests - $1"
    else
        echo "not ok $tests - $1"
        printf 'got:    %s\nwanted: %s\n' "$2" "$3" | sed 's/^/#   /'
        bad=1
    fi
}

# has WHAT FILE PATTERN: one line of the file is like that
has() {
    tests=$((tests + 1))
    if [ "$(grep -cE -- "$3" "$2")" = 1 ]; then
        echo "ok $tests - $1"
    else
        echo "not ok $tests - $1"
        { echo "not one line is like: $3" && cat "$2"; } | sed 's/^/#   /'
        bad=1
    fi
}

finish() {
    echo "1..$tests"
    exit $bad
}
