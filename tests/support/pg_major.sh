#!/usr/bin/env bash
# pg_major.sh VERSION: prints the folder of another major version's initdb and pg_ctl (12, 14, 16, 17, 18).
#
# They come from npm as majors/package-lock.json has them, into build/majors, without any client.
# Ends with 77 where there are none for this machine.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=$here/../../build/majors

die() {
    echo "pg_major.sh: $*" >&2
    exit 1
}

install() {
    command -v npm >/dev/null || die "npm is missing; install it with: apt-get install -y nodejs npm"
    mkdir -p "$folder"
    exec 9>"$folder/.lock"
    flock 9
    if ! cmp -s "$here/majors/package-lock.json" "$folder/installed-lock.json"; then
        cp "$here/majors/package.json" "$here/majors/package-lock.json" "$folder/"
        (cd "$folder" && npm ci --cache "$folder/cache" --ignore-scripts --no-audit --no-fund --loglevel=error) >&2 ||
            die "npm ci failed in $folder"
        (cd "$folder" && link)
        rm -rf "$folder/cache"
        cp "$here/majors/package-lock.json" "$folder/installed-lock.json"
    fi
    exec 9>&-
}

# npm keeps no symbolic links: the packages bring a list of theirs.
link() {
    node -e 'const fs = require("fs"), path = require("path");
        for (const name of fs.readdirSync("node_modules").filter((n) => n.startsWith("pg"))) {
            const base = path.join("node_modules", name);
            for (const { source, target } of JSON.parse(fs.readFileSync(path.join(base, "native/pg-symlinks.json")))) {
                const to = path.join(base, target);
                fs.rmSync(to, { force: true });
                fs.symlinkSync(path.relative(path.dirname(target), source), to);
            }
        }' || die "cannot link the libraries"
    chmod -R a+rX node_modules
}

[ $# -eq 1 ] || die "usage: pg_major.sh VERSION"
[ "$(uname -sm)" = "Linux x86_64" ] || exit 77
install
bin=$(cd "$folder" && pwd)/node_modules/pg$1/native/bin
[ -x "$bin/initdb" ] || die "no version $1 in majors/package.json"
echo "$bin"
