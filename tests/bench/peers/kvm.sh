#!/bin/sh
# First process of KVM's host: does /bench/job, with the files beside it.
export PATH=/bin:/bench LD_LIBRARY_PATH=/lib
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do
	insmod "/modules/$module.ko"
done < /modules/order
echo always > /sys/kernel/mm/transparent_hugepage/enabled
[ -c /dev/kvm ] || echo "no /dev/kvm"

# guest MIB KERNEL OPTION...: COM1 of the guest goes to /tmp/com1
guest()
{
	memory=$1 kernel=$2
	shift 2
	qemu-system-x86_64 -L /usr/share/qemu -accel kvm -M q35 -cpu host -m "$memory" -nodefaults -no-reboot -display none \
		-serial file:/tmp/com1 -kernel "/bench/$kernel" "$@"
}

# ticks NAME: a figure
ticks()
{
	/bench/ticks | sed "s/ticks/$1/"
}

linux()
{
	guest 256M vmlinuz -initrd /bench/initrd.img "$@"
}

# shellcheck source=/dev/null
. /bench/job
echo "figure job-end 0"
poweroff -f
