#!/bin/sh
# First process of Xen's control domain: does /bench/job, with the files beside it.
export PATH=/bin:/bench LD_LIBRARY_PATH=/lib
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /var/lib/xen /var/log/xen/console /run/xen /run/xenstored /var/lib/xenstored /var/lock
mount -t devpts devpts /dev/pts
while read -r module; do
	insmod "/modules/$module.ko"
done < /modules/order
mount -t xenfs xenfs /proc/xen
xenstored
sleep 1
xen-init-dom0
xenconsoled --log=guest
sleep 1

# config MIB KERNEL LINE...: to /tmp/config
config()
{
	{
		echo 'name="guest" type="pvh" tsc_mode="native" on_poweroff="destroy"' | tr ' ' '\n'
		echo "memory=$1"
		echo "kernel=\"/bench/$2\""
		shift 2
		printf '%s\n' "$@"
	} > /tmp/config
}

# ticks NAME: a figure
ticks()
{
	/bench/ticks | sed "s/ticks/$1/"
}

# shellcheck source=/dev/null
. /bench/job
echo "figure job-end 0"
poweroff -f
