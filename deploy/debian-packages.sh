#!/bin/sh
# Sees to it that Debian packages are there: sh deploy/debian-packages.sh NAME...
# As root on Debian it installs the missing ones; elsewhere it names the line that would, and goes on: tests that need
# them are then skipped, saying so (in CI a skip fails).
set -eu

missing=
for name in "$@"; do
    if [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" != installed ]; then
        missing="$missing $name"
    fi
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" != 0 ] || ! grep -qx 'ID=debian' /etc/os-release 2>/dev/null; then
    echo "tests that need$missing will be skipped. On Debian: sudo apt-get install -y --no-install-recommends$missing" >&2
    exit 0
fi

# A package's service would take the port that a test's own needs: 101 from this hook tells dpkg to start none.
hook=/usr/sbin/policy-rc.d
if [ ! -e "$hook" ]; then
    trap 'rm -f "$hook"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$hook"
    chmod 755 "$hook"
fi
log=$(mktemp)
echo "apt-get install$missing" >&2
export DEBIAN_FRONTEND=noninteractive
if ! { apt-get update && apt-get install -y --no-install-recommends -o DPkg::Lock::Timeout=120 $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "apt-get could not install$missing; its whole output is in $log" >&2
    exit 1
fi
rm -f "$log"
