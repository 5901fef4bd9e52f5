#!/usr/bin/env bash
# Boots Debian's kernel for arm64 under QEMU, and has both processes work there: an event of each family has to come. Its
# 6.1 has no trampolines at functions of the kernel, so it is also where the programs are put there by probes without
# being told to. Everything is built here and put in a RAM disk: no other machine is needed. Not part of `make test`.
#
#   test-arm64.sh
#
# CWS_VM_PROFILE=debug takes the debug builds. Prints `ok` or `FAIL` for each finding; exits 1 if anything failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

profile=${CWS_VM_PROFILE:-release} seconds=${CWS_VM_SECONDS:-900}
target=aarch64-unknown-linux-gnu
work=$PWD/target/vm/arm64
vm=$PWD/integration-tests/vm

# What is in the RAM disk besides what is tested.
packages=(busybox-static libc6 libgcc-s1 libelf1 zlib1g libexpat1 libffi8
    python3.11-minimal libpython3.11-minimal libpython3.11-stdlib)

skip() {
    echo "skipped: $1"
    exit 0
}

for tool in qemu-system-aarch64 aarch64-linux-gnu-gcc apt-get dpkg-deb cpio; do
    command -v "$tool" >/dev/null || skip "this needs $tool (packaging/dev/setup.sh arm64; qemu-system-arm)"
done
dpkg --print-foreign-architectures | grep -qx arm64 ||
    skip "this needs packages of arm64 (dpkg --add-architecture arm64; apt-get update; apt-get install libelf-dev:arm64 zlib1g-dev:arm64)"
[[ -e /usr/lib/aarch64-linux-gnu/libelf.so ]] || skip "this needs libelf-dev:arm64 and zlib1g-dev:arm64"

fetch() {
    local depends
    mkdir -p "$work/packages"
    cd "$work/packages"
    depends=$(apt-cache depends linux-image-arm64:arm64 | sed -n 's/^ *Depends: \(linux-image-[^ ]*\).*/\1/p' | head -1)
    [[ -n $depends ]] || skip "there is no kernel for arm64"
    apt-get download -q "$depends" "${packages[@]/%/:arm64}" >/dev/null || skip "not all of ${packages[*]} can be had for arm64"
    cd - >/dev/null
}
compgen -G "$work/packages/linux-image-*.deb" >/dev/null || fetch

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc PKG_CONFIG_ALLOW_CROSS=1
export PKG_CONFIG_PATH=/usr/lib/aarch64-linux-gnu/pkgconfig
flags=()
[[ $profile == debug ]] || flags=(--release)
cargo build -q --locked "${flags[@]}" --target "$target" -p system-probe -p security-agent --bins

rm -rf "$work/root" "$work/kernel"
mkdir -p "$work/root"/{bin,proc,sys,dev,tmp,etc,cws} "$work/kernel"
for package in "$work"/packages/*.deb; do
    case $package in
    */linux-image-*) dpkg-deb -x "$package" "$work/kernel" ;;
    *) dpkg-deb -x "$package" "$work/root" ;;
    esac
done
ln -sf python3.11 "$work/root/usr/bin/python3"
cp "target/$target/$profile"/{system-probe,security-agent} "$vm"/events/{provoke.py,events.policy,pair.sh} "$work/root/cws"
aarch64-linux-gnu-strip "$work/root/cws"/{system-probe,security-agent}
cp "$vm/guest-arm64.sh" "$work/root/init"
chmod 755 "$work/root/init"
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$work/root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$work/root/etc/group"
(cd "$work/root" && find . | cpio --quiet -o -H newc | gzip -1) >"$work/initrd.img"

kernel=$(compgen -G "$work/kernel/boot/vmlinuz-*")
timeout --kill-after=5 "$seconds" qemu-system-aarch64 -machine virt -cpu cortex-a57 -smp 2 -m 2G -nographic -no-reboot \
    -accel tcg,thread=single -nic none -kernel "$kernel" -initrd "$work/initrd.img" -append "console=ttyAMA0 quiet panic=-1" \
    </dev/null >"$work/console" 2>&1 || true
tr -d '\r' <"$work/console" | sed -n 's/^CWS //p' >"$work/output"
cat "$work/output"
grep -q '^guest: done' "$work/output" || {
    echo "FAIL the guest came to its end"
    tail -n 20 "$work/console" | cut -c1-300
    exit 1
}
! grep -q '^FAIL' "$work/output"
