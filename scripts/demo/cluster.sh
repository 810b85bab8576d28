# shellcheck shell=bash
# Private PostgreSQL clusters: sourced by the sample platform and by the tests.
#
# A cluster is one folder: DIR/data, DIR/log, DIR/port, DIR/admin (the superuser's password).
# It listens on loopback TCP only, on a port of its own, and nothing outside DIR is touched.
# PostgreSQL refuses to run as root; for root it runs as an unprivileged user.

cluster_fail() {
    echo "cluster: $*" >&2
    return 1
}

# Prints the folder of initdb and pg_ctl. Debian keeps them out of PATH.
cluster_bin() {
    local found
    if [ -n "${PG_BIN:-}" ]; then
        echo "$PG_BIN"
        return
    fi
    found=$(find /usr/lib/postgresql/*/bin -maxdepth 1 -name initdb 2>/dev/null | sort -V | tail -1)
    [ -n "$found" ] || found=$(command -v initdb) ||
        cluster_fail "PostgreSQL's server is not installed: run .ci/packages demo" || return 1
    dirname "$found"
}

# The unprivileged user servers run as when we are root.
cluster_user() {
    if id postgres >/dev/null 2>&1; then echo postgres; else echo nobody; fi
}

# cluster_run DIR CMD...: CMD as the server's user.
#
# A checkout below a closed folder (/root) is out of that user's reach, and modes outside the
# checkout are not ours to change.  PostgreSQL only minds uid 0, so there the one capability which
# gets past closed folders is handed down.
cluster_run() {
    local dir=$1 user group
    shift
    if [ "$(id -u)" -ne 0 ]; then
        (cd / && exec "$@")
        return
    fi
    user=$(cluster_user)
    group=$(id -gn "$user")
    if setpriv --reuid="$user" --regid="$group" --init-groups test -x "$dir" 2>/dev/null; then
        (cd / && exec env HOME=/ setpriv --reuid="$user" --regid="$group" --init-groups "$@")
    else
        (cd / && exec env HOME=/ setpriv --reuid="$user" --regid="$group" --init-groups \
            --inh-caps=+dac_override --ambient-caps=+dac_override "$@")
    fi
}

# A port nobody listens on, below the range the kernel hands out by itself.
free_port() {
    local port try
    for ((try = 0; try < 100; try++)); do
        port=$((20000 + RANDOM % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
    cluster_fail "no free port found"
}

random_word() {
    od -An -N16 -tx1 /dev/urandom | tr -d ' \n'
}

# cluster_create DIR: makes a stopped cluster unless DIR already has one.
cluster_create() {
    local dir=$1 bin user
    bin=$(cluster_bin) || return 1
    # The marker is written last: what initdb left half done is thrown away.
    [ -f "$dir/created" ] && return 0
    rm -rf "$dir"
    mkdir -p "$dir"
    chmod 700 "$dir"
    (umask 077 && random_word >"$dir/admin" && cp "$dir/admin" "$dir/pwfile")
    if [ "$(id -u)" -eq 0 ]; then
        user=$(cluster_user)
        chown "$user:$(id -gn "$user")" "$dir" "$dir/pwfile"
    fi
    cluster_run "$dir" "$bin/initdb" -D "$dir/data" -U postgres --pwfile="$dir/pwfile" \
        --auth=scram-sha-256 --locale=C.UTF-8 --encoding=UTF8 --no-sync >"$dir/initdb.log" 2>&1 ||
        { cat "$dir/initdb.log" >&2 && cluster_fail "initdb failed in $dir"; } || return 1
    rm -f "$dir/pwfile"
    : >"$dir/created"
}

# Prints the server's pid, fails when it does not run. After a crash or a reboot the pid in the
# lock file may be anybody's: only a process that names this data folder is ours.
cluster_pid() {
    local dir=$1 pid
    [ -r "$dir/data/postmaster.pid" ] || return 1
    pid=$(head -1 "$dir/data/postmaster.pid")
    { tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF "$dir/data"; } 2>/dev/null || return 1
    echo "$pid"
}

# After a reboot the pid in the lock file may be another process's, and the server, which compares
# the bare number, would refuse to start. (A dead pid it sees through by itself, and it knows
# better than we whether its old children still hold the shared memory: then the file stays.)
cluster_unlock() {
    local pid
    pid=$(head -1 "$1/data/postmaster.pid" 2>/dev/null) || return 0
    if [ -n "$pid" ] && [ -d "/proc/$pid" ]; then
        rm -f "$1/data/postmaster.pid"
    fi
}

# cluster_start DIR [server options]: starts it on a free port, unless it runs.
cluster_start() {
    local dir=$1 bin port deadline=$((SECONDS + 20))
    shift
    bin=$(cluster_bin) || return 1
    cluster_pid "$dir" >/dev/null && return 0
    cluster_unlock "$dir"
    while [ "$SECONDS" -lt "$deadline" ]; do
        port=$(free_port) || return 1
        if cluster_run "$dir" "$bin/pg_ctl" start -D "$dir/data" -l "$dir/log" -w -t 60 -s \
            -o "-h 127.0.0.1 -p $port -k '' $*" >/dev/null 2>&1; then
            echo "$port" >"$dir/port"
            return 0
        fi
        # Somebody was faster on that port, or a killed server's children are still leaving.
        tail -5 "$dir/log" | grep -qE 'Address already in use|shared memory block' || break
        sleep 0.1
    done
    tail -20 "$dir/log" >&2
    cluster_fail "the server in $dir does not start"
}

cluster_stop() {
    local dir=$1 bin
    bin=$(cluster_bin) || return 1
    cluster_pid "$dir" >/dev/null || return 0
    cluster_run "$dir" "$bin/pg_ctl" stop -D "$dir/data" -m fast -w -t 60 -s
}

cluster_port() {
    cat "$1/port"
}

# cluster_psql DIR [psql arguments]: as superuser; stops at the first error.
cluster_psql() {
    local dir=$1
    shift
    PGPASSWORD=$(cat "$dir/admin") PGOPTIONS='-c client_min_messages=warning' \
        psql -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$(cluster_port "$dir")" -U postgres "$@"
}
