#!/bin/sh
# azurite.sh start DIR : starts an Azure Blob service on loopback, its data in DIR; prints its URL.
# azurite.sh stop DIR  : stops it (SIGTERM: its metadata is written only every five seconds).
#
# Accounts acmetmpl and acmecust; their keys are the base64 of template-key-0123456789abcdef and
# customer-key-0123456789abcdef. Azurite is installed into build/node, as the lock file has it.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
node_dir=$here/../../build/node
server=$node_dir/node_modules/azurite/dist/src/blob/main.js

die() {
    echo "azurite.sh: $*" >&2
    exit 1
}

install_azurite() {
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        die "nodejs and npm are missing; install them with: apt-get install -y nodejs npm"
    fi
    mkdir -p "$node_dir"
    exec 9>"$node_dir/.lock"
    flock 9
    if ! [ -f "$server" ] || ! cmp -s "$here/package-lock.json" "$node_dir/installed-lock.json"; then
        cp "$here/package.json" "$here/package-lock.json" "$node_dir/"
        (cd "$node_dir" && npm ci --cache "$node_dir/cache" --ignore-scripts --no-audit --no-fund --loglevel=error) >&2 ||
            die "npm ci failed in $node_dir"
        cp "$here/package-lock.json" "$node_dir/installed-lock.json"
    fi
    exec 9>&-
}

free_port() {
    node -e 'const s = require("net").createServer();
        s.listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

# Waits until the server answers (10) or has ended (20).
wait_ready() {
    node -e 'const [port, pid] = process.argv.slice(1).map(Number);
        const end = Date.now() + 60000;
        function alive() { try { process.kill(pid, 0); return true; } catch { return false; } }
        function again() {
            if (!alive() || Date.now() > end) process.exit(20);
            setTimeout(look, 50);
        }
        function look() {
            require("http").get({ host: "127.0.0.1", port, path: "/" }, () => process.exit(10))
                .on("error", again);
        }
        look();' "$1" "$2" || return $?
}

start() {
    dir=$1
    mkdir -p "$dir/data"
    [ -f "$dir/pid" ] && kill -0 "$(cat "$dir/pid")" 2>/dev/null && die "already running in $dir"
    install_azurite
    AZURITE_ACCOUNTS="acmetmpl:$(printf template-key-0123456789abcdef | base64 -w0)"
    AZURITE_ACCOUNTS="$AZURITE_ACCOUNTS;acmecust:$(printf customer-key-0123456789abcdef | base64 -w0)"
    export AZURITE_ACCOUNTS
    for _ in 1 2 3 4 5; do # a free port may be taken by somebody else meanwhile
        port=$(free_port)
        node "$server" --blobHost 127.0.0.1 --blobPort "$port" -l "$dir/data" --disableTelemetry \
            --silent --disableProductStyleUrl >"$dir/log" 2>&1 </dev/null &
        pid=$!
        echo "$pid" >"$dir/pid"
        rc=0
        wait_ready "$port" "$pid" || rc=$?
        if [ "$rc" -eq 10 ]; then
            echo "http://127.0.0.1:$port"
            return
        fi
        kill "$pid" 2>/dev/null || :
    done
    rm -f "$dir/pid"
    cat "$dir/log" >&2
    die "Azurite did not start"
}

stop() {
    [ -f "$1/pid" ] || return 0
    pid=$(cat "$1/pid")
    if kill -TERM "$pid" 2>/dev/null; then
        node -e 'const pid = Number(process.argv[1]), end = Date.now() + 15000;
            (function look() {
                try { process.kill(pid, 0); } catch { return; }
                if (Date.now() > end) { process.kill(pid, "SIGKILL"); return; }
                setTimeout(look, 50);
            })();' "$pid"
    fi
    rm -f "$1/pid"
}

case "${1-}:$#" in
    start:2) start "$2" ;;
    stop:2) stop "$2" ;;
    *) die "usage: azurite.sh start|stop DIR" ;;
esac
