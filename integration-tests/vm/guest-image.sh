#!/usr/bin/env bash
# Makes a Debian guest whose first process is systemd, and prints its directory: disk.img, vmlinuz, initrd.img.
#
#   guest-image.sh [DIR [PACKAGE...]]     default: target/guest; PACKAGE: what is installed besides
#
# At boot the guest unpacks a tar archive from its second disk, runs `guest.sh` of it with its output on the second serial
# port, and powers off.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

dir=$(realpath -m "${1:-target/guest}")
suite=bookworm
packages=systemd,systemd-sysv,dbus,udev,initramfs-tools,linux-image-cloud-amd64,procps,init-system-helpers,libelf1
# What the tests of the rpm and of the container image need.
packages+=,rpm,docker.io,iptables,apparmor,busybox-static
# What the caller needs beside.
for package in "${@:2}"; do packages+=,$package; done
mkdir -p "$dir"
[[ $(cat "$dir/done" 2>/dev/null) == "$suite $packages" ]] && exec echo "$dir"
rm -f "$dir/done"

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sort -u | grep -v security |
    grep -m1 -- '/debian/*$') || { echo "guest-image: no Debian mirror among the apt sources" >&2; exit 1; }
if [[ ! -s $dir/root/etc/hostname ]]; then
    rm -rf "$dir/root"
    debootstrap --variant=minbase --include="$packages" "$suite" "$dir/root" "$mirror" >"$dir/debootstrap.log"
fi
root=$dir/root
echo guest >"$root/etc/hostname"
echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
cat >"$root/etc/systemd/system/guest-test.service" <<'UNIT'
[Unit]
Description=The test of this guest
After=multi-user.target

[Service]
Type=oneshot
StandardOutput=file:/dev/ttyS1
StandardError=inherit
TimeoutStartSec=infinity
ExecStart=/bin/sh -c 'mkdir -p /payload && tar -xf /dev/vdb -C /payload && exec sh /payload/guest.sh'
ExecStopPost=/bin/systemctl --no-block poweroff

[Install]
WantedBy=default.target
UNIT
mkdir -p "$root/etc/systemd/system/default.target.wants"
ln -sfn ../guest-test.service "$root/etc/systemd/system/default.target.wants/guest-test.service"
# Nothing that waits for a network or a console, or that only one of the tests wants: it starts that itself.
for unit in systemd-networkd-wait-online.service getty@tty1.service serial-getty@ttyS0.service apt-daily.timer \
    apt-daily-upgrade.timer e2scrub_reap.service docker.service docker.socket containerd.service; do
    ln -sfn /dev/null "$root/etc/systemd/system/$unit"
done
cp "$root"/boot/vmlinuz-* "$dir/vmlinuz"
cp "$root"/boot/initrd.img-* "$dir/initrd.img"
rm -f "$dir/disk.img"
truncate -s 4G "$dir/disk.img"
/sbin/mkfs.ext4 -q -d "$root" "$dir/disk.img"
rm -rf "$root"
echo "$suite $packages" >"$dir/done"
echo "$dir"
