"""Figures of Basalt on Intel VMX: in Bochs, the tests' own machine.

Its TSC counts instructions, as that of QEMU with -icount does, but the back end
and the emulator are others: its rows stand beside QEMU's, not in their columns.
"""

import basalt
import emulators
import guest
import qemu
from machine import MachineError
from row import BenchError

MEMORY_MIB = 256
# Debug builds count, and tell it when the VM has left its CPU.
COUNT = r"(\d+) VMREADs, (\d+) VMWRITEs in (\d+) runs"
VARIANTS = {"exits": ("release", r"^figure end"),
            "count": ("debug", r"vm guest: gone.*\n")}


class BochsBasalt:
    """As basalt.Basalt, for two jobs: "count" is of a debug build."""

    name = "basalt"

    def __init__(self, guests):
        self.guests = guests

    def say(self, job):
        """What a machine with the exits guest says."""
        variant, end = VARIANTS[job]
        config = basalt.config(basalt.VMS["exits"])
        modules = {"basalt.conf": config.encode(),
                   "guest.elf": self.guests.program.read_bytes()}
        machine = emulators.make("bochs", memory=MEMORY_MIB, variant=variant,
                                 modules=modules)
        try:
            machine.start().expect(end, guest.BOUND)
            return machine.serial
        except MachineError as error:
            raise BenchError(str(error)) from error
        finally:
            machine.stop()

    @staticmethod
    def job_of(line):
        return line.job

    @staticmethod
    def figures(job, said):
        """Name -> least and mean; of "count", both are the mean of all runs."""
        if job == "exits":
            return qemu.figures(basalt.whole_lines(said))
        reads, writes, runs = map(int, qemu.find_all(COUNT, said))
        return {"reads": (round(reads / runs, 2),) * 2,
                "writes": (round(writes / runs, 2),) * 2}
