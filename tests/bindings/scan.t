#!/usr/bin/env bash
# scripts/scan.lua on databases of any origin: what it finds, what it lets pass, how it ends.
set -u

cd "$(dirname "$0")/../.." || exit 1
out=$TEST_TMP/scan.out
err=$TEST_TMP/scan.err

# shellcheck source=tests/bindings/tap.sh
. tests/bindings/tap.sh

sql() { psql -X -q -v ON_ERROR_STOP=1 "$TEST_DSN dbname=$1" -c "$2"; }

scan() {
    "$CLONER" scripts/scan.lua "$@" >"$out" 2>"$err"
    code=$?
}

for name in scan_clean scan_leaks; do
    psql -X -q "$TEST_DSN" -c "drop database if exists $name" -c "create database $name" 2>/dev/null
    sql $name "create table person (id int primary key, email text, notes jsonb)"
    sql $name "insert into person values (1, 'kari_firma.example@mailinator.com', '{\"cc\": \"a@sub.mailinator.com\"}')"
done
sql scan_leaks "insert into person values (2, 'ola@firma.example', null),
    (3, null, '{\"to\": \"per\\u0040firma.example\"}')"

scan target="$TEST_DSN dbname=scan_clean"
is "a masked database passes" "$code" 0
has "and says so" "$out" "result +no real address found"
scan target="$TEST_DSN dbname=scan_leaks"
is "one with real addresses fails" "$code" 1
has "naming a text column" "$out" "LEAK +1 in public.person.email: firma.example"
has "and an address written with an escape in JSON" "$out" "LEAK +1 in public.person.notes: firma.example"
is "without printing the address" "$(cat "$out" "$err" | grep -c 'ola@firma')" 0
scan target="$TEST_DSN dbname=scan_leaks" allow=mailinator.com,firma.example
is "allowed domains pass" "$code" 0
# The sink of the masks used to pass even when other domains were asked for.
scan target="$TEST_DSN dbname=scan_clean" mail_domain=firma.example
is "only the sink and the allowed domains pass" "$code" 1
scan target="$TEST_DSN dbname=scan_clean" mail_domain=firma.example allow=mailinator.com
is "and both of them do" "$code" 0
scan target="$TEST_DSN dbname=scan_leaks" format=json
is "the certificate as JSON counts the same" "$(grep -oE '"leaks": ?[0-9]+' "$out" | grep -oE '[0-9]+')" 2

# ---- certificates as files
openssl genpkey -algorithm ed25519 -out "$TEST_TMP/key.pem" 2>/dev/null
openssl pkey -in "$TEST_TMP/key.pem" -pubout -out "$TEST_TMP/public.pem" 2>/dev/null
openssl genpkey -algorithm ed25519 -out "$TEST_TMP/other.pem" 2>/dev/null
scan target="$TEST_DSN dbname=scan_clean" key="file:$TEST_TMP/key.pem" certificate="$TEST_TMP/clean.json"
is "a scan writes a certificate" "$code" 0
scan verify="$TEST_TMP/clean.json" key="file:$TEST_TMP/public.pem"
is "which the public key verifies" "$code" 0
has "and shows" "$out" "signed +Ed25519"
scan verify="$TEST_TMP/clean.json" key="file:$TEST_TMP/key.pem" target="$TEST_DSN dbname=scan_clean"
is "for that database" "$code" 0
scan verify="$TEST_TMP/clean.json" key="file:$TEST_TMP/key.pem" target="$TEST_DSN dbname=scan_leaks"
is "and no other" "$code" 1
has "which is said" "$err" "another database"
scan verify="$TEST_TMP/clean.json" key="file:$TEST_TMP/other.pem"
is "another key does not verify it" "$code" 1
sed 's/"rows": 1,/"rows": 2,/' "$TEST_TMP/clean.json" >"$TEST_TMP/changed.json"
is "(one figure is changed)" "$(diff "$TEST_TMP/clean.json" "$TEST_TMP/changed.json" | grep -c '^>')" 1
scan verify="$TEST_TMP/changed.json" key="file:$TEST_TMP/public.pem"
is "nor does any key a changed one" "$code" 1
has "which is said, too" "$err" "changed after it was signed"
scan verify="$TEST_TMP/clean.json"
is "verifying needs a key" "$code" 2
# What is signed can be made with stock tools: keys sorted, no white space, no signature.
if command -v jq >/dev/null; then
    jq -cjS 'del(.signature)' "$TEST_TMP/clean.json" >"$TEST_TMP/signed"
    jq -r .signature.value "$TEST_TMP/clean.json" | base64 -d >"$TEST_TMP/signature"
    is "openssl verifies it, too" "$(openssl pkeyutl -verify -pubin -inkey "$TEST_TMP/public.pem" -rawin \
        -in "$TEST_TMP/signed" -sigfile "$TEST_TMP/signature" 2>&1)" "Signature Verified Successfully"
fi
sql scan_clean "create view who as select '<kari@firma.example>'::text as mail"
scan target="$TEST_DSN dbname=scan_clean" format=page
is "an address in a view is told of" "$code" 0
has "on the page" "$out" "<th>in the schema</th><td>1 in the view definition public.who: firma.example"
scan target="$TEST_DSN dbname=scan_clean" strict_definitions=yes
is "and a leak when that is asked for" "$code" 1
has "by name" "$err" "view definition public.who"

scan
is "no target is bad usage" "$code" 2
scan target="$TEST_DSN" allows=x
is "so is a parameter nobody knows" "$code" 2
scan target="$TEST_DSN dbname=scan_clean" users=anna
is "users without their tenant" "$code" 2
scan target="$TEST_DSN dbname=scan_clean" strict_definitions=true
is "and neither yes nor no" "$code" 2
scan target="$TEST_DSN dbname=scan_nowhere"
is "a database that does not exist fails" "$code" 1
has "by name" "$err" "scan_nowhere"

finish
