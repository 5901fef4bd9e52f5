#!/usr/bin/env bash
# Runs the behaviours of the shared set of attacks in a guest that is thrown away, with both processes watching, and says of
# each whether its events and the rules of the reference's default policy were as they should be.
#
#   test-attacks.sh [KERNEL...]      those of fetch-kernels.sh; default: 6.1
#
# CWS_SHARED is the directory of the set, `../shared` if it is not given. CWS_PLAN forces a plan. CWS_ATTACKS_ONLY is a
# part of the ids of those that are run. CWS_VM_PROFILE=debug takes the
# debug builds. What the runs leave is in target/vm/attacks-KERNEL.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

export PATH=$PATH:/usr/sbin:/sbin
profile=${CWS_VM_PROFILE:-release} shared=${CWS_SHARED:-../shared}
kernels=("$@")
((${#kernels[@]})) || kernels=(6.1)
if [[ ! -f $shared/attacks/examples.jsonl ]]; then
    echo "skipped: there is no set of attacks at $shared (CWS_SHARED)"
    exit 0
fi
if ! command -v debootstrap >/dev/null || ! command -v qemu-system-x86_64 >/dev/null; then
    echo "skipped: guests need debootstrap and qemu-system-x86_64 (packaging/dev/setup.sh vm installs them)"
    exit 0
fi

flags=()
[[ $profile == debug ]] || flags=(--release)
# What is tested is built as its users get it; the test itself, which takes far longer to build so, as ever.
cargo build -q --locked "${flags[@]}" -p system-probe -p security-agent --bins || exit 1
test=$(cargo test -q --locked --no-run --message-format=json -p integration-tests --test attacks |
    sed -n 's/.*"name":"attacks".*"executable":"\([^"]*\)".*/\1/p')
[[ -x $test ]] || { echo "test-attacks: the test was not built" >&2; exit 1; }

payload=$(mktemp -d)
trap 'rm -rf "$payload"' EXIT
mkdir -p "$payload/bin/deps" "$payload/shared"
strip -o "$payload/bin/deps/attacks" "$test"
for program in system-probe security-agent; do
    strip -o "$payload/bin/$program" "target/$profile/$program"
done
cp -r "$shared/attacks" "$shared/policies" "$payload/shared/"
cp integration-tests/vm/guest-attacks.sh "$payload/guest.sh"
for setting in CWS_PLAN CWS_ATTACKS_ONLY; do
    [[ -z ${!setting:-} ]] || echo "export $setting='${!setting}'"
done >"$payload/settings"
image=$(integration-tests/vm/guest-image.sh target/guest-attacks python3 gcc libc6-dev perl openssl cron iproute2 \
    busybox-static sudo | tail -1)

failed=0
while read -r name kernel version; do
    boot=target/vm/boot-$name
    integration-tests/vm/guest-initrd.sh "$kernel" "$version" "$boot" || exit 1
    echo "== attacks on $name"
    CWS_GUEST_BOOT=$boot CWS_GUEST_KEEP=target/vm/attacks-$name integration-tests/vm/run-guest.sh "$image" "$payload" 2400 ||
        failed=1
done < <(integration-tests/vm/fetch-kernels.sh target/kernels "${kernels[@]}")
exit $failed
