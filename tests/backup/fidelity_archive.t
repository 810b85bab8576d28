#!/usr/bin/env bash
# Every case that went through an archive is what pg_dump and pg_restore make of it.
# deadline_s: 900
# shellcheck disable=SC2317 # functions are called through ok
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/backup/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/backup/fidelity.sh
. "$here/fidelity.sh"

source_admin=$(cluster source)
target_admin=$(cluster target)

copy() { # SOURCE TARGET JOBS MASK: the archive is made by the first copy of a case
    local to
    to=$tmp/archive_${1##*dbname=}
    [ -d "$to" ] || verb create source="$1" to="$to" jobs=4 part_bytes=8192 | grep '"rows":' || { verb create source="$1" to="$to" && return 1; }
    # shellcheck disable=SC2086 # an option or none
    verb restore archive="$to" target="$2" jobs="$3" compare=yes $4
}

fidelity
