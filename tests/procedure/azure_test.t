#!/usr/bin/env bash
# The clone with its files on Azure: templates and attachments of production in one storage account,
# those of the test environment in another. What travels, how, what stays, what a crash leaves, and
# the way back.
# deadline_s: 300
set -eu

# shellcheck source=tests/procedure/platform.sh
. "$(dirname "$0")/platform.sh"
: "${SCALE:=0.1}"
if [ -z "${AZURITE_ENDPOINT:-}" ]; then
    echo "1..0 # SKIP no Azure service"
    exit 0
fi
platform_open azure
source_account=acmetmpl target_account=acmecust
kinds="templates attachments"

# azure VERB ACCOUNT NAME=VALUE...
azure() {
    local verb=$1 account=$2
    shift 2
    "$CLONER" "$root/tests/bindings/azure_verb.lua" "verb=$verb" "account=$account" "endpoint=$AZURITE_ENDPOINT" "$@"
}
url() { echo "azblob://$1/procedure-$2"; }

# The configuration's stores; one key is in a file, the other in the environment.
printf template-key-0123456789abcdef | base64 -w0 >"$demo/azure.key"
AZURE_TARGET_KEY=$(printf customer-key-0123456789abcdef | base64 -w0)
export AZURE_TARGET_KEY
for kind in $kinds; do
    azure create $source_account "containers=procedure-$kind"
    azure create $target_account "containers=procedure-$kind"
    azure fill $source_account "from=$blobs/prod1/$kind/$source_ctx" "to=$(url $source_account "$kind")/$source_ctx"
    azure fill $target_account "from=$blobs/test1/$kind/$target_ctx" "to=$(url $target_account "$kind")/$target_ctx"
    # Of another tenant, whose name begins with ours.
    azure fill $target_account "from=$blobs/test1/$kind/$target_ctx" "to=$(url $target_account "$kind")/${target_ctx}1"
    stores="prod1 = { url = \"$(url $source_account "$kind")\", key = \"file:$demo/azure.key\", endpoint = \"$AZURITE_ENDPOINT\" },"
    stores+=" test1 = { url = \"$(url $target_account "$kind")\", key = \"env:AZURE_TARGET_KEY\", endpoint = \"$AZURITE_ENDPOINT\" }"
    sed -i "s|^    $kind = .*|    $kind = { $stores },|" "$config"
done

list() { azure list "$1" "of=$(url "$1" "$2")" "prefix=${3:-}"; }
source_blobs() { for kind in $kinds; do list $source_account "$kind"; done; }
target_blobs() { for kind in $kinds; do list $target_account "$kind"; done | sed 's/\.prev-[0-9a-f]*/.prev-RUN/'; }
under() { sed -n "s|^$1/||p"; }
result() { in_journal "select result #>> '{$2}' from cloner.step where run_id = '$run' and step_key = '$1'"; }

source_blobs >"$demo/source.before"
target_blobs >"$demo/before"
print_target >"$demo/environment"
is "there is metadata to keep" "$([ "$(grep -c 'application/x-sample.origin=' "$demo/source.before")" -gt 10 ] && echo yes)" yes

# ---- the clone --------------------------------------------------------------------------------------

clone
is "the clone succeeds" "$code" 0
[ "$code" -eq 0 ] || sed 's/^/# /' "$out"
run=$(newest_run)
id=${run//-/} short=${id: -8}
target_blobs >"$demo/wanted"
list $source_account templates | under $source_ctx >"$demo/templates"
list $target_account templates | under $target_ctx >"$demo/got"
same "11: exactly the source's templates, their bytes, types and metadata" "$demo/templates" "$demo/got"
in_source "select path || '/' || id from crm7.attachment join crm7.attachment_location using (attachment_location_id)
    where id not in (select attachment_id from crm7.ticket_attachment)" >"$demo/system"
list $source_account attachments | under $source_ctx |
    awk -F '\t' 'NR == FNR { wanted[$1]; next } $1 in wanted' "$demo/system" - >"$demo/attachments"
list $target_account attachments | under $target_ctx >"$demo/got"
same "22: exactly the system attachments, their bytes, types and metadata" "$demo/attachments" "$demo/got"
is "22: and there are some" "$([ -s "$demo/attachments" ] && echo yes)" yes
for step in clone_templates clone_attachments; do
    is "$step: copied inside the service" "$(result $step server_side)" "$(result $step copied)"
    is "$step: something was" "$([ "$(result $step server_side)" -gt 3 ] && echo yes)" yes
done
for kind in $kinds; do
    list $target_account "$kind" | under "$target_ctx.prev-$short" >"$demo/got"
    under "$target_ctx" <"$demo/before" >"$demo/all.before"
    is "$kind: the previous ones are kept" "$(grep -cxFf "$demo/all.before" "$demo/got")" "$(wc -l <"$demo/got")"
done
grep "^${target_ctx}1/" "$demo/before" >"$demo/neighbour"
grep "^${target_ctx}1/" "$demo/wanted" >"$demo/got"
same "a neighbour's blobs are not touched" "$demo/neighbour" "$demo/got"
source_blobs >"$demo/source.after"
same "production's containers are unchanged" "$demo/source.before" "$demo/source.after"
is "no key is in the journal or the output" "$(grep -cF -e "$AZURE_TARGET_KEY" -e "$(cat "$demo/azure.key")" "$out")$(
    dump prod1 cloner | grep -cF -e "$AZURE_TARGET_KEY" -e "$(cat "$demo/azure.key")")" 00

# back WHAT: everything is undone
back() {
    cloner undo "$(newest_run)"
    is "$1: undo succeeds" "$code" 0
    [ "$code" -eq 0 ] || sed 's/^/# /' "$out"
    target_blobs >"$demo/got"
    same "$1: the previous blobs are back, and nothing else" "$demo/before" "$demo/got"
}
back "a finished clone"
print_target >"$demo/got"
same "with the rest of the environment" "$demo/environment" "$demo/got"

# ---- killed in the middle ---------------------------------------------------------------------------

# killed STEP BLOB: at that blob of all that a clone copies
killed() {
    local step=$1
    CLONER_FAULT=blob_object:$2 clone
    is "killed at blob $2" "$code" 137
    run=$(newest_run)
    is "which is in $step" "$(in_journal "select step_key from cloner.step where run_id = '$run' and state = 'started'")" "$step"
    cloner resume "$run"
    is "$step: resume completes" "$code" 0
    [ "$code" -eq 0 ] || sed 's/^/# /' "$out"
    target_blobs >"$demo/got"
    same "$step: to the same end" "$demo/wanted" "$demo/got"
}
count() { list "$1" "$2" | under "$3" | wc -l; }
old_templates=$(count $target_account templates $target_ctx)
new_templates=$(wc -l <"$demo/templates")
old_attachments=$(count $target_account attachments $target_ctx)
killed clone_templates $((old_templates + new_templates / 2))
back "a clone that was killed in its templates"
killed clone_attachments $((old_templates + new_templates + old_attachments + $(wc -l <"$demo/attachments") / 2))
back "a clone that was killed in its attachments"
source_blobs >"$demo/source.after"
same "production's containers are still unchanged" "$demo/source.before" "$demo/source.after"

# ---- what is wrong with the account -----------------------------------------------------------------

AZURE_TARGET_KEY=$(printf another-key | base64 -w0) clone
is "a wrong key is refused" "$code" 3
like "and says which" "$(cat "$out")" "blobs.templates.test1 of the configuration: .*azblob://$target_account/procedure-templates"
target_blobs >"$demo/got"
same "with nothing changed" "$demo/before" "$demo/got"
print_target >"$demo/got"
same "in the whole environment" "$demo/environment" "$demo/got"

finish
