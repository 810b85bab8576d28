#!/usr/bin/env bash
# Every case streamed from one server to another is what pg_dump and pg_restore make of it.
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

copy() { # SOURCE TARGET JOBS MASK
    # shellcheck disable=SC2086 # an option or none
    verb stream source="$1" target="$2" jobs="$3" part_bytes=$((8192 * $3)) compare=yes $4
}

fidelity
