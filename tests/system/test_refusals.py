"""What the loader, the firmware or the user got wrong ends the boot with one
line that says what; nothing runs after it."""

import re

import pytest

import acpi
import mbi
import rawboot

MIB = 1 << 20
PAGE = 4096


def check_stopped(machine, words):
    """The reason has @words; silence and halted CPUs follow."""
    reason = machine.stopped()
    assert re.search(words, reason), reason
    serial = machine.drain(1)
    assert serial.endswith(f"basalt: stopped: {reason}\n")
    assert "basalt: ready" not in serial
    if not hasattr(machine, "monitor"):
        return
    for cpu in range(machine.case.cpus):
        state = machine.monitor("info registers", cpu)
        flags = int(re.search(r"FL=([0-9a-f]+)", state).group(1), 16)
        assert "HLT=1" in state and not flags & 0x200, f"CPU {cpu}:\n{state}"


@pytest.mark.parametrize("name, cpus, cpu, words", [
    ("qemu-bios", 2, "qemu64,-svm", r"SVM.*VMX|VMX.*SVM"),
    ("qemu-efi", 2, "qemu64,-svm", r"SVM.*VMX|VMX.*SVM"),
    ("qemu-bios", 1, "max,-npt", r"(?i)nested paging"),
    ("bochs", 1, "p4_prescott_celeron_336", r"SVM.*VMX|VMX.*SVM"),
    ("qemu-bios", 1, "max,-lm", r"no 64-bit mode"),
    ("qemu-bios", 1, "max,-nx", r"no no-execute pages"),
    ("qemu-raw", 1, "max,-lm", r"no 64-bit mode"),
])
def test_cpu(boot, name, cpus, cpu, words):
    check_stopped(boot(name, cpus=cpus, cpu=cpu), words)


@pytest.mark.parametrize("name", ["qemu-bios", "bochs"])
def test_too_little_memory(boot, name):
    check_stopped(boot(name, memory=32), r"(?i)memory.*MiB")


CONFIGURATION = {
    "type": (
        '[hypervisor]\n\nconsole = 7\n', r"^basalt\.conf:3: console"),
    "range": (
        '[vm.one]\nmemory = "16M"\nkernel = "k"\nvcpus = 0\n',
        r"^basalt\.conf:4: vcpus = 0: expected a number from 1 to 255"),
    "no-such-module": (
        '[vm.one]\nmemory = "16M"\nkernel = "lost"\n',
        r"^basalt\.conf:3: kernel: lost: expected one of the boot modules: "
        r"basalt\.conf"),
    "nonsense": ('nonsense', r"^basalt\.conf:1: "),
}


@pytest.mark.parametrize("case", CONFIGURATION)
@pytest.mark.parametrize("name", ["qemu-bios", "qemu-efi-app"])
def test_configuration(boot, name, case):
    conf, words = CONFIGURATION[case]
    machine = boot(name, modules={"basalt.conf": conf.encode()})
    check_stopped(machine, words)


@pytest.mark.parametrize("name", ["qemu-efi", "bochs"])
def test_configuration_elsewhere(boot, name):
    machine = boot(name, modules={"basalt.conf": b"[vm.one]\n"})
    check_stopped(machine, r"^basalt\.conf:1: ")


@pytest.mark.parametrize("cmdline, words", [
    ("log_level=loud", r"^command line: log_level"),
    ("colour=red", r"^command line: colour"),
])
def test_command_line(boot, cmdline, words):
    check_stopped(boot("qemu-bios", cmdline=cmdline), words)


def spoil(**changes):
    """A RawBoot with @changes."""
    return rawboot.RawBoot(**changes)


FREE = rawboot.MODULE_BASE
RAM = rawboot.pc_memory(256 * MIB)

LOADER = {
    "magic": (
        spoil(eax=0x2BADB002), r"not started by a multiboot2 loader"),
    "alignment": (
        spoil(load=35 * MIB), r"did not align the image to 2 MiB"),
    "info-size-zero": (
        spoil(info_total=0), r"multiboot2: total size 0"),
    "info-size-huge": (
        spoil(info_total=0xFFFFFFF0), r"multiboot2: total size 4294967280"),
    "tag-too-long": (
        spoil(tags=[mbi.tag(99, b"", size=1 << 30)]),
        r"multiboot2: tag 99 at 0x[0-9a-f]+: size 1073741824"),
    "tag-too-short": (
        spoil(tags=[mbi.tag(99, b"", size=4)]),
        r"multiboot2: tag 99 at 0x[0-9a-f]+: size 4"),
    "no-memory-map": (
        spoil(memory=[]), r"multiboot2: no memory map"),
    "region-wraps": (
        spoil(memory=RAM + [((1 << 64) - PAGE, 2 * PAGE, mbi.RAM)]),
        r"multiboot2: memory region at 0xfffffffffffff000"),
    "no-ram": (
        spoil(memory=[(0, 256 * MIB, mbi.RESERVED)]), r"(?i)memory"),
    "modules-overlap": (
        spoil(modules=[(FREE, 2 * PAGE, "one"), (FREE + PAGE, PAGE, "two")]),
        r"multiboot2: modules one \(.*\) and two \(.*\) overlap"),
    "modules-of-one-name": (
        spoil(modules=[(FREE, PAGE, "one"), (FREE + PAGE, PAGE, "one")]),
        r"multiboot2: two modules one"),
    "module-outside-ram": (
        spoil(modules=[(300 * MIB, PAGE, "far")]),
        r"multiboot2: module far: .* expected them in RAM"),
    "module-across-the-end": (
        spoil(modules=[(256 * MIB - PAGE, 2 * PAGE, "long")]),
        r"multiboot2: module long: .* expected them in RAM"),
    "module-over-image": (
        spoil(modules=[(32 * MIB, PAGE, "thief")]), r"module thief"),
}

ENTRY_WITHOUT_LENGTH = b"\x7f\x00" + bytes(6)

FIRMWARE = {
    "no-rsdp": (
        spoil(has_rsdp=False), r"RSDP"),
    "xsdt-checksum": (
        spoil(root_filter=acpi.broken_checksum),
        r"ACPI XSDT at 0x[0-9a-f]+: .*checksum"),
    "rsdt-checksum": (
        spoil(rsdp_revision=0, root_filter=acpi.broken_checksum),
        r"ACPI RSDT at 0x[0-9a-f]+: .*checksum"),
    "no-madt": (
        spoil(tables=[acpi.fadt()]), r"ACPI MADT: missing"),
    "madt-checksum": (
        spoil(tables=[acpi.broken_checksum(acpi.madt([0]))]),
        r"ACPI MADT at 0x[0-9a-f]+: .*checksum"),
    "madt-entry-of-no-length": (
        spoil(tables=[acpi.madt([0], ENTRY_WITHOUT_LENGTH)]),
        r"ACPI MADT at 0x[0-9a-f]+: entry at 74: length 0"),
    "madt-without-cpu": (
        spoil(tables=[acpi.madt([])]),
        r"ACPI MADT at 0x[0-9a-f]+: no usable CPU"),
    "srat-overlap": (
        spoil(tables=[acpi.madt([0]), acpi.srat(
            [(0, 0)], [(0, 128 * MIB, 0), (64 * MIB, 192 * MIB, 1)])]),
        r"ACPI SRAT at 0x[0-9a-f]+: memory at 0x4000000 is in domains 0 and"
        r" 1"),
}


@pytest.mark.parametrize("case", LOADER)
def test_loader(boot, case):
    picture, words = LOADER[case]
    check_stopped(boot("qemu-raw", raw=picture), words)


@pytest.mark.parametrize("case", FIRMWARE)
def test_firmware(boot, case):
    picture, words = FIRMWARE[case]
    check_stopped(boot("qemu-raw", raw=picture), words)
