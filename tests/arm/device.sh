#!/usr/bin/env bash
# device.sh ROOT SITE FILES ARGUMENT...
# Run `python3 ARGUMENT...` as a Raspberry Pi class device: four Cortex-A53 under QEMU's user emulation, no network.
#   ROOT   Debian arm64, unpacked       SITE   installed packages, at /opt/heartline       FILES   at /mnt
# All mounts live in a namespace of their own and end with it. The host's /dev and /sys stay out: whoever deletes ROOT
# while they are bound there deletes the host's devices, and an x86 /sys crashes the ARM kernels of XNNPACK.
set -euo pipefail
here=$(realpath "$(dirname "$0")")
if [ "$1" != --inside ]; then
  exec unshare --mount --propagation private --net --pid --fork --kill-child "$here/device.sh" --inside "$@"
fi
root=$(realpath "$2") site=$(realpath "$3") files=$(realpath "$4")
shift 4

cd "$root"
mkdir -p dev proc sys tmp mnt opt/heartline
mount -t tmpfs -o mode=755 dev dev
for node in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 "dev/${node%:*}" c 1 "${node#*:}"; done
ln -s /proc/self/fd dev/fd
mkdir -m 1777 dev/shm
mount -t tmpfs -o mode=1777 tmp tmp
mount -t proc proc proc
mount --bind "$here/cortex-a53.cpuinfo" proc/cpuinfo
mount -t tmpfs sys sys
mkdir -p sys/devices/system/cpu
echo 0-3 | tee sys/devices/system/cpu/possible > sys/devices/system/cpu/present
mount --bind "$site" opt/heartline
mount --bind "$files" mnt
touch opt/qemu
mount --bind "$(command -v qemu-aarch64-static)" opt/qemu

# Named CPU, not QEMU's default `max`: that one has SME, which no Pi has and with which int8 models answer wrongly.
exec env -i PATH=/usr/sbin:/usr/bin HOME=/tmp LANG=C.UTF-8 PYTHONPATH=/opt/heartline QEMU_CPU=cortex-a53 \
  chroot . /opt/qemu /usr/bin/python3 "$@"
