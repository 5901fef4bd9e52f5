#!/usr/bin/env bash
# Boots a kernel with the rules of Linux 4.18 for BPF programs, and with those of 4.15, and has both processes work there by
# the programs for old kernels, with a file of its types. Such a kernel is not to be had as a package, so it is Linux 5.10,
# built with less (old-verifier/): a few minutes on two quiet cores, once. Not part of `make test`.
#
#   test-old-verifier.sh [VERSION...]      4.18 4.15; default: both
#
# CWS_VM_PROFILE=debug takes the debug builds. CWS_OLD_KERNEL_DIR has vmlinuz and types.btf, if they were built before.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export PATH=$PATH:/usr/sbin:/sbin
profile=${CWS_VM_PROFILE:-release}
kernel=${CWS_OLD_KERNEL_DIR:-$PWD/target/vm/old-kernel}
vm=$PWD/integration-tests/vm

build_kernel() {
    local archive
    archive=$("$vm/fetch-kernels.sh" target/kernels source-5.10 | sed -n 's/^source-5.10 //p')
    mkdir -p "$kernel/source"
    tar -C "$kernel/source" --strip-components=1 -xf "$archive"
    cd "$kernel/source"
    python3 "$vm/old-verifier/patch.py"
    make -s tinyconfig
    scripts/kconfig/merge_config.sh -m .config "$vm/old-verifier/kernel.config" >/dev/null
    make -s olddefconfig
    make -s -j"$(nproc)" bzImage
    pahole -J --btf_encode_detached="$kernel/types.btf" vmlinux
    cp arch/x86/boot/bzImage "$kernel/vmlinuz"
    cd - >/dev/null
    rm -rf "$kernel/source"
}

for tool in vng qemu-system-x86_64 pahole flex bison bc; do
    command -v "$tool" >/dev/null || { echo "skipped: this needs $tool"; exit 0; }
done
[[ -s $kernel/vmlinuz && -s $kernel/types.btf ]] || build_kernel

flags=()
[[ $profile == debug ]] || flags=(--release)
cargo build -q --locked "${flags[@]}" -p system-probe -p security-agent
# A build of its own for the guests, which one that goes on meanwhile does not change.
build=$PWD/target/vm/old-build
rm -rf "$build"
mkdir -p "$build"
cp target/"$profile"/{system-probe,security-agent} "$build"

# boot VERSION
boot() {
    local version=$1 results=$PWD/target/vm/results/old-verifier-$1
    rm -rf "$results"
    mkdir -p "$results"
    python3 "$vm/old-verifier/old_types.py" "$version" "$kernel/types.btf" "$kernel/types-$version.btf"
    timeout --kill-after=5 900 vng --disable-kvm --run "$kernel/vmlinuz" --force-9p --cpus 2 --memory 2G \
        --rwdir="$results" --cwd "$PWD" --append "bpf_rules=$version" \
        --exec "bash $vm/guest-old-verifier.sh $results $build $kernel $version" \
        >"$results/console" 2>&1 </dev/null || true
    sed "s/^/$version: /" "$results/output"
    grep -q '^guest: done' "$results/output" || { echo "FAIL $version: the guest did not come to its end"; return 1; }
    ! grep -q '^FAIL' "$results/output"
}

versions=("$@")
((${#versions[@]})) || versions=(4.18 4.15)
status=0
for version in "${versions[@]}"; do
    boot "$version" || status=1
done
exit "$status"
