"""Firmware and loader that lie about devices: a warning, and the boot goes on."""

import pytest

import acpi
import mbi
import rawboot

MIB = 1 << 20
BEYOND = 1 << 50  # TCG's CPUs have 40 address bits
RAM = 64 * MIB


@pytest.mark.parametrize("base, pitch, width, height", [
    (BEYOND, 4096, 1024, 768),
    (RAM, 4096, 1024, 768),
    (rawboot.LOWEST, 4096, 1024, 768),  # the image itself
    (0xFD000000, 0x40000, 1024, 0xFFFFFFFF),
], ids=["beyond", "ram", "image", "endless"])
def test_framebuffer(boot, base, pitch, width, height):
    tag = mbi.framebuffer(base, pitch, width, height)
    machine = boot("qemu-raw", raw=rawboot.RawBoot(tags=[tag]))
    machine.ready()
    assert f"warning: console: no framebuffer can be at {base:#x}" \
        in machine.serial


@pytest.mark.parametrize("base", [BEYOND, RAM], ids=["beyond", "ram"])
def test_hpet(boot, base):
    """The clock is then measured with the PM timer."""
    tables = [acpi.madt([0]), acpi.fadt(), acpi.hpet(base)]
    machine = boot("qemu-raw", raw=rawboot.RawBoot(tables=tables))
    machine.ready()
    assert f"warning: HPET at {base:#x}: no device" in machine.serial
    assert "kHz by PM timer" in machine.serial


def test_ioapic_in_ram(boot):
    tables = [acpi.madt([0], ioapic=RAM), acpi.fadt(), acpi.hpet()]
    machine = boot("qemu-raw", raw=rawboot.RawBoot(tables=tables))
    machine.ready()
    assert f"warning: I/O APIC at {RAM:#x}: no device" in machine.serial


def test_no_clock(boot):
    """Nothing ticks that the TSC could be measured with."""
    machine = boot("qemu-raw", machine="pc,pit=off",
                   raw=rawboot.RawBoot(tables=[acpi.madt([0])]))
    assert machine.stopped() == "no HPET, PM timer or PIT ticks: " \
        "nothing to measure the TSC with"


def test_pit_alone(boot):
    machine = boot("qemu-raw", raw=rawboot.RawBoot(tables=[acpi.madt([0])]))
    machine.ready()
    assert "kHz by PIT" in machine.serial


@pytest.mark.parametrize("size", [0, 5000])
def test_module_at_the_image(boot, size):
    """Empty is harmless anywhere; a byte shared is not."""
    module = (rawboot.LOWEST + 8192, size, "disk")
    machine = boot("qemu-raw", raw=rawboot.RawBoot(modules=[module]))
    if size == 0:
        machine.ready()
    else:
        assert machine.stopped().startswith("module disk at 0x2002000 overlaps")
