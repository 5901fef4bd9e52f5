#!/usr/bin/env bash
# Boots the guest of guest-image.sh once, on a copy of its disk, with the files of a directory, and shows what its
# guest.sh prints. Exit status 0 if that ends with a line `guest: done` and has no line that begins with `FAIL`.
#
#   run-guest.sh IMAGE_DIR PAYLOAD_DIR [SECONDS]
#
# CWS_GUEST_BOOT=DIR takes vmlinuz and initrd.img from there. CWS_GUEST_KEEP=DIR: what the guest writes to its third disk as
# a tar archive is unpacked there.
set -euo pipefail

image=$1 payload=$2 seconds=${3:-900}
boot=${CWS_GUEST_BOOT:-$image}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -C "$payload" -cf "$work/payload.tar" .
# A disk has whole sectors, and some to spare so that tar finds the end.
truncate -s "%1M" "$work/payload.tar"
truncate -s "+1M" "$work/payload.tar"
: >"$work/output"
truncate -s 256M "$work/keep"
tail -F --pid=$$ "$work/output" 2>/dev/null &
follow=$!
# /dev/kvm may be there and not work: what is tested here needs no speed. One thread for both processors: see test-kernels.sh.
timeout "$seconds" qemu-system-x86_64 -machine q35 -accel tcg,thread=single -cpu max -smp 2 -m 1536 -nodefaults -display none \
    -no-reboot -nic none -kernel "$boot/vmlinuz" -initrd "$boot/initrd.img" \
    -append "root=/dev/vda rw console=ttyS0 quiet panic=-1 systemd.show_status=0" \
    -drive "file=$image/disk.img,if=virtio,format=raw,snapshot=on" \
    -drive "file=$work/payload.tar,if=virtio,format=raw,readonly=on" \
    -drive "file=$work/keep,if=virtio,format=raw" \
    -serial "file:$work/console" -serial "file:$work/output" </dev/null || status=$?
kill "$follow" 2>/dev/null || true
if [[ -n ${CWS_GUEST_KEEP:-} ]]; then
    mkdir -p "$CWS_GUEST_KEEP"
    tar -C "$CWS_GUEST_KEEP" -xf "$work/keep" 2>/dev/null || true
    cp "$work/output" "$work/console" "$CWS_GUEST_KEEP"
fi
if ((${status:-0})) || ! grep -q '^guest: done' "$work/output"; then
    echo "== the guest did not come to its end (status ${status:-0}); its console:" >&2
    tail -n 40 "$work/console" >&2
    exit 1
fi
! grep -q '^FAIL' "$work/output"
