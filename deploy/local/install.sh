#!/bin/sh
# Installs what is missing of packages.txt and starts nothing: apt runs under a policy-rc.d that
# forbids every service start and with Debian's "main" PostgreSQL cluster switched off. Both are
# taken back afterwards. Needs root or sudo only when something is missing.
#
#   deploy/local/install.sh SECTION...      (sections of packages.txt: build run test fresh)
set -eu

here=$(cd "$(dirname "$0")" && pwd)
list=$here/packages.txt
policy=/usr/sbin/policy-rc.d
saved=/usr/sbin/policy-rc.d.before-frontdesk
no_cluster=/etc/postgresql-common/createcluster.d/frontdesk-install.conf
services="nginx pgbouncer dovecot postfix"

say() { printf '%s\n' "$*" >&2; }

wanted() {
    for section in "$@"; do
        sed -n "/^\[$section\]/,/^\[/{/^[a-z0-9]/p}" "$list"
    done
}

missing() {
    wanted "$@" | while read -r package; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || printf '%s\n' "$package"
    done
}

# dpkg-query once for all names: the usual case is that nothing is missing, and it must be quick.
all_there() {
    # shellcheck disable=SC2046
    count=$(dpkg-query -W -f '${db:Status-Status}\n' $(wanted "$@") 2>/dev/null |
        grep -c '^installed$' || true)
    [ "$count" -eq "$(wanted "$@" | wc -l)" ]
}

forbid_starts() {
    if [ -e "$saved" ]; then
        mv -f "$saved" "$policy"
    fi
    if [ -e "$policy" ]; then
        cp -p "$policy" "$saved"
    fi
    printf '#!/bin/sh\n# Frontdesk is installing packages; removed when it is done.\nexit 101\n' >"$policy.new"
    chmod 755 "$policy.new"
    mv -f "$policy.new" "$policy"
    mkdir -p "$(dirname "$no_cluster")"
    printf 'create_main_cluster = false\n' >"$no_cluster"
}

allow_starts() {
    rm -f "$policy" "$no_cluster"
    if [ -e "$saved" ]; then
        mv -f "$saved" "$policy"
    fi
}

# A package's service would otherwise come up at the next boot and take its port.
keep_disabled() {
    command -v systemctl >/dev/null 2>&1 || return 0
    for service in $services; do
        case " $1 " in
        *" $service "*) systemctl disable "$service.service" >/dev/null 2>&1 || true ;;
        esac
    done
}

# apt_install PACKAGES quiet|loud: what apt said is shown only when it failed, and only if loud.
apt_install() {
    log=$(mktemp)
    # shellcheck disable=SC2086
    apt-get -y -q -o DPkg::Lock::Timeout=300 -o APT::Status-Fd=3 --no-install-recommends \
        install $1 3>&1 >"$log" 2>&1 </dev/null | progress
    if all_installed "$1"; then
        rm -f "$log"
        return 0
    fi
    [ "$2" = quiet ] || tail -n 25 "$log" >&2
    rm -f "$log"
    return 1
}

all_installed() {
    for package in $1; do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || return 1
    done
}

# apt's status lines are "pmstatus:package:percent:text" and "dlstatus:...".
progress() {
    awk -F: '/^(pm|dl)status/ {
        step = int($3 / 10)
        key = $1 step
        if (key != last) {
            printf "  %s %3d %%\n", ($1 == "dlstatus" ? "download" : "install "), $3
            fflush()
            last = key
        }
    }' >&2
}

install_as_root() {
    exec 9>/run/lock/frontdesk-install.lock
    flock 9
    need=$(missing "$@" | tr '\n' ' ')
    [ -n "$need" ] || return 0
    say "installing: $need"
    trap allow_starts EXIT
    trap 'exit 130' INT TERM HUP
    forbid_starts
    export DEBIAN_FRONTEND=noninteractive
    # Names of packages that are known may be older than the server's: update, then once more.
    if ! ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1 || ! apt_install "$need" quiet; then
        say "  apt-get update"
        apt-get -q -q -o DPkg::Lock::Timeout=300 update >&2
        apt_install "$need" loud || {
            say "could not install: $(missing "$@" | tr '\n' ' ')"
            say "see the lines above; Frontdesk needs Debian 12 (bookworm) with the main component"
            exit 1
        }
    fi
    keep_disabled "$need"
    say "installed"
}

main() {
    [ $# -gt 0 ] || {
        say "usage: deploy/local/install.sh SECTION...   (build run test fresh)"
        exit 2
    }
    if all_there "$@"; then
        return 0
    fi
    if [ "$(id -u)" -eq 0 ]; then
        install_as_root "$@"
    elif command -v sudo >/dev/null 2>&1; then
        say "packages are missing; sudo is used for apt-get only"
        sudo -- "$here/install.sh" "$@"
    else
        say "these packages are missing, and you are neither root nor have sudo:"
        say "  apt-get install --no-install-recommends $(missing "$@" | tr '\n' ' ')"
        exit 1
    fi
}

main "$@"
