"""The cases of tests/guest, each a VM of its own: many VMs on one machine."""

import re
from dataclasses import dataclass

import pytest

import emulators
from machine import BUILD, ROOT, MachineError

ROW = re.compile(r"^CASE\((\w+), (\d+), (\d+), (\w+)\)(?: /\* (.*) \*/)?$", re.M)
BATCH = 24  # VMs of one machine
LIMIT = 60  # seconds in which no VM ends: what is left hangs
BACKENDS = {"qemu-bios": "NOT_TCG", "bochs": "NOT_BOCHS"}


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


CASES = {environment: [row for row in rows() if row.where != left_out]
         for environment, left_out in BACKENDS.items()}
# It holds the console, so that the lines of all others are marked.
SILENCE = Row("silence", 1, 8, "HERE")


class Batch:
    """One machine with the VMs of @some cases, run to their ends."""

    def __init__(self, environment, some):
        config = "".join(row.section() for row in [SILENCE, *some])
        self.ends = {}  # name: how the hypervisor says that it ended
        self.machine = emulators.make(
            environment, cpus=2, memory=768, modules={
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

    def find(environment, name):
        cases = CASES[environment]
        number = [row.name for row in cases].index(name) // BATCH
        key = environment, number
        if key not in made:
            made[key] = Batch(environment,
                              cases[number * BATCH:(number + 1) * BATCH])
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
    return [pytest.param(environment, row, id=f"{environment}-{row.name}",
                         marks=pytest.mark.xdist_group(
                             f"{environment}-{number // BATCH}"))
            for environment, cases in CASES.items()
            for number, row in enumerate(cases)]


@pytest.mark.parametrize("environment, row", parameters())
def test_case(batch_of, environment, row):
    check(batch_of(environment, row.name), row)
