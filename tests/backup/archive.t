#!/usr/bin/env bash
# Archives: compression, encryption, what is done to them, object stores, older formats, full disks.
# shellcheck disable=SC2317,SC2016 # functions are called through ok; node has its own $
set -u

# shellcheck source=tests/backup/lib.sh
. "$(dirname "$0")/lib.sh"

source_dsn=$(fresh_on "$TEST_DSN" archive_source)
target_admin=$(cluster target)
fresh() { fresh_on "$target_admin" "$1"; }
sql "$source_dsn" >/dev/null <<'SQL' || exit 1
CREATE SCHEMA shop;
CREATE TABLE shop.person (id int PRIMARY KEY, name text, mail text);
INSERT INTO shop.person SELECT i, 'Secretname ' || (SELECT string_agg((ARRAY['ash', 'birch', 'cedar', 'elder', 'fir',
    'hazel', 'maple', 'oak'])[1 + get_byte(decode(md5(i || '.' || j), 'hex'), 0) % 8], ' ') FROM generate_series(1, 30) j),
    'someone' || i || '@corp.example' FROM generate_series(1, 5000) i;
CREATE TABLE shop.tag (label text, words text[]);
CREATE TYPE shop.pair AS (a text, b int);
CREATE TABLE shop.odd (p shop.pair, "x y" text);
INSERT INTO shop.odd VALUES (('a', 1), E'tab\there'), (NULL, NULL);
CREATE TABLE shop.noise (h bytea);
ALTER TABLE shop.noise ALTER h SET STORAGE EXTERNAL;
INSERT INTO shop.noise SELECT (SELECT decode(string_agg(md5(i || '.' || j), ''), 'hex')
    FROM generate_series(1, 4096) j) FROM generate_series(1, 200) i;
SQL
rows=$((5000 + 2 + 200))
create() { verb create source="$source_dsn" "$@"; }
round_trip() { # DATABASE key=value...: restores and compares
    local dsn said
    dsn=$(fresh "$1")
    shift
    said=$(verb restore target="$dsn" "$@")
    says "\"rows\":$rows" "$said" || return 1
    said=$(verb compare target="$dsn" "$@")
    says '"equal":true' "$said"
}

# ---------------------------------------------------------------- compression, list, cat

plain=$tmp/plain
said=$(create to="$plain")
ok "create says the checksum of the whole" says \
    "\"checksum\":\"$(sha256sum <"$plain/manifest.json" | cut -d' ' -f1)\"" "$said"
said=$(verb verify archive="$plain")
ok "and verify the same" says "\"checksum\":\"$(sha256sum <"$plain/manifest.json" | cut -d' ' -f1)\"" "$said"
said=$(create to="$tmp/tight" level=19 exclude=shop.noise)
ok "a level is taken" says '"rows":5002' "$said"
person() { stat -c %s "$1"/data/*person*; }
ok "and makes files smaller" test "$(person "$tmp/tight")" -lt "$(person "$plain")"
said=$(verb list archive="$tmp/tight")
ok "list tells it" says '"level":19' "$said"
said=$(create to="$tmp/none" level=20)
ok "a level that is none is refused" says 'level must be 1 to 19' "$said"
said=$(verb list archive="$plain")
ok "list shows what is inside" says '"database":"archive_source"' "$said"
ok "list shows tables" says '"bytes":[0-9]+,"files":1,"format":"binary","name":"person","rows":5000,"schema":"shop"' "$said"
ok "list says that it is not encrypted" says '"encrypted":false' "$said"

cat_table() {
    local db
    db=$(fresh catted)
    sql "$db" -c 'CREATE TABLE person (id int, name text, mail text)' &&
        verb cat archive="$plain" table=shop.person to="$tmp/person.copy" &&
        sql "$db" -c "\\copy person FROM '$tmp/person.copy' (FORMAT binary)" -c 'SELECT count(*) FROM person' | grep -x 5000
}
ok "cat writes COPY data" cat_table
said=$(verb cat archive="$plain" table=shop.nobody to="$tmp/nobody.copy")
ok "cat knows the tables" says '"class":"not_found","code":"E_NO_TABLE".*shop.nobody' "$said"
stock_sums() {
    cd "$plain" && sha256sum -c manifest.json.sha256 &&
        node -e 'for (const t of JSON.parse(require("fs").readFileSync("manifest.json")).tables)
            for (const f of t.files) console.log(`${f.sha256}  ${f.file}`)' | sha256sum -c
}
ok "stock tools check all checksums" stock_sums

first_format() { # an archive as the first version wrote it
    rm -rf "$tmp/first"
    cp -a "$plain" "$tmp/first" && (cd "$tmp/first" && node -e '
        const fs = require("fs"), m = JSON.parse(fs.readFileSync("manifest.json"));
        m.format_version = 1;
        delete m.compression;
        m.tables = m.tables.map(({files, ...t}) => ({...t, ...files[0]}));
        fs.writeFileSync("manifest.json", JSON.stringify(m));' &&
        sha256sum manifest.json >manifest.json.sha256) && round_trip first archive="$tmp/first"
}
ok "archives of the first format are read" first_format

# ---------------------------------------------------------------- encryption

openssl rand 32 >"$tmp/raw.bin"
# a raw key loses a line's end at its end
while tail -c 1 "$tmp/raw.bin" | grep -q '[[:cntrl:]]' || [ "$(tail -c 1 "$tmp/raw.bin" | wc -l)" = 1 ]; do
    openssl rand 32 >"$tmp/raw.bin"
done
od -An -tx1 "$tmp/raw.bin" | tr -d ' \n' >"$tmp/hex"
base64 "$tmp/raw.bin" >"$tmp/base64"
openssl rand -hex 32 >"$tmp/other"
sealed=$tmp/sealed
said=$(create to="$sealed" key_file="$tmp/hex")
ok "an encrypted archive is made" says "\"rows\":$rows" "$said"
no_clear_text() {
    ! grep -rlaE 'Secretname|corp\.example|shop|person|archive_source' "$sealed" && ! find "$sealed" | grep -E 'person|shop'
}
ok "it tells nothing" no_clear_text
for form in raw.bin hex base64; do
    said=$(verb verify archive="$sealed" key_file="$tmp/$form")
    ok "a key as $form opens it" says "\"rows\":$rows" "$said"
done
ok "it comes back" round_trip sealed archive="$sealed" key_file="$tmp/raw.bin"
said=$(verb list archive="$sealed" key_file="$tmp/hex")
ok "list says that it is encrypted" says '"encrypted":true.*"name":"person"' "$said"

untouched=$(fresh untouched)
for v in verify list restore compare; do
    said=$(verb $v archive="$sealed" target="$untouched" key_file="$tmp/other")
    [ $v = restore ] || [ $v = compare ] || said=$(verb $v archive="$sealed" key_file="$tmp/other")
    ok "$v: a wrong key is refused" says '"class":"permission","code":"E_ARCHIVE_KEY".*not the one' "$said"
done
said=$(verb restore archive="$sealed" target="$untouched")
ok "a missing key is named" says '"code":"E_ARCHIVE_KEY".*key is needed' "$said"
ok "before anything was written" test "$(sql "$untouched" -c "SELECT count(*) FROM pg_namespace WHERE nspname = 'shop'")" = 0
said=$(verb verify archive="$plain" key_file="$tmp/hex")
ok "one that is not encrypted does not stand in for one that is" says '"code":"E_ARCHIVE_KEY".*not encrypted' "$said"
head -c 31 "$tmp/hex" >"$tmp/short"
said=$(create to="$tmp/none" key_file="$tmp/short")
ok "a key that is none is refused" says '"class":"invalid","code":"E_ARCHIVE_KEY".*32 random bytes' "$said"
ok "and nothing was made" test ! -e "$tmp/none" -a ! -e "$tmp/none.partial"

big=$(cd "$sealed" && find data -type f -printf '%s %p\n' | sort -n | tail -1 | cut -d' ' -f2)
other=$(cd "$sealed" && find data -type f -printf '%s %p\n' | sort -n | tail -2 | head -1 | cut -d' ' -f2)
damaged() { # COMMAND on a copy; then verify must refuse with PATTERN
    local d=$tmp/damaged said
    rm -rf "$d"
    cp -a "$sealed" "$d"
    (cd "$d" && eval "$1") || return 1
    said=$(verb verify archive="$d" key_file="$tmp/hex")
    says "$2" "$said" || return 1
    said=$(verb restore archive="$d" key_file="$tmp/hex" target="$(fresh damaged)")
    says "$2" "$said"
}
chunk=$((65536 + 16))
swap='const fs=require("fs"),f=process.argv[1],n=65552,b=fs.readFileSync(f),c=Buffer.from(b);
    b.copy(c,40,40+n,40+2*n);b.copy(c,40+n,40,40+n);fs.writeFileSync(f,c)'
ok "an altered byte" damaged "printf X | dd of=$big bs=1 seek=70000 conv=notrunc status=none" \
    "E_ARCHIVE_ALTERED.*$big was altered.*chunk 1"
ok "chunks in another order" damaged "node -e '$swap' $big" "E_ARCHIVE_ALTERED.*$big was altered.*chunk 0"
ok "a file under another name" damaged "head -c \$(stat -c %s $other) $big >$other" "E_ARCHIVE_ALTERED.*$other was altered"
ok "a file cut off between chunks" damaged "truncate -s \$((40 + 3 * $chunk)) $big" "E_ARCHIVE_TRUNCATED.*$big is truncated"
ok "an altered manifest" damaged "printf X | dd of=manifest.enc bs=1 seek=99 conv=notrunc status=none" \
    'E_ARCHIVE_ALTERED.*manifest.enc'
ok "another salt" damaged "sed -i 's/\"salt\": \"./\"salt\": \"x/' manifest.json && sha256sum manifest.json >manifest.json.sha256" \
    'E_MANIFEST.*salt'
ok "an altered schema" damaged "printf X | dd of=schema.enc bs=1 seek=99 conv=notrunc status=none" \
    'E_ARCHIVE_ALTERED.*schema.enc was altered'

said=$(verb decrypt archive="$sealed" key_file="$tmp/hex" to="$tmp/decrypted")
ok "decrypt makes a plain archive" says "\"rows\":$rows" "$said"
ok "that reads like the plain one" bash -c "diff <(cd '$plain' && sha256sum data/* | sort) <(cd '$tmp/decrypted' && sha256sum data/* | sort)"
ok "and comes back without a key" round_trip decrypted archive="$tmp/decrypted"
unseal() { node "$root/tests/backup/unseal.js" "$sealed" "$1" "$(cat "$tmp/hex")"; }
stock_unsealed() {
    unseal manifest.enc | grep -q '"name": "person"' && unseal "$big" | cmp - "$plain"/data/*noise*
}
ok "30 lines of JavaScript read it, as documented" stock_unsealed

script() { "$CLONER" "$root/scripts/archive.lua" archive="$sealed" key="file:$tmp/hex" "$@" 2>&1; }
said=$(script action=list)
ok "the script lists" says ' 5000 .* binary  shop.person' "$said"
said=$(script action=verify)
ok "verifies" says "right: 4 tables, $rows rows" "$said"
ok "writes COPY data to standard output" test "$(script action=cat table=shop.odd)" = "$(printf '(a,1)\ttab\\there\n\\N\t\\N')"
said=$(script action=decrypt to="$tmp/script")
ok "decrypts" says "4 tables, $rows rows" "$said"
said=$("$CLONER" "$root/scripts/compare.lua" archive="$sealed" key="file:$tmp/hex" target="$target_admin dbname=sealed" mask=no 2>&1)
ok "compare.lua opens it, too" says 'no difference found' "$said"
said=$(script action=cat)
ok "and says what it lacks" says 'E_PARAM|give table=' "$said"

# ---------------------------------------------------------------- URLs

said=$(create to="file://$tmp/by%20url")
ok "file:// names a folder" says "\"rows\":$rows" "$said"
ok "of that name" test -f "$tmp/by url/manifest.json"
said=$(verb verify archive="file://$tmp/by%20url")
ok "to be read, too" says "\"rows\":$rows" "$said"

azure() { "$CLONER" "$root/tests/bindings/azure_verb.lua" endpoint="$AZURITE_ENDPOINT" account=acmecust "$@"; }
azure verb=create containers=archivetest
account_key=$(printf 'customer-key-0123456789abcdef' | base64)
url=azblob://acmecust/archivetest
remote() { # VERB key=value...
    local name=$1
    shift
    verb "$name" account_key="$account_key" endpoint="$AZURITE_ENDPOINT/acmecust" "$@"
}
blobs() { azure verb=list of="$url/$1" | wc -l; }
said=$(remote create source="$source_dsn" to="$url/a" jobs=2)
ok "an archive goes straight to Azure" says "\"rows\":$rows" "$said"
ok "where it has as many files as in a folder" test "$(blobs a)" = "$(find "$plain" -type f | wc -l)"
said=$(remote verify archive="$url/a")
ok "verify reads it there" says "\"rows\":$rows" "$said"
said=$(remote list archive="$url/a")
ok "list, too" says '"name":"person","rows":5000' "$said"
azure_round_trip() {
    local dsn said
    dsn=$(fresh "$1")
    shift
    said=$(remote restore target="$dsn" "$@")
    says "\"rows\":$rows" "$said" || return 1
    said=$(remote compare target="$dsn" "$@")
    says '"equal":true' "$said"
}
ok "restore and compare, too" azure_round_trip azure archive="$url/a"
said=$(remote create source="$source_dsn" to="$url/a")
ok "it is never written over" says '"class":"conflict","code":"E_ARCHIVE_EXISTS"' "$said"
said=$(remote verify archive="$url/nothing")
ok "no archive at all" says '"class":"not_found","code":"E_NO_ARCHIVE"' "$said"
said=$(remote create source="$source_dsn" to="$url/sealed" key_file="$tmp/hex")
ok "an encrypted one" says "\"rows\":$rows" "$said"
said=$(remote verify archive="$url/sealed" key_file="$tmp/hex")
ok "is read there" says "\"rows\":$rows" "$said"
said=$(CLONER_FAULT=archive_publish:1:error remote create source="$source_dsn" to="$url/failed")
ok "a failure leaves nothing" says E_FAULT "$said"
ok "not one blob" test "$(blobs failed)" = 0
CLONER_FAULT=archive_publish remote create source="$source_dsn" to="$url/killed" >/dev/null 2>&1
said=$(remote verify archive="$url/killed")
ok "a crash publishes nothing" says '"code":"E_NO_ARCHIVE".*no finished archive' "$said"
said=$(remote create source="$source_dsn" to="$url/killed")
ok "the next attempt takes its place" says "\"rows\":$rows" "$said"
said=$(remote verify archive="$url/killed")
ok "leaving nothing behind" says "\"rows\":$rows" "$said"
said=$(remote create source="$source_dsn" to="$url/cut" cancel=rows)
ok "a cancelled one" says stopped "$said"
ok "leaves nothing" test "$(blobs cut)" = 0

# ---------------------------------------------------------------- full disks, kills

small_disk() ( # COMMAND...: with files of 1 MB at most
    trap '' XFSZ
    ulimit -f 1000
    "$@"
)
said=$(small_disk create to="$tmp/full")
ok "a disk that is full is named" says '"code":"(EFBIG|ENOSPC)".*cannot write .*noise' "$said"
ok "and nothing is left" test ! -e "$tmp/full" -a ! -e "$tmp/full.partial"
said=$(small_disk create to="$tmp/full" key_file="$tmp/hex")
ok "encrypting, too" says '"code":"(EFBIG|ENOSPC)".*cannot write .*/data/' "$said"
CLONER_FAULT=copy_batch:40 create to="$tmp/killed" >/dev/null 2>&1
ok "a kill publishes nothing" test ! -e "$tmp/killed" -a -d "$tmp/killed.partial"
ok "what was being written has no name yet" bash -c "ls '$tmp/killed.partial/data' | grep -q '\\.tmp$'"
said=$(create to="$tmp/killed")
ok "the next attempt takes its place" says "\"rows\":$rows" "$said"

finish
