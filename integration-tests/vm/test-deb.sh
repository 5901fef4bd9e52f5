#!/usr/bin/env bash
# Installs, uses, upgrades and purges the Debian package in a guest with systemd (guest-deb.sh says what is looked at).
#
#   test-deb.sh [DEB]     default: the one in target/packages
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

deb=${1:-$(echo ../../target/packages/cws-agent_*.deb)}
[[ -f $deb ]] || { echo "test-deb: no package $deb; make packages builds it" >&2; exit 1; }
payload=$(mktemp -d)
trap 'rm -rf "$payload"' EXIT
cp "$deb" "$payload/first.deb"
# The same with a later version: what an upgrade does is a matter of the scripts.
dpkg-deb -R "$deb" "$payload/second"
sed -i 's/^Version: .*/&+next/' "$payload/second/DEBIAN/control"
dpkg-deb --root-owner-group -Znone -b "$payload/second" "$payload/second.deb" >/dev/null
rm -rf "$payload/second"
cp guest-deb.sh "$payload/guest.sh"
image=$(./guest-image.sh "${CWS_GUEST_DIR:-$PWD/../../target/guest}" | tail -1)
./run-guest.sh "$image" "$payload"
