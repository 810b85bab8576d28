#!/usr/bin/env bash
# Looks at the sources without running them; says all that is wrong, then fails.
set -eu

cd "$(dirname "$0")/.."
failed=no

# report NAME COMMAND...
report() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "ok   $name"
    else
        printf 'FAIL %s\n%s\n' "$name" "$output"
        failed=yes
    fi
}

tracked() {
    git ls-files --cached --others --exclude-standard -- "$@"
}

c_format() {
    tracked '*.c' '*.h' | xargs -r clang-format --dry-run -Werror
}

c_check() {
    tracked 'runtime/*.c' 'bindings/*.c' |
        xargs -r cppcheck --quiet --std=c11 -j2 --enable=warning,portability --inline-suppr \
            --suppress=missingInclude --suppress=unknownMacro --error-exitcode=1 -Iruntime -I.
}

# Functions with no bound, or whose failure cannot be seen. A line that must use one says why
# beside the word IGNORE-BANNED.
c_banned() {
    local names='strcpy|strcat|sprintf|strtok|atoi|atol|atof|gets|alloca|system|popen|localtime|strerror'
    ! tracked '*.c' '*.h' | xargs -r grep -nE "(^|[^A-Za-z0-9_.>])($names) ?\(" | grep -v IGNORE-BANNED
}

lua_check() {
    tracked '*.lua' 'scripts/tenants/*.example' | xargs -r luacheck --quiet --no-color
}

shell_check() {
    tracked '*.sh' '*.t' .ci/packages .ci/run | xargs -r shellcheck -x
}

spelling() {
    tracked ':!LICENSE' ':!*package-lock.json' ':!tests/mask/corpus' ':!scripts/demo/seed_*.sql' ':!tests/bench/crm.sql' |
        xargs -r codespell --ignore-words=.codespellignore
}

# Every room opens with a README.md.
readmes() {
    local folder missing=no
    for folder in runtime/*/ bindings/ scripts/ scripts/*/ tests/ tests/support/; do
        if [ ! -f "${folder}README.md" ]; then
            echo "${folder}README.md is missing"
            missing=yes
        fi
    done
    [ "$missing" = no ]
}

# "Later", in the words people use for it.
leftovers() {
    local words='TO''DO|FIX''ME|XX''X'
    ! tracked ':!tests/check.sh' ':!LICENSE' ':!*package-lock.json' | xargs -r grep -nE "\b($words)\b"
}

whitespace() {
    ! tracked ':!LICENSE' ':!tests/mask/corpus' | xargs -r grep -nIE '[[:space:]]+$'
}

report 'clang-format' c_format
report 'cppcheck' c_check
report 'banned functions' c_banned
report 'luacheck' lua_check
report 'shellcheck' shell_check
report 'codespell' spelling
report 'a README in every room' readmes
report 'nothing left for later' leftovers
report 'no trailing blanks' whitespace
[ "$failed" = no ]
