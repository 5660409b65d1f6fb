"""Walks a CPU's page tables from outside and checks what they allow.

SDM 3A, sections 4.5 "4-Level Paging and 5-Level Paging" and 4.6 "Access
Rights". (QEMU's own `info tlb` shows the last level's bits only.)
"""

import re
import struct
from dataclasses import dataclass

PRESENT = 1 << 0
WRITE = 1 << 1
USER = 1 << 2
LARGE = 1 << 7
NX = 1 << 63
ADDRESS = 0x000FFFFFFFFFF000

CR0_WP = 1 << 16
EFER_NXE = 1 << 11


@dataclass(frozen=True)
class Mapping:
    """One leaf, with the rights that all levels together give."""

    virtual: int
    physical: int
    size: int
    is_writable: bool
    is_user: bool
    is_executable: bool


def registers(dump):
    """Name: value of the registers in `info registers`."""
    pairs = re.findall(r"\b([A-Z0-9]+)=\s*([0-9a-f]+)\b", dump)
    return {name: int(value, 16) for name, value in pairs}


def walk(read_page, root):
    """Every Mapping below @root; read_page(address) gives 4 KiB."""
    yield from _walk(read_page, root & ADDRESS, 3, 0, (True, True, True))


def _walk(read_page, table, level, base, rights):
    size = 1 << (12 + 9 * level)
    for index, entry in enumerate(struct.unpack("<512Q", read_page(table))):
        if not entry & PRESENT:
            continue
        virtual = base + index * size
        if level == 3 and index >= 256:
            virtual |= 0xFFFF << 48
        given = (rights[0] and bool(entry & WRITE),
                 rights[1] and bool(entry & USER),
                 rights[2] and not entry & NX)
        if level == 0 or (level < 3 and entry & LARGE):
            physical = entry & ADDRESS & ~(size - 1)
            yield Mapping(virtual, physical, size, *given)
        else:
            yield from _walk(read_page, entry & ADDRESS, level - 1, virtual,
                             given)


def faults(mappings):
    """What is wrong with @mappings, one line each."""
    found = [f"{m.virtual:#x}: user-accessible" for m in mappings if m.is_user]
    found += [f"{m.virtual:#x}: writable and executable" for m in mappings
              if m.is_writable and m.is_executable]
    writable = [m for m in mappings if m.is_writable]
    for code in (m for m in mappings if m.is_executable):
        found += [f"{code.physical:#x}: executable at {code.virtual:#x},"
                  f" writable at {other.virtual:#x}" for other in writable
                  if other.physical < code.physical + code.size
                  and code.physical < other.physical + other.size]
    return found
