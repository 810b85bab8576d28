#!/usr/bin/env bash
# A copy of blobs killed in the middle leaves whole blobs only, and the next one does the rest. And:
# credentials from the environment, which a script cannot set.
set -eu

work=${TEST_TMP:?}/blob-faults
rm -rf "$work"
mkdir -p "$work/from/a b" "$work/scripts"
tests=0

ok() { # NAME STATUS
    tests=$((tests + 1))
    if [ "$2" -eq 0 ]; then
        echo "ok $tests - $1"
    else
        echo "not ok $tests - $1"
    fi
}

is() { # NAME GOT WANT
    if [ "$2" = "$3" ]; then
        ok "$1" 0
    else
        ok "$1" 1
        printf '# got:  %s\n# want: %s\n' "$2" "$3"
    fi
}

for i in 0 1 2 3 4 5 6 7 8 9; do
    head -c 300000 /dev/urandom >"$work/from/a b/n$i%.bin"
done
cat >"$work/scripts/copy.lua" <<'LUA'
local p = ...
local blob = require "blob"
local r = blob.copy { from = blob.open("file://" .. p.from), to = blob.open("file://" .. p.to), concurrency = 1 }
print(("%d copied, %d skipped"):format(r.copied, r.skipped))
LUA
cat >"$work/scripts/list.lua" <<'LUA'
local p = ...
local ok, e = pcall(function() return #require("blob").open(p.url, { endpoint = p.endpoint ~= "" and p.endpoint or nil }):list() end)
print(ok and "listed" or e.class)
LUA

copy() {
    "$CLONER" "$work/scripts/copy.lua" from="$work/from" to="$work/to" 2>"$work/err"
}

code=0
CLONER_FAULT=blob_object:4 copy >/dev/null || code=$?
is "killed after the fourth blob" "$code" 137
whole=0
for f in "$work/to/a b"/*; do
    cmp -s "$f" "$work/from/a b/${f##*/}" && whole=$((whole + 1))
done
is "four whole blobs, nothing else" "$whole $(find "$work/to" -type f | wc -l)" "4 4"
is "the next copy does the rest" "$(copy)" "6 copied, 4 skipped"
code=0
diff -r "$work/from" "$work/to" >/dev/null || code=$?
ok "the target is the source" "$code"

rm -rf "$work/to"
code=0
CLONER_FAULT=blob_object:2:error copy >/dev/null || code=$?
ok "a failing blob fails the copy" "$((code == 0))"
grep -q "told to fail after blob 'a b/n1%.bin'" "$work/err" && code=0 || code=1
ok "and is named" "$code"

# A full disk: the copy fails with the reason, and leaves no half blob.
rm -rf "$work/to"
code=0
(ulimit -f 200 && trap '' XFSZ && copy) >/dev/null || code=$?
ok "a blob that does not fit fails the copy" "$((code == 0))"
is "and leaves nothing" "$(find "$work/to" -type f | wc -l)" 0

list() { # URL [ENDPOINT]
    "$CLONER" "$work/scripts/list.lua" url="$1" endpoint="${2-}" 2>>"$work/err"
}

if [ -n "${AZURITE_ENDPOINT-}" ]; then
    unset AZURE_STORAGE_CONNECTION_STRING AZURE_STORAGE_ACCOUNT AZURE_STORAGE_KEY AZURE_STORAGE_SAS_TOKEN
    key=$(printf template-key-0123456789abcdef | base64 -w0)
    url=azblob://acmetmpl/no-such-container
    export AZURE_STORAGE_SERVICE_ENDPOINT=$AZURITE_ENDPOINT
    # A container that is not there is only told to who may look.
    is "key from the environment" "$(AZURE_STORAGE_KEY=$key list $url)" not_found
    is "a wrong key from the environment" "$(AZURE_STORAGE_KEY=d3Jvbmc= list $url)" permission
    is "key and account from the environment" \
        "$(AZURE_STORAGE_ACCOUNT=acmetmpl AZURE_STORAGE_KEY=$key list $url)" not_found
    is "a key for another account is not used" \
        "$(AZURE_STORAGE_ACCOUNT=other AZURE_STORAGE_KEY=$key list $url "$AZURITE_ENDPOINT")" permission
    is "a connection string" \
        "$(AZURE_STORAGE_CONNECTION_STRING="DefaultEndpointsProtocol=http;AccountName=acmetmpl;AccountKey=$key;BlobEndpoint=$AZURITE_ENDPOINT/acmetmpl;" list $url)" \
        not_found
    is "key and token in the environment reach no message" "$(grep -c "$key" "$work/err")" 0
fi
rm -rf "$work"
echo "1..$tests"
