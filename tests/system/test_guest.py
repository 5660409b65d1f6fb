"""An unmodified Debian guest: to its shell, and what it does there."""

import re

import pytest

import debian
from debian import Shell, modules, section, start

COMPLAINTS = re.compile(
    r"WARNING|BUG:|Oops|lockup|unhandled|[Ee]rror|[Ll]ost|Unable|failed")
# What a model of CPU is known for is no complaint.
VULNERABILITIES = re.compile(r"hw-vuln|RETBleed")


def long(*values):
    """Parameters for --long."""
    return pytest.param(*values, marks=pytest.mark.long)


BOTH = ["qemu-bios", long("bochs")]  # back ends
BOOTS = [
    *[(name, None, vcpus)
      for name in ("qemu-bios", "qemu-efi") for vcpus in (1, 2, 4)],
    ("bochs", None, 1),
    long("bochs", None, 2),
    long("bochs", None, 4),
    # by and by without TSC scaling, XSAVES and page modification logs
    long("bochs", "corei7_icelake_u", 2),
    long("bochs", "broadwell_ult", 1),
    long("bochs", "corei7_haswell_4770", 1),
]


def complaints(text):
    """Lines in which a kernel says that something is wrong."""
    return [line for line in text.splitlines()
            if COMPLAINTS.search(line) and not VULNERABILITIES.search(line)]


def fill_disk(shell, device):
    """A file system, with a file that is_whole_disk knows again."""
    shell.run(f"mke2fs /dev/{device} > /dev/null; mount /dev/{device} /mnt; "
              f"dd if=/dev/urandom of=/mnt/x bs=64k count=60 2> /dev/null; "
              f"cd /mnt; md5sum x > sum; cd; sync; umount /mnt")


def is_disk_whole(shell, device):
    """Is everything there? It is read from the disk: none is mounted before."""
    return "x: OK\n" in shell.run(f"mount /dev/{device} /mnt; cd /mnt; "
                                  "md5sum -c sum; cd; umount /mnt")


@pytest.mark.parametrize("name, cpu, vcpus", BOOTS)
def test_boots(boot, name, cpu, vcpus):
    """To its shell, all devices at work, and off."""
    machine = start(boot, name, section(vcpus=vcpus, disks=["ram:8M"]), cpu=cpu)
    shell = Shell(machine)
    assert f"{vcpus} CPUs, clock source kvm-clock" in machine.serial
    assert shell.run("grep -c ^processor /proc/cpuinfo").split()[-1] == str(vcpus)
    fill_disk(shell, "vda")
    assert is_disk_whole(shell, "vda")
    assert "by virtio\n" in shell.run("echo by virtio > /dev/hvc0")
    log = shell.run("dmesg")
    assert "Hypervisor detected: KVM" in log
    assert "clocksource: Switched to clocksource kvm-clock" in log
    assert "TSC deadline timer available" in log
    assert not complaints(log)
    shell.type("poweroff -f\n")
    assert debian.ended(machine) == "powered off"


def test_more_vcpus_than_cpus(boot):
    machine = start(boot, "qemu-bios", section(vcpus=8), cpus=1)
    shell = Shell(machine)
    assert not complaints(shell.run("dmesg"))
    assert shell.run("nproc").split()[-1] == "8"


@pytest.mark.long
def test_sixteen_vcpus(boot):
    """On four CPUs, all of them at work at once."""
    machine = start(boot, "qemu-bios", section(vcpus=16), cpus=4, memory=1024)
    shell = Shell(machine)
    assert shell.run("nproc").split()[-1] == "16"
    sums = shell.run("for i in $(seq 16); do (head -c 8388608 /dev/zero | md5sum "
                     "> /tmp/$i) & done; wait; cat /tmp/[0-9]* | sort | uniq -c",
                     600)
    assert re.search(r"^ *16 96995b58d4cbf6aaa9041b4f00c7f6ae ", sums, re.M), sums
    assert not complaints(shell.run("dmesg"))


# The guest's own table of pages is 4 GiB, which it writes: the host has to have
# those. test_boot.test_terabyte says how much TCG can have.
@pytest.mark.long
def test_quarter_of_a_terabyte(boot):
    """Nothing counts pages in too few bits, and memory not touched costs none."""
    size = 300
    ram = f"memory-backend-ram,id=ram,size={size}G,reserve=off"
    machine = boot("qemu-bios", cpus=2, machine="q35,memory-backend=ram",
                   memory=size * 1024, args=["-object", ram],
                   modules=modules(section(memory="256G", vcpus=2),
                                   hypervisor="log_level = 'debug'"))
    shell = Shell(machine, 600)
    total, = re.findall(r"^MemTotal: +(\d+) kB$", shell.run("cat /proc/meminfo"),
                        re.M)
    assert 248 << 20 <= int(total) <= 256 << 20
    assert not complaints(shell.run("dmesg"))
    shell.type("poweroff -f\n")
    used = machine.expect(r"vm guest: ends; (\d+) KiB of memory", 120).group(1)
    assert int(used) < 6 << 20
    assert debian.ended(machine) == "powered off"


def test_time_goes_on(boot):
    """The guest's clocks agree with each other, and sleep takes its time."""
    machine = start(boot, "qemu-bios", section(vcpus=2))
    shell = Shell(machine)
    before, after = re.findall(
        r"^(\d+)\.\d+ ", shell.run("cat /proc/uptime; sleep 3; cat /proc/uptime"),
        re.M)
    assert 3 <= int(after) - int(before) <= 30
    guest, = re.findall(r"^(\d{10})$", shell.run("date +%s"), re.M)
    rtc, = re.findall(r"^(\d{10})$",
                      shell.run("cat /sys/class/rtc/rtc0/since_epoch"), re.M)
    # Linux's own fraction of a second is not the RTC's
    assert -1 <= int(rtc) - int(guest) <= 10


@pytest.mark.parametrize("name", BOTH)
def test_disk_survives_reboot(boot, name):
    """A file system: made, written, flushed, and whole after a reboot; and a
    module is never written."""
    machine = start(boot, name,
                    section(vcpus=2, disks=["ram:64M", "disk.img"]),
                    files={"disk.img": bytes(8 << 20)})
    shell = Shell(machine)
    for device in ("vda", "vdb"):
        fill_disk(shell, device)
    shell.type("reboot -f\n")
    assert debian.ended(machine) == "reset, restarting"
    shell = Shell(machine)
    for device in ("vda", "vdb"):
        assert is_disk_whole(shell, device)


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("command, end", [
    ("poweroff -f", "powered off"),
    ("reboot -f", "reset, restarting"),
    ("echo c > /proc/sysrq-trigger", "reset after a kernel panic, restarting"),
])
def test_ends(boot, name, command, end):
    """Each end is one line that says why; and a restart works."""
    machine = start(boot, name, section(
        vcpus=2, cmdline="console=ttyS0 quiet panic=-1"))
    shell = Shell(machine)
    shell.type(f"{command}\n")
    assert debian.ended(machine) == end
    if end.endswith("restarting"):
        Shell(machine)


@pytest.mark.parametrize("name", BOTH)
def test_triple_fault_restarts(boot, name):
    """Linux's last resort to reboot is to load an empty IDT."""
    machine = start(boot, name, section(
        vcpus=1, cmdline="console=ttyS0 quiet reboot=t"))
    shell = Shell(machine)
    shell.type("reboot -f\n")
    assert debian.ended(machine) == "triple fault, restarting"
    Shell(machine)


def test_busy_guest_beside_a_sleeper(boot):
    """One CPU: a guest that spins does not stop one that sleeps."""
    machine = start(boot, "qemu-bios",
                    section("busy", cmdline="console=ttyS0 quiet spin"),
                    section("sleeper", cmdline="console=ttyS0 quiet beat"),
                    cpus=1, memory=1024)
    for beat in range(1, 6):
        machine.expect(rf"^\[sleeper\] .*beat {beat}\n", 300)
    machine.serial_port.send("\n")
    Shell(machine)


def network_pair(boot, name="qemu-bios", vcpus=2):
    """Two guests on one network, the shell of the first and of the second by
    turns: Ctrl-] gives the console's focus to the other."""
    machine = start(
        boot, name,
        section("one", vcpus=vcpus, nics=["lan"],
                cmdline="console=ttyS0 quiet address=10.0.0.1 serve"),
        section("two", memory="448M", vcpus=vcpus, nics=["lan"],
                cmdline="console=ttyS0 quiet address=10.0.0.2"), memory=1280)
    shell = Shell(machine)
    machine.serial_port.send("\x1d")
    machine.expect(r"^basalt: console: vm two\n")
    machine.serial_port.send("\n")
    return shell, Shell(machine)


@pytest.mark.parametrize("name, vcpus, size", [
    ("qemu-bios", 2, 64), long("bochs", 1, 2)])
def test_two_guests_ping_and_move_data(boot, name, vcpus, size):
    """@size MiB over TCP each way, compared by checksum."""
    _, two = network_pair(boot, name, vcpus)
    assert " 0% packet loss" in two.run("ping -c 5 10.0.0.1")
    two.run(f"dd if=/dev/urandom of=/tmp/x bs=1M count={size} 2> /dev/null")
    two.run("nc -w 60 10.0.0.1 7 < /tmp/x > /tmp/y", 600)
    sums = re.findall(r"^([0-9a-f]{32}) ", two.run("md5sum /tmp/x /tmp/y"), re.M)
    assert len(sums) == 2 and sums[0] == sums[1]


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_five_minutes_of_mixed_load(boot):
    """Disk, network and CPU at once in two guests, and no interrupt is lost: all
    the work comes to its end."""
    one, two = network_pair(boot)
    script = ("dd if=/dev/urandom of=/tmp/x bs=1M count=8 2> /dev/null; "
              "end=$(($(cut -d. -f1 /proc/uptime) + 300)); rounds=0; "
              "while [ $(cut -d. -f1 /proc/uptime) -lt $end ]; do "
              "nc -w 60 10.0.0.1 7 < /tmp/x > /tmp/y && cmp /tmp/x /tmp/y || "
              "exit 1; ping -q -c 1 -w 20 10.0.0.1 > /dev/null || exit 2; "
              "sleep 0.1; gzip -c /tmp/x > /tmp/z; rounds=$((rounds + 1)); "
              "done; echo rounds=$rounds")
    rounds, = re.findall(r"^rounds=(\d+)$", two.run(f"({script})", 1500), re.M)
    assert int(rounds) >= 5
    assert not complaints(two.run("dmesg"))
