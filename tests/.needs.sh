#!/usr/bin/env bash
# The one test command, the same by hand and in CI: format, lints, tests, docs, dependencies, and the real programs.
#
# As root or in CI it installs what is missing: Debian packages, and tools of its own below target/tools. Elsewhere it
# says what is missing and fails. No service is started; what the tests start, they end.
set -euo pipefail
cd "$(dirname "$0")/.."
exec </dev/null

readonly deny_version=0.20.2
readonly deny=target/tools/bin/cargo-deny
readonly exim=target/tools/exim/usr/sbin/exim4
readonly packages=(bsdextrautils ca-certificates dnsutils gcc gnutls-bin libc6-dev openssl postfix procps prometheus-alertmanager testssl.sh unbound)

# stage NAME COMMAND…: runs it in a shell of its own, says how long it took, and ends the run where it fails.
stage() {
    local name=$1 began=$SECONDS status=0
    shift
    printf '\n== %s\n' "$name"
    set +e
    (
        set -e
        "$@"
    )
    status=$?
    set -e
    if [ "$status" -ne 0 ]; then
        printf '\n== %s FAILED after %d s\n' "$name" $((SECONDS - began)) >&2
        exit 1
    fi
    printf -- '-- %s: %d s\n' "$name" $((SECONDS - began))
}

needs() {
    if [ "$(id -u)" -eq 0 ]; then
        install_packages
        install_exim
        install_deny
        return
    fi
    if [ "${CI:-}" = true ]; then
        install_deny
    fi
    local missing
    missing=$(
        list_missing_packages | sed 's/^/Debian package /'
        exim_runs || echo "$exim (Debian package exim4-daemon-heavy, unpacked)"
        deny_is_there || echo "$deny $deny_version (cargo install)"
        echo "root: the mail servers under test change users"
    )
    printf 'missing:\n%s\nAs root, tests/run installs what is missing.\n' "$missing" >&2
    return 1
}

list_missing_packages() {
    local package
    for package in "${packages[@]}"; do
        is_installed "$package" || echo "$package"
    done
}

is_installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

install_packages() {
    local missing
    mapfile -t missing < <(list_missing_packages)
    [ "${#missing[@]}" -eq 0 ] || apt_install "${missing[@]}"
}

# Installs without questions and without starting a service: a package's own script fails where nothing can be started.
# Package lists may be absent or older than the mirror, so what fails is tried once more with new ones.
apt_install() {
    local policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    if ! is_installed postfix; then
        echo 'postfix postfix/main_mailer_type select No configuration' | debconf-set-selections
    fi
    apt_get install "$@" || {
        apt_get update
        apt_get install "$@"
    }
}

apt_get() {
    apt-get -y -q --no-install-recommends -o DPkg::Lock::Timeout=300 -o APT::Sandbox::User=root "$@"
}

# Debian's mail servers exclude each other: Postfix is installed, Exim is unpacked, with the libraries it names.
install_exim() {
    exim_runs && return
    local into=target/tools/exim.new libraries
    rm -rf "$into" target/tools/exim
    mkdir -p "$into"
    (cd "$into" && { apt_get download exim4-daemon-heavy || { apt_get update && apt_get download exim4-daemon-heavy; }; })
    mapfile -t libraries < <(
        dpkg-deb -f "$into"/*.deb Depends | tr ',' '\n' | sed 's/^ *//; s/[ |].*//' | grep '^lib'
    )
    apt_install "${libraries[@]}"
    # The user it was built to become.
    id Debian-exim >/dev/null 2>&1 ||
        useradd --system --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin Debian-exim
    dpkg-deb -x "$into"/*.deb "$into"
    mv "$into" target/tools/exim
    exim_runs || {
        "$exim" -C /dev/null -bV
        return 1
    }
}

exim_runs() {
    [ -x "$exim" ] && "$exim" -C /dev/null -bV >/dev/null 2>&1
}

# Built without optimisation: it runs for seconds, and would be built for many minutes.
install_deny() {
    deny_is_there && return
    CARGO_PROFILE_RELEASE_OPT_LEVEL=0 CARGO_PROFILE_RELEASE_LTO=false CARGO_PROFILE_RELEASE_DEBUG=0 \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        cargo install --quiet --locked --root target/tools cargo-deny --version "$deny_version"
}

deny_is_there() {
    [ -x "$deny" ] && [ "$("$deny" --version)" = "cargo-deny $deny_version" ]
}

# The target `real` has test = false, so that `cargo test` leaves it alone; so does --all-targets.
lints() {
    cargo clippy --locked --all-targets -- -D warnings
    cargo clippy --locked --test real -- -D warnings
}

docs() {
    RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --document-private-items
}

# Holds the runner's summary back, so that it is the last line of all.
real() {
    cargo test --locked --test real 2>&1 | awk -v held="$summary" '/^test result:/ { print > held; next } { print; fflush() }'
}


install_packages
install_exim
