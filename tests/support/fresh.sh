#!/usr/bin/env bash
# Does a newcomer get through?  Makes a minimal Debian 12 with git, make and gcc, clones this
# repository into it and runs the two commands, as root and as an ordinary user with sudo.
#
#   fresh.sh DIR [root|user [COMMAND...]]     default: both, "make demo" then "make test"
#
# Needs root, debootstrap, network, and some 3 GB in DIR.  Mirrors, keys, proxies and certificates
# are this machine's own.  Only what is committed is cloned.  Logs: DIR/root.log, DIR/user.log.
set -eu

repo=$(cd "$(dirname "$0")/../.." && pwd)

die() {
    echo "fresh.sh: $*" >&2
    exit 1
}

# The first Debian mirror of this machine, from either format of apt's sources.
mirror() {
    local from
    from=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
        sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) bookworm .*/\2/p' | head -1)
    [ -n "$from" ] || from=$(cat /etc/apt/sources.list.d/*.sources 2>/dev/null |
        awk '/^URIs:/ { uri = $2 } /^Suites:.* bookworm( |$)/ { print uri; exit }')
    [ -n "$from" ] || die "no mirror for bookworm in /etc/apt"
    echo "$from"
}

# How this machine reaches the network: names, certificates, npm's settings.
copy_settings() {
    local to=$1 file
    cp /etc/resolv.conf "$to/etc/resolv.conf"
    grep -v localhost /etc/hosts >>"$to/etc/hosts" || true
    mkdir -p "$to/usr/local/share/ca-certificates"
    cp -r /usr/local/share/ca-certificates/. "$to/usr/local/share/ca-certificates/"
    cp /etc/ssl/certs/ca-certificates.crt "$to/etc/ssl/certs/ca-certificates.crt"
    grep -hs '^Acquire::.*[Pp]roxy' /etc/apt/apt.conf /etc/apt/apt.conf.d/* \
        >"$to/etc/apt/apt.conf.d/99machine" || true
    for file in /etc/npmrc /usr/etc/npmrc "$HOME/.npmrc"; do
        [ ! -f "$file" ] || cat "$file" >>"$to/etc/npmrc.machine"
    done
}

# The variables a proxy or a private certificate is announced by.
network_environment() {
    env | grep -iE '^(https?_proxy|no_proxy|npm_config_[a-z_]*|node_extra_ca_certs|ssl_cert_file|ssl_cert_dir)=' ||
        true
    [ ! -f "$1/etc/npmrc.machine" ] || echo "NPM_CONFIG_USERCONFIG=/etc/npmrc.machine"
}

# inside ROOT USER COMMAND: in a process space of its own, so that nothing survives it.
inside() {
    local to=$1 user=$2 command=$3 home variables
    home=$([ "$user" = root ] && echo /root || echo "/home/$user")
    mapfile -t variables < <(network_environment "$to")
    # shellcheck disable=SC2016 # expanded by the inner shell
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb HOME="$home" \
        "${variables[@]}" unshare --mount --pid --fork --kill-child sh -euc '
            mount -t proc proc "$1/proc"
            mount --rbind /dev "$1/dev"
            mount -t tmpfs tmpfs "$1/dev/shm"
            exec chroot --userspec="$2" "$1" sh -c "cd; $3"' sh "$to" "$user" "$command" </dev/null
}

make_base() {
    local base=$dir/base
    [ ! -f "$dir/base.tar" ] || return 0
    rm -rf "$base"
    debootstrap --variant=minbase --include=ca-certificates bookworm "$base" "$(mirror)"
    copy_settings "$base"
    inside "$base" root 'apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends git make gcc sudo'
    tar -C "$base" -cf "$dir/base.tar.new" .
    mv "$dir/base.tar.new" "$dir/base.tar"
    rm -rf "$base"
}

# newcomer KIND COMMAND...
newcomer() {
    local kind=$1 to=$dir/$1 user=root home=/root command
    shift
    rm -rf "$to"
    mkdir -p "$to"
    tar -C "$to" -xf "$dir/base.tar"
    if [ "$kind" = user ]; then
        user=newcomer home=/home/newcomer
        inside "$to" root "useradd -m -s /bin/bash $user && chmod 700 $home &&
            echo '$user ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/$user"
    else
        rm -f "$to/usr/bin/sudo"
    fi
    git clone -q --no-hardlinks "$repo" "$to$home/cloner"
    inside "$to" root "chown -R $user: $home/cloner"
    : >"$dir/$kind.log"
    for command in "$@"; do
        echo "== $kind: $command"
        inside "$to" "$user" "cd cloner && $command" >>"$dir/$kind.log" 2>&1 ||
            { tail -40 "$dir/$kind.log" && die "$kind: $command failed; all of it is in $dir/$kind.log"; }
        tail -3 "$dir/$kind.log"
    done
    # Nothing of the machine may have changed but packages.
    inside "$to" root 'pg_lsclusters -h 2>/dev/null | grep . && echo "a default cluster was made" && exit 1; :' ||
        die "$kind: a default PostgreSQL cluster was made"
}

[ $# -ge 1 ] || die "usage: fresh.sh DIR [root|user [COMMAND...]]"
[ "$(id -u)" -eq 0 ] || die "chroot needs root"
command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install debootstrap"
mkdir -p "$1"
dir=$(cd "$1" && pwd)
shift
kinds=${1:-root user}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- "make demo" "make test"

make_base
for kind in $kinds; do
    newcomer "$kind" "$@"
done
echo "A newcomer gets through: $kinds."
