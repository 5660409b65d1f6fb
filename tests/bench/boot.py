"""What the boot costs: instructions and memory.

The virtual clock only jumps when every CPU halts, which none of this boot does:
TSC cycles are instructions.

One flaw has to be worked round. A CPU's reset clears what was left of its
budget of instructions (QEMU, cpu_common_reset), and QEMU then takes the whole
budget, which reaches to the next timer, for executed: up to 20 million
instructions that never were for each CPU that starts, and other numbers in
each run. One such budget goes after INIT and one after the start-up IPI. PACE
is a timer of 3 us, so that budgets are short: of 64 CPUs they sum up to less
than the 10 ms and the 200 us that the boot CPU waits there, and so they end
within these waits.
"""

import concurrent.futures
import re
from dataclasses import dataclass, field

import qemu
from row import BenchError, Row, spread_of

RUNS = 2
BOUND = 150  # seconds for one boot: a hang
PACE = ["-netdev", "hubport,id=pace,hubid=0",
        "-object", "filter-buffer,id=timer,netdev=pace,interval=3"]

# Where the source says how long the boot only waits: file and name.
CLOCK_WAIT = [("kernel/cpu/time.c", "CALIBRATE_NS")]
STARTUP_WAITS = [("kernel/smp.c", "INIT_DELAY_NS"),
                 ("kernel/smp.c", "SECOND_SIPI_NS")]
NS = {"NS_PER_MS": 1_000_000, "NS_PER_US": 1_000}

NOTE = """\
Boot: TSC cycles from boot_main to "ready" under QEMU TCG -icount shift=0, \
which are instructions of all CPUs together;
the 18 thousand of start.asm before it are not in them. The work is what is \
left without the waits: to measure the TSC, and
with more than one CPU between INIT and the start-up IPIs. One CPU repeats \
exactly; of several, TCG changes turns by host time, too.
Memory: what Basalt keeps when ready, its image included. 1009 GiB is the most \
that TCG's 40 address bits leave below
the AMD hole at 1012 GiB."""

KIB_BASE, KIB_PER_CPU = 2048, 64
KIB_TERABYTE = 4096  # more than with 4 GiB


@dataclass(frozen=True)
class Setting:
    """A machine. @args: more for QEMU."""

    cpus: int
    gib: int
    machine: str = "q35"
    args: tuple = field(default=())

    @property
    def name(self):
        """The end of its rows' names."""
        return f"{self.cpus}cpu_{self.gib}g"


FOUR_GIB = Setting(1, 4)
# q35 puts 2 GiB of RAM below 4 GiB and a 64-bit PCI window, here of the least
# 1 GiB, above the rest: 1009 - 2 + 4 + 1 = 1012. A byte more, and QEMU moves
# all of the RAM that is above 4 GiB beyond 1 TiB, out of reach.
TERABYTE = Setting(1, 1009, "q35,memory-backend=ram", (
    "-object", "memory-backend-ram,id=ram,size=1009G,reserve=off",
    "-global", "q35-pcihost.pci-hole64-size=1G"))
SETTINGS = [Setting(1, 1), Setting(2, 1), Setting(16, 1), Setting(64, 1),
            FOUR_GIB, TERABYTE]


@dataclass
class Boot:
    """What the machine said."""

    instructions: int
    kib: int


def wait_of(root, path, name):
    """Instructions in a wait: its nanoseconds, at the TSC's 1 GHz."""
    match = re.search(rf"#define {name}\s+\((\d+) \* (NS_PER_\w+)\)",
                      (root / path).read_text())
    if not match:
        raise BenchError(f"{path}: no {name}")
    return int(match.group(1)) * NS[match.group(2)]


def waits(root, setting):
    """Instructions of its boot that only wait."""
    found = CLOCK_WAIT + (STARTUP_WAITS if setting.cpus > 1 else [])
    return sum(wait_of(root, path, name) for path, name in found)


def command(setting, iso):
    """What QEMU is told beside what all machines have."""
    return ["-machine", setting.machine, "-smp", str(setting.cpus),
            "-m", f"{setting.gib}G", "-cdrom", iso, *PACE, *setting.args]


def number(pattern, said, setting):
    """The number that @pattern finds in what the machine @said."""
    match = re.search(pattern, said)
    if not match or "\nbasalt: ready " not in said:
        raise BenchError(f"no boot of {setting.name} within {BOUND} s, or"
                         f" no {pattern!r}:\n{said}")
    return int(match.group(1))


def boot(environment, setting, iso):
    """One boot; the machine is gone after it."""
    said = qemu.run(environment, command(setting, iso),
                    rb"^basalt: ready .*\n", BOUND)
    running = number(r"smp: (\d+) of \d+ CPUs running", said, setting)
    if running != setting.cpus:
        raise BenchError(f"{setting.name}: {running} CPUs running:\n{said}")
    return Boot(number(r"ready after (\d+) TSC cycles", said, setting),
                number(r"(\d+) KiB of it used by Basalt", said, setting))


def measure(environment, iso):
    """Setting -> its RUNS boots, two at a time, the longest first."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        running = {setting: [pool.submit(boot, environment, setting, iso)
                             for _ in range(RUNS)]
                   for setting in sorted(SETTINGS, key=lambda s: -s.cpus)}
        return {setting: [run.result() for run in runs]
                for setting, runs in running.items()}


def instruction_rows(setting, boots, waiting, goal):
    """All of the boot, and what of it is not @waiting."""
    counts = [one.instructions for one in boots]
    yield Row(f"boot_{setting.name}", "insn", None, counts[0],
              spread=spread_of(counts))
    yield Row(f"boot_work_{setting.name}", "insn", goal, counts[0] - waiting,
              spread=spread_of([count - waiting for count in counts]))


def memory_row(setting, boots, goal):
    sizes = [one.kib for one in boots]
    return Row(f"boot_memory_{setting.name}", "KiB", goal, sizes[0],
               spread=spread_of(sizes))


def rows(root, environment):
    """Instructions of every boot, then memory after it."""
    found = measure(environment, root / "build" / "basalt.iso")
    four_gib = found[FOUR_GIB][0]
    work = four_gib.instructions - waits(root, FOUR_GIB)
    for setting in SETTINGS:
        goal = work * 3 // 2 if setting is TERABYTE else None
        yield from instruction_rows(setting, found[setting],
                                    waits(root, setting), goal)
    for setting in SETTINGS:
        goal = KIB_BASE + KIB_PER_CPU * setting.cpus
        if setting is TERABYTE:
            goal = four_gib.kib + KIB_TERABYTE
        yield memory_row(setting, found[setting], goal)
