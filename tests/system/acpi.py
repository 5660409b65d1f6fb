"""ACPI tables of the tests' own making, right or wrong as a case wants them.

Layouts: "ACPI Specification 6.5", sections 5.2.5 "Root System Description
Pointer" to 5.2.16 "System Resource Affinity Table".
"""

import struct

LAPIC_BASE = 0xFEE00000
IOAPIC_BASE = 0xFEC00000
HPET_BASE = 0xFED00000
PM_TIMER_PORT = 0x608  # where SeaBIOS puts it, on q35 and on pc
RSDP_OLD_SIZE = 20  # bytes that the first checksum covers

CPU_ENABLED = 1
MEMORY_ENABLED = 1


def checksum(data):
    """The byte that makes the sum of all bytes 0 modulo 256."""
    return -sum(data) & 0xFF


def table(signature, body, revision=1):
    """A table with its header (5.2.6) and a right checksum."""
    header = struct.pack("<4sIBB6s8sI4sI", signature, 36 + len(body), revision,
                         0, b"BASALT", b"TESTTABL", 1, b"TEST", 1)
    whole = bytearray(header + body)
    whole[9] = checksum(whole)
    return bytes(whole)


def broken_checksum(whole):
    """The same table with its last byte changed."""
    return whole[:-1] + bytes([whole[-1] ^ 0x5A])


def madt_cpu(apic_id, flags=CPU_ENABLED):
    """Processor Local APIC structure (5.2.12.2)."""
    return struct.pack("<BBBBI", 0, 8, apic_id, apic_id, flags)


def madt(apic_ids, extra=b"", ioapic=IOAPIC_BASE):
    """MADT with these CPUs, one I/O APIC, IRQ 0 at pin 2, then @extra."""
    body = struct.pack("<II", LAPIC_BASE, 1)
    body += b"".join(madt_cpu(apic_id) for apic_id in apic_ids)
    body += struct.pack("<BBBBII", 1, 12, 0, 0, ioapic, 0)
    body += struct.pack("<BBBBIH", 2, 10, 0, 0, 2, 0)
    return table(b"APIC", body + extra, revision=5)


def fadt():
    """FADT of revision 3 with a 24-bit PM timer and nothing else."""
    body = bytearray(244 - 36)
    struct.pack_into("<I", body, 76 - 36, PM_TIMER_PORT)
    body[91 - 36] = 4  # PM_TMR_LEN
    struct.pack_into("<BBBBQ", body, 208 - 36, 1, 32, 0, 3, PM_TIMER_PORT)
    return table(b"FACP", bytes(body), revision=3)


def hpet(base=HPET_BASE):
    """HPET table ("IA-PC HPET Specification 1.0a", section 3.2.4)."""
    body = struct.pack("<IBBBBQBHB", 0x8086A201, 0, 64, 0, 0, base, 0, 0, 0)
    return table(b"HPET", body)


def srat(cpus, memory):
    """SRAT: (apic_id, node) of CPUs, (base, size, node) of memory."""
    body = struct.pack("<IQ", 1, 0)
    for apic_id, node in cpus:
        body += struct.pack("<BBBBIB3sI", 0, 16, node, apic_id, 1, 0, b"", 0)
    for base, size, node in memory:
        body += struct.pack("<BBIHQQIIQ", 1, 40, node, 0, base, size, 0,
                            MEMORY_ENABLED, 0)
    return table(b"SRAT", body, revision=3)


def rsdp(root, revision=2):
    """RSDP that points at an XSDT, or at an RSDT if @revision is 0."""
    rsdt = root if revision == 0 else 0
    old = bytearray(struct.pack("<8sB6sBI", b"RSD PTR ", 0, b"BASALT",
                                revision, rsdt))
    old[8] = checksum(old)
    if revision == 0:
        return bytes(old)
    new = old + struct.pack("<IQB3s", 36, root, 0, b"")
    new[32] = checksum(new)
    return bytes(new)


def layout(base, tables, revision=2, root_filter=None):
    """Lay @tables out from @base: (RSDP, bytes to put at @base).

    The root table comes last; @root_filter may spoil it.
    """
    memory = b""
    addresses = []
    for one in tables:
        addresses.append(base + len(memory))
        memory += one + bytes(-len(one) % 16)
    kind, form = (b"RSDT", "<I") if revision == 0 else (b"XSDT", "<Q")
    root = table(kind, b"".join(struct.pack(form, a) for a in addresses))
    if root_filter:
        root = root_filter(root)
    return rsdp(base + len(memory), revision), memory + root
