#!/bin/sh
# setup.sh [PURPOSE]: install the Debian packages that PURPOSE needs and that
# are missing. Quick and silent when nothing is.
set -eu

build='gcc make nasm binutils acpica-tools gnu-efi grub-common grub-pc-bin
	grub-efi-amd64-bin xorriso mtools console-setup-linux'
run='qemu-system-x86 ovmf seabios ipxe-qemu cpio'
# bochs-term by name: apt would else pick a graphical front end for bochs.
bochs='python3-pexpect bochs bochs-term bochsbios vgabios'
system='python3-pytest python3-pytest-timeout python3-pytest-xdist'
bench='libc6-dev tcc'
unit='libcmocka-dev libzydis-dev clang libclang-rt-14-dev lcov'
lint='clang-format clang-tidy cppcheck'

case ${1-build} in
build)	packages="$build" ;;
run)	packages="$build $run" ;;
bench)	packages="$build $run $bochs $bench" ;;
test)	packages="$build $run $unit $lint $system $bochs" ;;
test-long)
	packages="$build $run $unit $lint $system $bochs $bench" ;;
*)	echo "usage: $0 [build|run|test|test-long|bench]" >&2
	exit 2 ;;
esac

list_missing()
{
	have=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" \
		2>/dev/null | sed -n 's/^installed //p') || true
	for package; do
		printf '%s\n' "$have" | grep -qx "$package" ||
			printf '%s ' "$package"
	done
}

# shellcheck disable=SC2086 # one word a package
missing=$(list_missing $packages)
missing=${missing% }
[ -n "$missing" ] || exit 0

install="apt-get install -y --no-install-recommends $missing"

give_up()
{
	echo "setup: $1; missing packages: $missing; run as root:" \
		"apt-get update && $install" >&2
	exit 1
}

as_root=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || give_up "neither root nor sudo here"
	# Without a terminal nobody can type the password that sudo asks for.
	if [ -t 0 ]; then as_root=sudo; else as_root='sudo -n'; fi
	$as_root true || give_up "sudo refused"
fi

echo "setup: installing $missing"
apt='env DEBIAN_FRONTEND=noninteractive'
# shellcheck disable=SC2086
{
	$as_root $apt apt-get update -q || give_up "apt-get update failed"
	$as_root $apt $install -q || give_up "apt-get install failed"
}
