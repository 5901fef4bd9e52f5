#!/usr/bin/env bash
# Installs, uses, upgrades and removes the Debian package and then the rpm, in one guest whose first process is systemd
# (guest-deb.sh and guest-rpm.sh say what is looked at).
#
#   test-packages.sh [DIR]     default: the packages in target/packages
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
vm=integration-tests/vm

directory=$(realpath "${1:-target/packages}")
deb=$(echo "$directory"/cws-agent_*.deb)
rpm=$(echo "$directory"/cws-agent-*.rpm)
[[ -f $deb && -f $rpm ]] || { echo "test-packages: no packages in $directory; make packages builds them" >&2; exit 1; }
payload=$(mktemp -d)
trap 'rm -rf "$payload"' EXIT
cp "$deb" "$payload/first.deb"
cp "$rpm" "$payload/first.rpm"
# The same with a later version: what an upgrade does is a matter of the scripts.
dpkg-deb -R "$deb" "$payload/second"
sed -i 's/^Version: .*/&+next/' "$payload/second/DEBIAN/control"
dpkg-deb --root-owner-group -Znone -b "$payload/second" "$payload/second.deb" >/dev/null
CWS_BIN_DIR=$payload/second/opt/datadog-agent/embedded/bin CWS_PACKAGES_DIR=$payload/next CWS_PACKAGE_RELEASE=2 \
    packaging/package/build.sh rpm
mv "$payload"/next/*.rpm "$payload/second.rpm"
rm -rf "$payload/second" "$payload/next"
cp "$vm/guest-common.sh" "$payload/common.sh"
cp "$vm/guest-deb.sh" "$vm/guest-rpm.sh" "$payload/"
echo 'sh /payload/guest-deb.sh; sh /payload/guest-rpm.sh; echo "guest: done"' >"$payload/guest.sh"
image=$("$vm/guest-image.sh" "${CWS_GUEST_DIR:-target/guest}" | tail -1)
"$vm/run-guest.sh" "$image" "$payload" 1500
