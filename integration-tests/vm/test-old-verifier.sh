#!/usr/bin/env bash
# Boots a kernel with the rules of Linux 4.18 for BPF programs, and has both processes work there by the programs for old
# kernels, with a file of its types. Such a kernel is not to be had as a package, so it is Linux 5.10, built with less
# (old-verifier/): some ten minutes on two quiet cores, once. Not part of `make test`.
#
#   test-old-verifier.sh
#
# CWS_VM_PROFILE=debug takes the debug builds. CWS_OLD_KERNEL_DIR has vmlinuz and types.btf, if they were built before.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export PATH=$PATH:/usr/sbin:/sbin
profile=${CWS_VM_PROFILE:-release}
kernel=${CWS_OLD_KERNEL_DIR:-$PWD/target/vm/old-kernel}
results=$PWD/target/vm/results/old-verifier
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

python3 "$vm/old-verifier/types_of_4_18.py" "$kernel/types.btf" "$kernel/types-4.18.btf"

flags=()
[[ $profile == debug ]] || flags=(--release)
cargo build -q --locked "${flags[@]}" -p system-probe -p security-agent
rm -rf "$results"
mkdir -p "$results"
timeout --kill-after=5 900 vng --disable-kvm --run "$kernel/vmlinuz" --force-9p --cpus 2 --memory 2G \
    --rwdir="$results" --cwd "$PWD" \
    --exec "bash $vm/guest-old-verifier.sh $results $PWD/target/$profile $kernel" \
    >"$results/console" 2>&1 </dev/null || true
cat "$results/output"
grep -q '^guest: done' "$results/output" || { echo "FAIL the guest came to its end"; exit 1; }
! grep -q '^FAIL' "$results/output"
