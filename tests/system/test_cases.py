"""The cases of tests/guest, each a VM of its own: many VMs on one machine."""

import re
from dataclasses import dataclass

import pytest

import emulators
from machine import BUILD, ROOT, MachineError

ROW = re.compile(r"^CASE\((\w+), (\d+), (\d+), (\w+)\)(?: /\* (.*) \*/)?$", re.M)
BATCH = 24  # VMs of one machine
LIMIT = 60  # seconds in which no VM ends: what is left hangs


@dataclass(frozen=True)
class Place:
    """A machine for cases. @left_out: where those stand that it does wrong."""

    environment: str
    left_out: str
    cpu: str = None
    is_long: bool = False

    def __str__(self):
        return self.cpu or self.environment

    def cases(self):
        """All that hold here."""
        return [row for row in rows() if row.where != self.left_out]


@dataclass(frozen=True)
class Row:
    """One row of cases.def."""

    name: str
    vcpus: int
    memory: int  # MiB
    where: str

    def section(self):
        """Of basalt.conf."""
        return (f"[vm.{self.name}]\nkernel = 'guest.elf'\n"
                f"cmdline = 'case={self.name}'\nmemory = '{self.memory}M'\n"
                f"vcpus = {self.vcpus}\ntestdev = true\n")


def rows():
    """All of cases.def."""
    text = (ROOT / "tests/guest/cases.def").read_text()
    found = ROW.findall(text)
    assert len(found) == len(re.findall("^CASE", text, re.M)) > 0
    # what one emulator does wrong is said there
    assert not [row for row in found if row[3].startswith("NOT") and not row[4]]
    return [Row(name, int(vcpus), int(memory), where)
            for name, vcpus, memory, where, _ in found]


PLACES = (
    Place("qemu-bios", "NOT_TCG"),
    Place("bochs", "NOT_BOCHS"),
    Place("bochs", "NOT_BOCHS", "corei7_icelake_u", True),
    # neither TSC scaling nor XSAVES
    Place("bochs", "NOT_BOCHS", "broadwell_ult", True),
)
CASES = {place: place.cases() for place in PLACES}
# It holds the console, so that the lines of all others are marked.
SILENCE = Row("silence", 1, 8, "HERE")


class Batch:
    """One machine with the VMs of @some cases, run to their ends."""

    def __init__(self, place, some):
        config = "".join(row.section() for row in [SILENCE, *some])
        self.ends = {}  # name: how the hypervisor says that it ended
        self.machine = emulators.make(
            place.environment, cpu=place.cpu, cpus=2, memory=768, modules={
                "basalt.conf": config.encode(),
                "guest.elf": (BUILD / "tests/guest.elf").read_bytes()})
        self.error = None
        self.machine.start()
        try:
            self.collect({row.name for row in some})
        except MachineError as error:
            self.error = error
        finally:
            self.machine.stop()

    def collect(self, missing):
        """Until every VM of @missing has ended, or nothing more comes."""
        while missing:
            # no other: VMs that restart go on ending
            names = "|".join(sorted(missing))
            match = self.machine.expect(rf"^basalt: vm ({names}): (.*)\n",
                                        LIMIT)
            name, end = match.groups()
            self.ends[name] = end
            missing.discard(name)

    def output(self, name):
        """All lines about VM @name."""
        wanted = re.compile(rf"^(\[{name}\] .*|basalt: vm {name}: .*)$", re.M)
        return "\n".join(wanted.findall(self.machine.serial))


@pytest.fixture(scope="module")
def batch_of():
    """The batch in which a case runs; each runs once."""
    made = {}

    def find(place, name):
        cases = CASES[place]
        number = [row.name for row in cases].index(name) // BATCH
        key = place, number
        if key not in made:
            made[key] = Batch(place, cases[number * BATCH:(number + 1) * BATCH])
        return made[key]

    return find


def check(batch, row):
    """Did it end as it should?"""
    output = batch.output(row.name)
    end = batch.ends.get(row.name)
    if end is None:
        raise MachineError(f"{row.name} did not end: {output}\n{batch.error}")
    if row.where == "RESTARTS":
        assert end == "triple fault, restarting", output
        return
    assert end == "test exit with status 1", output
    assert f"[{row.name}] case {row.name}: ok\n" in batch.machine.serial


def parameters():
    """A group a batch, so that one worker runs it."""
    def marks(place, number):
        group = pytest.mark.xdist_group(f"{place}-{number // BATCH}")
        return [group, pytest.mark.long] if place.is_long else [group]

    return [pytest.param(place, row, id=f"{place}-{row.name}",
                         marks=marks(place, number))
            for place, cases in CASES.items()
            for number, row in enumerate(cases)]


@pytest.mark.parametrize("place, row", parameters())
def test_case(batch_of, place, row):
    check(batch_of(place, row.name), row)
