"""The hypervisor comes up: environments, CPUs, memory, nodes, log."""

import re

import pytest

import acpi
import mbi
import rawboot
from emulators import ENVIRONMENTS
from machine import READY

MIB = 1 << 20
GIB = 1 << 30
EVERYWHERE = [name for name in ENVIRONMENTS if name != "qemu-x2apic"]
LINE = re.compile(r"^\[ *(\d+\.\d{6})\] (.*)$", re.M)


def check_ready(machine, fields, cpus=1, memory=256):
    """All fields, and the log lines that lead to them."""
    assert fields.pop("version") == "0.1.0"
    assert fields.pop("backend") == machine.backend
    assert int(fields.pop("cpus")) == cpus
    # Firmware keeps some for itself.
    given = fields.pop("memory")
    assert given.endswith("M")
    assert memory - max(16, memory // 64) <= int(given[:-1]) <= memory
    assert not fields
    lines = [text for _, text in LINE.findall(machine.serial)]
    for start in ("cpu: ", f"{machine.backend}: ", "memory: ", "smp: "):
        assert any(line.startswith(start) for line in lines), start
    assert not [line for line in lines if line.startswith("error: ")]
    assert len(READY.findall(machine.serial)) == 1


@pytest.mark.parametrize("name", EVERYWHERE)
def test_ready(boot, name):
    machine = boot(name)
    check_ready(machine, machine.ready())


@pytest.mark.parametrize("name", ["qemu-bios", "qemu-efi", "qemu-efi-app"])
def test_ready_on_pc(boot, name):
    machine = boot(name, machine="pc")
    check_ready(machine, machine.ready())


@pytest.mark.parametrize("name", EVERYWHERE)
def test_debug_image(boot, name):
    machine = boot(name, variant="debug")
    check_ready(machine, machine.ready())


@pytest.mark.parametrize("cpu", ["EPYC,+svm,+npt", "max,-smep,-smap"])
def test_svm_models(boot, cpu):
    machine = boot("qemu-bios", cpu=cpu)
    check_ready(machine, machine.ready())


@pytest.mark.parametrize("cpu", ["broadwell_ult", "corei7_icelake_u"])
def test_vmx_models(boot, cpu):
    machine = boot("bochs", cpu=cpu)
    check_ready(machine, machine.ready())


def test_svm_on_bochs(boot):
    machine = boot("bochs", cpu="ryzen")
    machine.backend = "svm"
    check_ready(machine, machine.ready())


@pytest.mark.parametrize("name, cpus", [
    ("qemu-bios", 2), ("qemu-bios", 4), ("qemu-bios", 16),
    ("qemu-efi", 2), ("qemu-efi", 4), ("qemu-efi", 16),
    ("qemu-efi-app", 4),
    ("bochs", 2), ("bochs", 8),
    pytest.param("qemu-bios", 255, marks=pytest.mark.long),
])
def test_cpus(boot, name, cpus):
    memory = 1024 if cpus > 16 else 256
    machine = boot(name, cpus=cpus, memory=memory)
    check_ready(machine, machine.ready(timeout=600), cpus, memory)
    assert f"smp: {cpus} of {cpus} CPUs running" in machine.serial


@pytest.mark.long
@pytest.mark.parametrize("cpus", [2, 300])
def test_x2apic_under_svm(boot, cpus):
    """APIC ids beyond 255 need interrupt remapping to be offered at all."""
    remapping = ["-device", "intel-iommu,intremap=on,eim=on"]
    machine = boot("qemu-x2apic", cpus=cpus, memory=2048, args=remapping,
                   cpu="EPYC,+svm,+npt,+x2apic")
    check_ready(machine, machine.ready(), cpus, 2048)
    assert f"smp: {cpus} of {cpus} CPUs running, x2APIC" in machine.serial


@pytest.mark.parametrize("name, machine, memory", [
    ("qemu-bios", "q35", 128),
    ("qemu-efi", "q35", 128),
    ("bochs", None, 128),
    ("qemu-bios", "q35", 4096),  # half of it above 4 GiB
    ("qemu-bios", "pc", 4096),
    ("qemu-efi", "q35", 4096),
])
def test_memory(boot, name, machine, memory):
    machine = boot(name, machine=machine, memory=memory)
    check_ready(machine, machine.ready(), memory=memory)


# TCG has 40 physical address bits. QEMU keeps AMD CPUs' RAM and the 64-bit
# PCI window below the HyperTransport hole at 1012 GiB: with q35's window of
# 32 GiB made small, both machines hold 1000 GiB, and not 1010.
@pytest.mark.parametrize("machine, args", [
    ("q35", ["-global", "q35-pcihost.pci-hole64-size=1G"]),
    ("pc", []),
])
def test_terabyte(boot, machine, args):
    size = 1000
    ram = f"memory-backend-ram,id=ram,size={size}G,reserve=off"
    machine = boot("qemu-bios", machine=f"{machine},memory-backend=ram",
                   memory=size * 1024, args=["-object", ram] + args)
    check_ready(machine, machine.ready(), memory=size * 1024)


@pytest.mark.parametrize("name, nodes", [
    ("qemu-bios", 2), ("qemu-bios", 4), ("qemu-efi", 2)])
def test_nodes(boot, name, nodes):
    args = []
    for node in range(nodes):
        args += ["-object", f"memory-backend-ram,id=m{node},size=256M",
                 "-numa", f"node,nodeid={node},memdev=m{node},cpus={node}"]
    machine = boot(name, cpus=nodes, memory=256 * nodes, args=args)
    check_ready(machine, machine.ready(), nodes, 256 * nodes)
    assert re.search(rf"\] memory: \d+ MiB in {nodes} nodes", machine.serial)


def test_one_node(boot):
    machine = boot("qemu-bios")
    machine.ready()
    assert re.search(r"\] memory: \d+ MiB in 1 node", machine.serial)


def test_log_lines(boot):
    """A clean boot prints whole lines with the time, which never goes back."""
    machine = boot("qemu-bios")
    machine.ready()
    lines = machine.drain(1).splitlines()
    plain = [line for line in lines if line and not LINE.match(line)]
    assert [line.split()[:2] for line in plain] == [["basalt:", "ready"]]
    times = [float(time) for time, _ in LINE.findall(machine.serial)]
    assert times == sorted(times)


def test_idle_after_ready(boot):
    """With nothing to do every CPU halts."""
    machine = boot("qemu-bios", cpus=4)
    machine.ready()
    machine.drain(1)
    halted = [f"cpu {cpu}" for cpu in range(4)
              if "HLT=1" not in machine.monitor("info registers", cpu)]
    assert not halted


@pytest.mark.parametrize("name", ["qemu-bios", "qemu-efi-app"])
def test_command_line(boot, name):
    """log_level=error silences what comes after the command line is read."""
    machine = boot(name, cmdline="log_level=error")
    machine.ready()
    assert "] boot: started by" in machine.serial
    assert "] smp: " not in machine.serial


@pytest.mark.parametrize("name", ["qemu-bios", "qemu-efi-app", "bochs"])
def test_configuration(boot, name):
    """The same from basalt.conf, with a module that only exists."""
    conf = b'[hypervisor]\nlog_level = "error"\n\n' \
        b'[vm.one]\nkernel = "image"\nmemory = "16M"\nautostart = false\n'
    machine = boot(name, modules={"basalt.conf": conf, "image": b"x" * 5000})
    machine.ready()
    assert "] smp: " not in machine.serial


@pytest.mark.parametrize("load, memory", [
    (34 * MIB, 256 * MIB),
    (512 * MIB, 1 * GIB),
    (3 * GIB - 16 * MIB, 4 * GIB),  # the last of the RAM below 4 GiB
])
@pytest.mark.parametrize("variant", ["release", "debug"])
def test_load_address(boot, load, memory, variant):
    picture = rawboot.RawBoot(load=load, memory=rawboot.pc_memory(memory))
    machine = boot("qemu-raw", memory=memory // MIB, raw=picture,
                   variant=variant)
    check_ready(machine, machine.ready(), memory=memory // MIB)


def test_dead_cpu(boot):
    """Listed and silent: reported, left out."""
    picture = rawboot.RawBoot(tables=[acpi.madt([0, 1, 7]), acpi.fadt()])
    machine = boot("qemu-raw", cpus=2, raw=picture)
    check_ready(machine, machine.ready(), cpus=2)
    assert "smp: CPU with APIC id 7 did not answer" in machine.serial
    assert "smp: 2 of 3 CPUs running" in machine.serial


def test_disabled_cpu(boot):
    """Not enabled in the MADT: not there."""
    off = acpi.madt_cpu(1, flags=0)
    picture = rawboot.RawBoot(tables=[acpi.madt([0], off), acpi.fadt()])
    machine = boot("qemu-raw", cpus=2, raw=picture)
    check_ready(machine, machine.ready(), cpus=1)
    assert "smp: 1 of 1 CPUs running" in machine.serial


@pytest.mark.parametrize("base", [1 << 41, 1 << 52])
def test_memory_beyond_the_cpu(boot, base):
    """TCG has 40 address bits: what the map says is above is left out."""
    memory = rawboot.pc_memory(256 * MIB) + [(base, GIB, mbi.RAM)]
    machine = boot("qemu-raw", raw=rawboot.RawBoot(memory=memory))
    check_ready(machine, machine.ready())
    assert "memory: 1048576 KiB cannot be used: beyond 40" in machine.serial


def test_old_acpi(boot):
    """ACPI 1.0: RSDP of 20 bytes, RSDT."""
    machine = boot("qemu-raw", raw=rawboot.RawBoot(rsdp_revision=0))
    check_ready(machine, machine.ready())
