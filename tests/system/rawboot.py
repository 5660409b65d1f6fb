"""What a `qemu-raw` case finds in memory: the image at an address of the
case's choice, boot information and ACPI tables of its own making.

The machine is QEMU's `pc`, whose RAM below 4 GiB reaches 3 GiB when there is
enough of it. loader/loader.asm carries the bytes to their places.
"""

import struct
from dataclasses import dataclass, field

import acpi
import mbi

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30

BLOB_MAGIC = 0x424F4C42
LOWEST = 32 * MIB  # the loader and its blob live below
INFO_BASE = 48 * MIB
ACPI_BASE = 49 * MIB
ACPI_SIZE = 64 * KIB
MODULE_BASE = 56 * MIB


class Image:
    """A hypervisor image: an ELF64 file whose p_paddr are link addresses."""

    def __init__(self, path):
        data = path.read_bytes()
        if data[:5] != b"\x7fELF\x02":
            raise ValueError(f"{path}: not an ELF64 file")
        entry, offset = struct.unpack_from("<QQ", data, 24)
        size, count = struct.unpack_from("<HH", data, 54)
        self.entry = None
        self.segments = []
        for index in range(count):
            kind, _, at, virtual, physical, stored, length, _ = \
                struct.unpack_from("<IIQQQQQQ", data, offset + index * size)
            if kind != 1:  # PT_LOAD
                continue
            content = data[at:at + stored] + bytes(length - stored)
            self.segments.append((physical, content))
            if virtual <= entry < virtual + length:  # as GRUB does
                self.entry = entry - virtual + physical
        self.base = min(at for at, _ in self.segments)
        self.size = max(at + len(content)
                        for at, content in self.segments) - self.base


def pc_memory(size):
    """The regions of a `pc` with @size bytes of RAM, as SeaBIOS gives them."""
    low = 3 * GIB if size >= 0xE0000000 else size
    regions = [
        (0, 0x9FC00, mbi.RAM),
        (0x9FC00, 0x400, mbi.RESERVED),
        (0xF0000, 0x10000, mbi.RESERVED),
        (MIB, ACPI_BASE - MIB, mbi.RAM),
        (ACPI_BASE, ACPI_SIZE, mbi.ACPI_RECLAIM),
        (ACPI_BASE + ACPI_SIZE, low - ACPI_BASE - ACPI_SIZE, mbi.RAM),
        (0xFFFC0000, 0x40000, mbi.RESERVED),
    ]
    if size > low:
        regions.append((4 * GIB, size - low, mbi.RAM))
    return regions


@dataclass
class RawBoot:
    """Everything that a test may want to say differently.

    @modules: (start, data, name), or (start, length, name) for a module of
    which only the tag exists. @tags: raw tags, after the others. @root_filter
    may spoil the XSDT or RSDT; @tables are whole tables.
    """

    load: int = LOWEST
    eax: int = mbi.BOOT_MAGIC
    cmdline: str = ""
    memory: list = field(default_factory=lambda: pc_memory(256 * MIB))
    modules: list = field(default_factory=list)
    tables: list = field(
        default_factory=lambda: [acpi.madt([0]), acpi.fadt(), acpi.hpet()])
    rsdp_revision: int = 2
    root_filter: object = None
    has_rsdp: bool = True
    tags: list = field(default_factory=list)
    info_total: int = None

    def records(self, image):
        """(address, bytes) of everything."""
        shift = self.load - image.base
        out = [(at + shift, content) for at, content in image.segments]
        rsdp, tables = acpi.layout(ACPI_BASE, self.tables, self.rsdp_revision,
                                   self.root_filter)
        if len(tables) > ACPI_SIZE:
            raise ValueError("more ACPI tables than ACPI_SIZE")
        out.append((ACPI_BASE, tables))
        out.append((INFO_BASE, self.information(rsdp)))
        out += [(start, data) for start, data, _ in self.modules
                if isinstance(data, bytes)]
        return out

    def information(self, rsdp):
        """The multiboot2 block."""
        tags = [mbi.text(mbi.TAG_LOADER, "basalt test loader"),
                mbi.text(mbi.TAG_CMDLINE, self.cmdline)]
        for start, data, name in self.modules:
            length = data if isinstance(data, int) else len(data)
            tags.append(mbi.module(start, start + length, name))
        if self.memory:
            tags.append(mbi.memory_map(self.memory))
        if self.has_rsdp:
            tags.append(mbi.rsdp(rsdp))
        return mbi.information(tags + self.tags, self.info_total)

    def blob(self, image):
        """The loader's module."""
        records = sorted(self.records(image))
        entry = image.entry - image.base + self.load
        out = [struct.pack("<IIIII", BLOB_MAGIC, entry, self.eax, INFO_BASE,
                           len(records))]
        for start, content in records:
            out.append(struct.pack("<II", start, len(content)))
            out.append(content + bytes(-len(content) % 4))
        blob = b"".join(out)
        ends = [LOWEST] + [start + len(data) for start, data in records]
        if any(start < end for (start, _), end in zip(records, ends)):
            raise ValueError("overlapping records")
        if len(blob) > LOWEST - 2 * MIB:
            raise ValueError("no room for the blob")
        return blob
