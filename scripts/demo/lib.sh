# shellcheck shell=bash
# The sample platform: sourced by up.sh, down.sh and demo.sh.
#
# All of it lies below build/demo, which is thrown away and built again when it was made with
# another scale or from other seed files.  Tests have platforms of their own: CLONER_DEMO_DIR says
# where, CLONER which program, CLONER_DEMO_PG what to tell the servers (tests: not to wait for disks).

# shellcheck source=scripts/demo/cluster.sh
. "$(dirname "${BASH_SOURCE[0]}")/cluster.sh"

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
sql=$root/scripts/demo
demo=${CLONER_DEMO_DIR:-$root/build/demo}
cloner=${CLONER:-$root/cloner}
secrets=$demo/secrets
blobs=$demo/blobs
config=$demo/cloner.conf
hosted_domain=suocrm.example
issuer=https://id.superoffice.example

say() {
    printf '%s\n' "$*"
}

die() {
    echo "demo: $*" >&2
    exit 1
}

# What the data depends on: another fingerprint, another platform.
platform_fingerprint() {
    { echo "scale $1" && cat "$sql"/*.sql "$sql"/*.sh; } | sha256sum | cut -d' ' -f1
}

# The scale asked for; without one that of the platform which is there, else 1.
platform_scale() {
    local scale=${1:-$(cat "$demo/scale" 2>/dev/null || echo 1)}
    case $scale in
    '' | *[!0-9]* | 0) die "SCALE is a whole number from 1, not '$scale'" ;;
    esac
    echo "$scale"
}

# make_secret NAME: makes a random secret unless there is one, prints its file.
make_secret() {
    local file=$secrets/$1
    [ -s "$file" ] || (umask 077 && random_word >"$file")
    echo "$file"
}

make_keys() {
    [ ! -s "$secrets/notices.pub.pem" ] || return 0
    (umask 077 && openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 \
        -out "$secrets/notices.pem" 2>"$demo/log/openssl.log")
    openssl pkey -in "$secrets/notices.pem" -pubout -out "$secrets/notices.pub.pem"
}

# A password goes to the server as a psql variable read from a file: it is in no process title.
psql_role() {
    local cluster=$1 role=$2 rights=$3
    cluster_psql "$demo/$cluster" -d postgres <<SQL
\set password \`cat '$(make_secret "$cluster-$role")'\`
create role "$role" login $rights password :'password';
SQL
}

# psql_seed CLUSTER DATABASE FILE [-v name=value]...
psql_seed() {
    local cluster=$1 database=$2 file=$3
    shift 3
    cluster_psql "$demo/$cluster" -d "$database" "$@" -f "$sql/$file" >/dev/null
}

# tenant_database CLUSTER CTX: an empty tenant, owned by its application's role.
tenant_database() {
    local cluster=$1 name=${2,,}
    cluster_psql "$demo/$cluster" -d postgres \
        -c "create role ${name}_app login" -c "create role ${name}_query login" \
        -c "create database $name owner ${name}_app" \
        -c "revoke connect, temporary on database $name from public" \
        -c "grant connect on database $name to ${name}_query"
    cluster_psql "$demo/$cluster" -d "$name" -c "set role ${name}_app" -f "$sql/crm7.sql"
    cluster_psql "$demo/$cluster" -d "$name" -c "grant usage on schema crm7 to ${name}_query" \
        -c "grant select on crm7.contact, crm7.person, crm7.ticket to ${name}_query"
}

# Production: cloner may look at everything and write nothing (and is told so by the session, too).
grant_reading() {
    local name=${1,,}
    cluster_psql "$demo/prod1" -d "$name" -c "grant connect on database $name to cloner" \
        -c "grant usage on schema crm7 to cloner" \
        -c "grant select on all tables in schema crm7 to cloner" \
        -c "grant select on all sequences in schema crm7 to cloner" \
        -c "alter role cloner in database $name set default_transaction_read_only = on"
}

start_cluster() {
    # shellcheck disable=SC2086 # options
    cluster_start "$demo/$1" -c max_connections=100 ${CLONER_DEMO_PG:-}
}

make_control_plane() {
    psql_role prod1 cloner ""
    # What the sample services sign in as.
    psql_role prod1 platform ""
    cluster_psql "$demo/prod1" -d postgres -c "create database cloner owner cloner" \
        -c "create database registry"
    psql_seed prod1 registry registry.sql
    psql_seed prod1 registry sample.sql
    cluster_psql "$demo/prod1" -d registry <<'SQL'
grant usage on schema registry, sample to cloner, platform;
grant select, insert, update, delete on all tables in schema registry to cloner, platform;
grant select, insert, update, delete on all tables in schema sample to platform;
grant select on all tables in schema sample to cloner;
grant usage on all sequences in schema registry to cloner, platform;
grant usage on all sequences in schema sample to platform;
SQL
    psql_seed prod1 registry seed_registry.sql \
        -v "prod_port=$(cluster_port "$demo/prod1")" -v "test_port=$(cluster_port "$demo/test1")"
}

# source_tenant CTX BRAND COMPANY SERIAL SCALE
source_tenant() {
    tenant_database prod1 "$1"
    psql_seed prod1 "${1,,}" seed_source.sql -v ctx="$1" -v brand="$2" -v company="$3" -v serial="$4" \
        -v scale="$5"
    grant_reading "$1"
    write_files prod1 "$1"
}

# target_tenant CTX COMPANY SERIAL
target_tenant() {
    tenant_database test1 "$1"
    psql_seed test1 "${1,,}" seed_target.sql -v ctx="$1" -v company="$2" -v serial="$3"
    write_files test1 "$1"
}

make_test_tenants() {
    target_tenant Cust26760 'Test Env - Nordlys Handel AS' 1801550777
    target_tenant Cust26763 'Test Env - Sorland Reiser AS' 1801550799
    target_tenant Cust26764 'Test Env - Nordlys Handel AS' 1801550788
}

make_tenants() {
    local scale=$1 test_tenants
    make_test_tenants &
    test_tenants=$!
    source_tenant Cust26759 nordlys 'Nordlys Handel AS' 1801550193 "$scale"
    # For what can go wrong: a tenant with no test environment, and another to clone meanwhile.
    source_tenant Cust26761 fjordmat 'Fjordmat AS' 1801550266 0.1
    source_tenant Cust26762 sorland 'Sorland Reiser AS' 1801550310 0.1
    wait "$test_tenants" || die "the test tenants were not built"
}

# write_files CLUSTER CTX: the blobs the tenant's rows speak of, and some older ones beside them.
# Each is its own name over and over, cut at the size the row gives.
write_files() {
    local cluster=$1 ctx=$2
    local templates=$blobs/$cluster/templates/$ctx attachments=$blobs/$cluster/attachments/$ctx
    mkdir -p "$templates" "$attachments"
    cluster_psql "$demo/$cluster" -d "${ctx,,}" -At -F "$(printf '\t')" -c "
        select l.path || '/' || a.id, a.att_size from crm7.attachment a
            join crm7.attachment_location l using (attachment_location_id)
        union all select extref, 900 + document_id % 7 from crm7.document
            where extref is not null and document_id <= 60" | fill_files "$attachments" "$ctx"
    # The row of mail/lost.html has no file, as happens.
    cluster_psql "$demo/$cluster" -d "${ctx,,}" -At -F "$(printf '\t')" -c "
        select filename, 400 + doctmpl_id * 11 from crm7.doctmpl
        where deleted = 0 and loadtemplatefromplugin = 0 and filename <> 'mail/lost.html'" |
        fill_files "$templates" "$ctx"
    printf 'stray.txt\t100\n' | fill_files "$templates" "$ctx"
}

# fill_files FOLDER CTX: reads "name TAB size" lines, writes each file.
fill_files() {
    (
        cd "$1" || exit 1
        tee names | cut -f1 | xargs -r -d '\n' dirname -z | sort -zu | xargs -r0 mkdir -p
        LC_ALL=C awk -F '\t' -v ctx="$2" '{
            text = ctx "/" $1 "\n"
            while (length(text) < $2) text = text text
            printf "%s", substr(text, 1, $2) > $1
            close($1)
        }' names
        rm names
    )
}

conf_cluster() {
    printf 'host=127.0.0.1 port=%s user=cloner' "$(cluster_port "$demo/$1")"
}

# write_config SERVICES_PORT: the whole configuration; secrets only by name.
write_config() {
    local url=http://127.0.0.1:$1 file=$secrets kind cluster
    {
        cat <<LUA
-- Written by scripts/demo/up.sh; "make down" removes it.
return {
  journal = { dsn = "$(conf_cluster prod1) dbname=cloner", password = "file:$file/prod1-cloner" },
  registry = { dsn = "$(conf_cluster prod1) dbname=registry", password = "file:$file/prod1-cloner" },
  clusters = {
    prod1 = { dsn = "$(conf_cluster prod1)", password = "file:$file/prod1-cloner", readonly = true },
    test1 = { dsn = "$(conf_cluster test1)", password = "file:$file/test1-cloner" },
  },
  superid = { url = "$url/superid", token_url = "$url/superid/oauth2/token", client_id = "cloner",
    client_secret = "file:$file/superid-client" },
  mail = { url = "$url/mail", token = "file:$file/services-token" },
  recycle = { url = "$url/recycle", token = "file:$file/services-token" },
  apps = { issuer = "$issuer", signing_key = "file:$file/notices.pem" },
  archive = { folder = "$demo/archive", keep_days = 7 },
  blobs = {
LUA
        for kind in templates attachments; do
            printf '    %s = {' "$kind"
            for cluster in prod1 test1; do
                printf ' %s = "file://%s",' "$cluster" "$blobs/$cluster/$kind"
            done
            printf ' },\n'
        done
        cat <<LUA
  },
  secrets = { folder = "$secrets" },
  mail_domain_hosted = "$hosted_domain",
}
LUA
    } >"$config.new"
    # Whoever finds the configuration finds all of it.
    mv "$config.new" "$config"
}

# Prints the pid of our services, fails when they do not run.
services_pid() {
    local pid
    [ -s "$demo/services.pid" ] || return 1
    pid=$(cat "$demo/services.pid")
    { tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF "public_key=file:$secrets/notices.pub.pem"; } \
        2>/dev/null || return 1
    echo "$pid"
}

services_healthy() {
    exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
    printf 'GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
    head -1 <&3 | grep -q ' 200 '
}

# Starts the services; sets services_port.
services_start() {
    local deadline try
    for ((try = 0; try < 3; try++)); do
        services_port=$(free_port)
        # A session of their own: Ctrl-C is for the clone, not for the platform it runs on.
        setsid "$cloner" "$sql/services.lua" "port=$services_port" \
            "registry=host=127.0.0.1 port=$(cluster_port "$demo/prod1") user=platform dbname=registry" \
            "registry_password=file:$secrets/prod1-platform" "token=file:$secrets/services-token" \
            "client_secret=file:$secrets/superid-client" \
            "issuer=$issuer" "public_key=file:$secrets/notices.pub.pem" \
            >>"$demo/log/services.log" 2>&1 </dev/null &
        echo $! >"$demo/services.pid"
        deadline=$((SECONDS + 20))
        while services_pid >/dev/null || kill -0 "$(cat "$demo/services.pid")" 2>/dev/null; do
            if (services_healthy "$services_port") 2>/dev/null; then
                echo "$services_port" >"$demo/services.port"
                return 0
            fi
            [ "$SECONDS" -lt "$deadline" ] || break
            sleep 0.05
        done
        services_stop
    done
    tail -20 "$demo/log/services.log" >&2
    die "the services do not start"
}

services_stop() {
    local pid deadline=$((SECONDS + 10))
    if pid=$(services_pid); then
        kill "$pid" 2>/dev/null || true
        while services_pid >/dev/null; do
            [ "$SECONDS" -lt "$deadline" ] || kill -KILL "$pid" 2>/dev/null || true
            sleep 0.05
        done
    fi
    rm -f "$demo/services.pid"
}

# Ports change from start to start: tell those who wrote them down.
publish_ports() {
    cluster_psql "$demo/prod1" -d registry <<SQL
update registry.cluster set port = case name when 'prod1' then $(cluster_port "$demo/prod1")
    else $(cluster_port "$demo/test1") end;
update registry.app set state_change_url = 'http://127.0.0.1:$services_port/apps/' || client_id;
SQL
}

platform_running() {
    [ -f "$config" ] && services_pid >/dev/null && cluster_pid "$demo/prod1" >/dev/null &&
        cluster_pid "$demo/test1" >/dev/null
}

# platform_build SCALE: everything that is on disk; leaves the clusters running.
platform_build() {
    local scale=$1 began=$SECONDS cluster
    platform_stop
    # The log of what went wrong last time is worth more than tidiness: only the data goes.
    rm -rf "$demo/prod1" "$demo/test1" "$demo/blobs" "$demo/archive" "$demo/secrets" "$demo/built"
    mkdir -p "$demo/log" "$demo/archive" "$blobs" "$secrets"
    # Production's own data, before any mask.
    chmod 700 "$demo/archive" "$blobs" "$secrets"
    make_secret services-token >/dev/null
    make_secret superid-client >/dev/null
    make_keys
    for cluster in prod1 test1; do
        cluster_create "$demo/$cluster"
        start_cluster "$cluster"
    done
    # The test cluster holds nothing but test tenants, and cloner runs it.
    psql_role test1 cloner superuser
    make_control_plane
    make_tenants "$scale"
    echo "$scale" >"$demo/scale"
    platform_fingerprint "$scale" >"$demo/built"
    say "Built the sample platform in $((SECONDS - began)) s (scale $scale)."
}

# platform_start SCALE: idempotent, and picks up after a crash.
platform_start() {
    local scale=$1 cluster
    platform_running && [ "$(cat "$demo/built" 2>/dev/null)" = "$(platform_fingerprint "$scale")" ] &&
        return 0
    mkdir -p "$demo/log"
    if [ "$(cat "$demo/built" 2>/dev/null)" != "$(platform_fingerprint "$scale")" ]; then
        platform_build "$scale"
    fi
    for cluster in prod1 test1; do
        start_cluster "$cluster"
    done
    if ! services_pid >/dev/null || ! [ -s "$demo/services.port" ]; then
        services_start
    fi
    services_port=$(cat "$demo/services.port")
    publish_ports
    write_config "$services_port"
}

platform_stop() {
    rm -f "$config"
    services_stop
    cluster_stop "$demo/test1" 2>/dev/null || true
    cluster_stop "$demo/prod1" 2>/dev/null || true
}

# A tenant at work: something to wait for in steps 2 and 3.
arm_tasks() {
    cluster_psql "$demo/prod1" -d registry -v ctx="$1" -f "$sql/arm_tasks.sql"
}
