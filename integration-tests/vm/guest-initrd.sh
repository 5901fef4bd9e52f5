#!/usr/bin/env bash
# Makes what the guest of guest-image.sh needs to boot one of the kernels of fetch-kernels.sh, without the modules of that
# kernel on its disk: DIR/vmlinuz and DIR/initrd.img, with the modules that are loaded before the disk is mounted.
#
#   guest-initrd.sh VMLINUZ VERSION DIR
set -euo pipefail

image=$1 version=$2 dir=$3
# For the disk, and what tests use: overlays and interfaces that lead nowhere.
modules=(virtio_pci virtio_blk ext4 overlay dummy)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$dir" "$work"/{bin,modules,proc,root}
cp /bin/busybox "$work/bin/busybox"
list=$(for module in "${modules[@]}"; do
    PATH=$PATH:/sbin:/usr/sbin modprobe -S "$version" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
done | awk '!seen[$0]++')
{
    echo '#!/bin/busybox sh'
    echo 'b=/bin/busybox'
    for file in $list; do
        # Compressed ones (.ko.xz) are for a kernel that can do that itself, not for busybox.
        name=$(basename "$file")
        case $file in
        *.xz) xz -dc "$file" >"$work/modules/${name%.xz}" ;;
        *) cp "$file" "$work/modules/$name" ;;
        esac
        echo "\$b insmod /modules/${name%.xz}"
    done
    echo '$b mount -t proc proc /proc'
    echo '$b mount -t devtmpfs dev /dev 2>/dev/null || { $b mkdir -p /dev; $b mount -t devtmpfs dev /dev; }'
    echo 'until [ -b /dev/vda ]; do $b sleep 0.2; done'
    echo '$b mount -t ext4 /dev/vda /root'
    echo '$b umount /proc'
    echo 'exec $b switch_root /root /sbin/init'
} >"$work/init"
chmod 755 "$work/init"
(cd "$work" && find . | cpio --quiet -o -H newc | gzip -1) >"$dir/initrd.img"
cp "$image" "$dir/vmlinuz"
