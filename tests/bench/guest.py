"""What guests cost: instructions of exits, memory and life of a VM."""

import subprocess

import qemu
from row import BenchError, Row

# `figure` lines of tests/bench/guest: what they are called, and the goal.
EXITS = [
    ("cpuid", "CPUID, leaf 0", 350),
    ("hypercall", "hypercall, no-op", 350),
    ("rdmsr", "RDMSR emulated", 350),
    ("free-in", "IN, port nobody claims", 350),
    ("free-out", "OUT, port nobody claims", 350),
    ("device-in", "IN, 8259 ELCR", 450),
    ("timer-in", "IN, PM timer", 450),
    ("pci-read", "PCI configuration read, 2 exits", 900),
    ("xapic-read", "xAPIC memory read", 1000),
    ("clock", "WRMSR of kvm-clock", 700),
    ("ipi-running", "x2APIC self-IPI and EOI", 1500),
    ("ipi-halted", "the same, waking from HLT", 3000),
    ("deadline", "TSC deadline armed", None),
    ("page-small", "first write to 4 KiB", 1500),
    ("page-small-mean", "the same, mean", None),
    ("page-large", "first write to 2 MiB, per 4 KiB", 600),
]
LOOP_GOAL = 200  # ppm: 0.02 %
LIFE_GOAL = 1300  # ms, from launch to gone
COST_GOAL = 128  # KiB, without tables of guest memory

BOUND = 300  # seconds for one machine: a hang
END = rb"^\[.*\] vm guest: gone.*\n"
MACHINE_MIB, DEBIAN_MIB = 1024, 256
EXITS_KIB = 64 * 1024 + 1536  # the last 2 MiB are not all there: small pages
CMDLINE = "console=ttyS0 quiet rdinit=/bench"
MS_PER_S = 1000
TICKS_PER_MS = 1_000_000

NOTE = """\
Exits: instructions of hypervisor and guest together, the least of 2000 times, \
a world switch counting as one; less what measuring
itself costs. The loop is 20 million rounds of xorshift, compared with the same \
program in QEMU without a hypervisor.
Life: virtual time of a Debian guest (cloud kernel, 256 MiB, quiet) at 1 ns an \
instruction; its first process powers off.
Without a hypervisor it counts from the kernel's entry.
Memory: what the machine has in use at its end more than before its launch, \
less the VM's memory and the tables that map it."""


def make_iso(root, name, config, files):
    """Basalt, @config and the @files it names; what the loader starts."""
    folder = root / "build" / "bench" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "basalt.conf").write_text(
        "[hypervisor]\nlog_level = 'debug'\n[vm.guest]\n" + config)
    files = [folder / "basalt.conf", *files]
    modules = "".join(f"module2 /boot/{file.name} {file.name}\n"
                      for file in files)
    (folder / "grub.cfg").write_text(
        "set timeout=0\nmenuentry basalt {\nmultiboot2 /boot/basalt.elf\n"
        f"{modules}}}\n")
    iso = folder / "bench.iso"
    done = subprocess.run(
        [root / "scripts" / "make-iso", iso, folder / "grub.cfg",
         root / "build" / "basalt.elf", *files],
        capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchError(f"make-iso: {done.stderr}")
    return iso


def run_guest(iso):
    """What a machine with one guest says up to the guest's end."""
    return qemu.run(["-machine", "q35", "-m", str(MACHINE_MIB),
                     "-cdrom", iso], END, BOUND)


def figure(name, said):
    return int(qemu.find(rf"^figure {name} (\d+)$", said))


def run_bare(root):
    """What the bench guest says without a hypervisor."""
    return qemu.run(["-machine", "q35", "-m", "128",
                     "-kernel", root / "build" / "bench" / "guest.elf",
                     "-append", "bare",
                     "-device", "isa-debug-exit,iobase=0xf4,iosize=4"],
                    rb"^figure loop .*\n", BOUND)


def bare_debian(root, initrd):
    """Ticks from a kernel's entry to the first process without a hypervisor:
    firmware and loader take as long for the bench guest."""
    said = qemu.run(["-machine", "q35", "-m", str(DEBIAN_MIB),
                     "-kernel", root / "build" / "guest" / "vmlinuz",
                     "-initrd", initrd, "-append", CMDLINE],
                    rb"^figure init .*\n", BOUND)
    return figure("init", said) - figure("entry", run_bare(root))


def exit_rows(root):
    """Figures of the bench guest."""
    image = root / "build" / "bench" / "guest.elf"
    said = run_guest(make_iso(
        root, "exits",
        f"kernel = 'guest.elf'\nmemory = '{EXITS_KIB}K'\ntestdev = true\n",
        [image]))
    for name, title, goal in EXITS:
        yield Row(title, "instructions", goal, figure(name, said))
    bare = figure("loop", run_bare(root))
    yield Row("CPU loop, more than bare", "ppm", LOOP_GOAL,
              (figure("loop", said) - bare) * 1_000_000 // bare)


def cpio(name, data):
    """An archive of one program, to be put behind another one: Linux
    Documentation/driver-api/early-userspace/buffer-format.rst."""
    def entry(name, mode, data):
        head = "070701" + "".join(
            f"{field:08x}" for field in
            (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0))
        return pad(head.encode() + name.encode() + b"\0") + pad(data)

    def pad(data):
        return data + bytes(-len(data) % 4)

    return entry(name, 0o100755, data) + entry("TRAILER!!!", 0, b"")


def stamp(event, said):
    """Milliseconds at which the log says that of the guest."""
    seconds = qemu.find(rf"^\[ *([\d.]+)\] vm guest: {event}", said)
    return float(seconds) * MS_PER_S


def memory_rows(said):
    """In KiB, of a machine whose only VM ends."""
    before = int(qemu.find(r"launched; machine: (\d+) KiB", said))
    own = int(qemu.find(r"ends; (\d+) KiB of memory", said))
    tables = int(qemu.find(r"and (\d+) KiB of its tables", said))
    at_end = int(qemu.find(r"tables; machine: (\d+) KiB", said))
    yield Row("  memory beside its own", "KiB", COST_GOAL,
              at_end - before - own - tables)


def life_rows(root):
    """Of a Debian guest: virtual time to its end, and memory."""
    bench = root / "build" / "bench"
    debian = root / "build" / "guest"
    initrd = bench / "initrd.img"
    data = (debian / "initrd.img").read_bytes()
    initrd.write_bytes(data + bytes(-len(data) % 4) +
                       cpio("bench", (bench / "init").read_bytes()))
    said = run_guest(make_iso(
        root, "life",
        "kernel = 'vmlinuz'\ninitrd = 'initrd.img'\n"
        f"cmdline = '{CMDLINE}'\n"
        f"memory = '{DEBIAN_MIB}M'\n", [debian / "vmlinuz", initrd]))
    launch = stamp("launched", said)
    yield Row("Debian: launch to 1st instruction", "ms", None,
              round(stamp("starts", said) - launch))
    yield Row("  to its first process", "ms", None,
              figure("init", said) // TICKS_PER_MS)
    yield Row("  without a hypervisor", "ms", None,
              bare_debian(root, initrd) // TICKS_PER_MS)
    yield Row("  to powered off and gone", "ms", LIFE_GOAL,
              round(stamp("gone", said) - launch))
    yield from memory_rows(said)
