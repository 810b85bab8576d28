#!/usr/bin/env bash
# The demo: starts the sample platform, clones Cust26759 into Cust26760, shows what happened, and
# stops what it started.
#
#   demo.sh [SCALE]
set -eu

# shellcheck source=scripts/demo/lib.sh
. "$(dirname "$0")/lib.sh"

source_ctx=Cust26759
target_ctx=Cust26760
started=no

finish() {
    if [ "$started" = yes ]; then
        platform_stop
        say "The sample platform is down again; its data and logs are in build/demo, make up starts it."
    fi
}

# What an application sees of the target afterwards.
show_target() {
    cluster_psql "$demo/test1" -d "${target_ctx,,}" -P pager=off <<'SQL'
\pset footer off
\pset border 1
\echo
\echo 'The target now:'
select ownercontactname as owner, serialno as serial, version from crm7.company;
select email_address as "first addresses" from crm7.email where type = 0 order by email_id limit 3;
select (select count(*) from crm7.email) as addresses,
    (select count(*) from crm7.ticket where status = 1) as "open tickets",
    (select count(*) from crm7.webhook) as webhooks,
    (select count(*) from crm7.schedule where not disabled and domain = 0) as "tasks enabled",
    (select string_agg(address, ', ') from crm7.mail_in_filter) as mailbox;
SQL
    say "What the partner apps were told:"
    cluster_psql "$demo/prod1" -d registry -P pager=off -P footer=off -c "
        select client_id as app, ctx, change_type, accepted from sample.receipt order by id desc limit 3"
}

export CLONER_STATE=$demo/state # nothing outside of this folder is touched
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if platform_running; then
    say "Using the sample platform that is up already (make down stops it)."
    scale=$(platform_scale "${1:-}")
    platform_start "$scale"
else
    # From scratch: the older test environment is to be there to be replaced.
    scale=$(platform_scale "${1:-1}")
    started=yes
    rm -f "$demo/built"
    platform_start "$scale"
fi
arm_tasks "$target_ctx"

cd "$root"
say ""
say "\$ ./cloner scripts/clone.lua source=$source_ctx target=$target_ctx"
status=0
./cloner scripts/clone.lua "source=$source_ctx" "target=$target_ctx" || status=$?
if [ "$status" -ne 0 ]; then
    echo "demo: the clone ended with exit code $status; logs are in build/demo/log." >&2
    echo "demo: what it did is kept: make up, ./cloner list, ./cloner resume" >&2
    exit "$status"
fi

show_target
say "Where to look next:"
say "  make up                      start the platform again, to play with it; make down stops it"
say "  ./cloner list                the runs, and then"
say "  ./cloner show RUN            the timeline with every attempt; --json: with results and certificate"
say "  ./cloner undo RUN            bring the old test environment back"
say "  ./cloner plan scripts/clone.lua source=$source_ctx target=$target_ctx"
say "  scripts/clone.lua            the 24 steps: read them, change them, run again"
say "  scripts/tenants/README.md    how one tenant gets steps of its own"
