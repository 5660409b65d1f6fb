"""Multiboot2 boot information blocks, tag by tag, hostile ones too.

"Multiboot2 Specification version 2.0", section 3.6 "Boot information format".
"""

import struct

BOOT_MAGIC = 0x36D76289

TAG_END = 0
TAG_CMDLINE = 1
TAG_LOADER = 2
TAG_MODULE = 3
TAG_MEMORY_MAP = 6
TAG_FRAMEBUFFER = 8
TAG_RSDP_OLD = 14
TAG_RSDP_NEW = 15

RAM = 1
RESERVED = 2
ACPI_RECLAIM = 3
ACPI_NVS = 4
BAD = 5


def tag(kind, payload, size=None):
    """One tag, padded to 8 bytes; @size lies about its length."""
    real = 8 + len(payload)
    head = struct.pack("<II", kind, real if size is None else size)
    return head + payload + bytes(-real % 8)


def text(kind, value):
    """Command line, loader name."""
    return tag(kind, value.encode() + b"\0")


def module(start, end, name):
    """A file in [start, end)."""
    return tag(TAG_MODULE,
               struct.pack("<II", start, end) + name.encode() + b"\0")


def memory_map(regions):
    """(base, size, type) of each region."""
    entries = b"".join(struct.pack("<QQII", *region, 0) for region in regions)
    return tag(TAG_MEMORY_MAP, struct.pack("<II", 24, 0) + entries)


def framebuffer(base, pitch, width, height):
    """A linear framebuffer: 32 bits a pixel, blue in the lowest byte."""
    return tag(TAG_FRAMEBUFFER, struct.pack(
        "<QIIIBBHBBBBBB", base, pitch, width, height, 32, 1, 0,
        16, 8, 8, 8, 0, 8))


def rsdp(data):
    """A copy of the RSDP: the old tag for the 20 bytes of ACPI 1.0."""
    return tag(TAG_RSDP_OLD if len(data) == 20 else TAG_RSDP_NEW, data)


def information(tags, total=None):
    """The whole block; @total lies about its size."""
    body = b"".join(tags) + tag(TAG_END, b"")
    size = 8 + len(body)
    return struct.pack("<II", size if total is None else total, 0) + body
