"""The harness itself: what it must notice, and that it leaves nothing."""

import os
import struct

import pytest

import acpi
import emulators
import machine
import pagetable
import rawboot
import screen
from machine import MachineError

MIB = 1 << 20


def page(entries):
    """A page table."""
    table = [0] * 512
    for index, entry in entries.items():
        table[index] = entry
    return struct.pack("<512Q", *table)


def tables(leaf, low=pagetable.PRESENT | pagetable.WRITE):
    """Tables with one 4 KiB leaf and one read-only page of code."""
    link = pagetable.PRESENT | pagetable.WRITE
    code = 0x9000 | pagetable.PRESENT
    return {0x1000: page({511: 0x2000 | link}), 0x2000: page({510: 0x3000 | low}),
            0x3000: page({0: 0x4000 | link}), 0x4000: page({0: code, 1: leaf})}


def faults_of(*args):
    """What the walk from 0x1000 finds."""
    return pagetable.faults(list(pagetable.walk(tables(*args).get, 0x1000)))


def test_page_tables():
    present, write, user, nx = (pagetable.PRESENT, pagetable.WRITE,
                                pagetable.USER, pagetable.NX)
    assert not faults_of(0x8000 | present | write | nx)
    assert not faults_of(0x8000 | present | user)
    assert len(faults_of(0x8000 | present | write)) == 2  # also at one
    assert len(faults_of(0x9000 | present | write | nx)) == 1
    # An upper level's missing right is nobody's.
    assert not faults_of(0x9000 | present | write, present)


def test_page_sizes():
    large = 0xC0000000 | pagetable.PRESENT | pagetable.LARGE
    found = list(pagetable.walk(
        {0x1000: page({256: 0x2001}), 0x2000: page({3: large})}.get, 0x1000))
    assert [(m.virtual, m.physical, m.size) for m in found] == [
        (0xFFFF8000C0000000, 0xC0000000, 1 << 30)]


def test_screen():
    font = {char: glyph for glyph, char in screen.load_font().items()}
    lines = ["basalt: ready", "", "[    0.012345] x"]
    width, height = 160, 64
    pixels = bytearray(width * height * 3)
    for row, line in enumerate(lines):
        for column, char in enumerate(line):
            for y, bits in enumerate(font[char]):
                for x in range(8):
                    if bits >> (7 - x) & 1:
                        at = ((row * 16 + y) * width + column * 8 + x) * 3
                        pixels[at:at + 3] = b"\xaa\xaa\xaa"
    ppm = f"P6\n{width} {height}\n255\n".encode() + pixels
    assert screen.read_text(ppm) == lines + [""]


def test_acpi_checksums():
    for table in (acpi.madt([0, 1]), acpi.fadt(), acpi.hpet(),
                  acpi.srat([(0, 0)], [(0, MIB, 0)])):
        assert sum(table) & 0xFF == 0
        assert struct.unpack_from("<I", table, 4)[0] == len(table)
        assert sum(acpi.broken_checksum(table)) & 0xFF
    assert sum(acpi.rsdp(0x1000)[:20]) & 0xFF == 0
    assert sum(acpi.rsdp(0x1000)) & 0xFF == 0


def test_records_apart():
    image = rawboot.Image(machine.BUILD / "basalt.elf")
    rawboot.RawBoot().blob(image)
    over = [(rawboot.INFO_BASE, b"over", "over")]
    with pytest.raises(ValueError):
        rawboot.RawBoot(modules=over).blob(image)


def test_escapes():
    reader, writer = os.pipe()
    port = machine.Serial(reader)
    for part in (b"\x1b[2", b"J\x1b[01;01Hone\r", b"\ntwo\x1b"):
        os.write(writer, part)
        port.read_nonblocking(4096, 1)
    os.close(writer)
    os.close(reader)
    assert port.text == "one\ntwo"


def test_failures(boot):
    """A stop, a hang and the emulator's end are told apart."""
    stopped = boot("qemu-raw", raw=rawboot.RawBoot(eax=0))
    with pytest.raises(MachineError, match="did not come"):
        stopped.ready()
    with pytest.raises(MachineError, match="within 1 s"):
        stopped.expect("never", timeout=1)
    stopped.monitor("quit")
    with pytest.raises(MachineError, match="ended while"):
        stopped.expect("never")


def test_stop():
    """Nothing is left, also of a machine that could not start."""
    machine = emulators.make("qemu-raw").start()
    assert machine.left_behind()
    machine.stop()
    assert not machine.left_behind()
    broken = emulators.make("qemu-raw", variant="none", args=["-nonsense"])
    broken.start()
    with pytest.raises(MachineError, match="nonsense"):
        broken.ready()
    broken.stop()
    assert not broken.left_behind()
