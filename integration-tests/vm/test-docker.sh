#!/usr/bin/env bash
# Runs the container image by the documented command in a guest, where all of it can be granted (guest-docker.sh says what is
# looked at). tests/image.rs does the same without a guest, less what the machine itself may not do.
#
#   CWS_BIN_DIR    where the built programs are, if not to be built now
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
vm=integration-tests/vm

payload=$(mktemp -d)
trap 'rm -rf "$payload"' EXIT
CWS_IMAGE_DIR=$payload/image packaging/docker/build.sh archive
basename "$payload"/image/*.tar .tar >"$payload/architecture"
sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1 >"$payload/version"
cp packaging/docker/Dockerfile docs/docker.md "$payload/"
cp "$vm/guest-common.sh" "$payload/common.sh"
cp "$vm/guest-docker.sh" "$payload/"
echo 'sh /payload/guest-docker.sh; echo "guest: done"' >"$payload/guest.sh"
image=$("$vm/guest-image.sh" "${CWS_GUEST_DIR:-target/guest}" | tail -1)
"$vm/run-guest.sh" "$image" "$payload" 1800
