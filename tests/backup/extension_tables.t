#!/usr/bin/env bash
# Tables of an extension that it declares as configuration (pg_extension_config_dump): the user's rows
# go along, what the extension brought is brought by the copy's own.
# shellcheck disable=SC2317 # functions are called through ok
# shellcheck disable=SC2034 # read by fidelity.sh
set -u

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/backup/lib.sh
. "$here/lib.sh"
# shellcheck source=tests/backup/fidelity.sh
. "$here/fidelity.sh"

# A server with an extension of ours: its installation must be our own. As hard links it takes no space.
installed=$("$root/tests/support/pg_major.sh" 14)
case $? in
0) ;;
77) echo "1..0 # SKIP no server that may be added to for this machine" && exit 0 ;;
*) echo "1..0" && exit 1 ;;
esac
cp -al "${installed%/bin}" "$tmp/pg14" 2>/dev/null || { rm -rf "$tmp/pg14" && cp -a "${installed%/bin}" "$tmp/pg14"; }
cp "$here"/extension/cloner_tables* "$tmp/pg14/share/postgresql/extension/"
chmod -R a+rX "$tmp/pg14/share/postgresql/extension"
source_admin=$(PG_BIN=$tmp/pg14/bin cluster source)
target_admin=$(PG_BIN=$tmp/pg14/bin cluster target)

source_dsn=$(fresh_on "$source_admin" extension)
ok "pg_dump and pg_restore copy it" prepared extension "$source_dsn" "$here/extension/rows.sql"

copy() { # SOURCE TARGET JOBS MASK
    # shellcheck disable=SC2086 # an option or none
    verb stream source="$1" target="$2" jobs="$3" part_bytes=8192 $4
}
ok "streamed, 1 job" check_copy extension "$source_dsn" streamed_1 1 ""
ok "streamed, 4 jobs" check_copy extension "$source_dsn" streamed_4 4 ""
ok "streamed, masked" check_copy extension "$source_dsn" streamed_masked 4 mask_domain=sink.test

said=$(verb stream source="$source_dsn" target="$(fresh_on "$target_admin" proved)" compare=yes exclude=ext.journal mask_domain=sink.test)
ok "proved by what the conditions let through" says '"rows":' "$said"
said=$(verb compare source="$source_dsn" target="$target_admin dbname=proved" mask_domain=sink.test exclude=ext.journal)
ok "compare names rows of the copy's own" says '"differences":.{"kind":"table","problem":"excluded, but has rows",[^}]*"ext.journal"[^}]*}\]' "$said"
sql "$target_admin dbname=proved" -c 'DELETE FROM ext.journal'
said=$(verb compare source="$source_dsn" target="$target_admin dbname=proved" mask_domain=sink.test exclude=ext.journal)
ok "and agrees without them" says '"equal":true' "$said"
said=$(verb stream source="$source_dsn" target="$(fresh_on "$target_admin" twice)" compare=yes)
ok "rows that an extension brings and dumps, too, are there twice, which the proof tells" says \
    '"E_COPY_DIFFERS".*ext.journal is not what was copied: 1 rows were written, 2 read back' "$said"

verb create source="$source_dsn" to="$tmp/archive" jobs=4 part_bytes=8192 >/dev/null
copy() {
    # shellcheck disable=SC2086 # an option or none
    verb restore archive="$tmp/archive" target="$2" jobs="$3" $4
}
ok "restored, 1 job" check_copy extension "$source_dsn" restored_1 1 ""
ok "restored, 4 jobs" check_copy extension "$source_dsn" restored_4 4 ""
ok "restored, masked" check_copy extension "$source_dsn" restored_masked 4 mask_domain=sink.test

finish
