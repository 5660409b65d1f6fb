"""The machine that figures are taken in: QEMU TCG that counts instructions.

`-icount shift=0` moves the virtual clock by 1 ns an instruction of any CPU. The
TSC of TCG is that clock at 1 GHz. Date and clock are the virtual ones, and
nothing is read from a disk while a figure is taken: runs do not differ.
"""

import re
import selectors
import subprocess
import time
from dataclasses import dataclass

from row import BenchError


@dataclass(frozen=True)
class Environment:
    """An emulator and its CPU. @counting: its arguments to count instructions;
    @parallel: to run two CPUs at once instead, in the host's time. @xen_cpu:
    the CPU that Xen runs on."""

    name: str
    command: tuple
    counting: tuple
    parallel: tuple
    cpu: str
    xen_cpu: str


ENVIRONMENTS = {environment.name: environment for environment in (
    # Xen's control domain dies of TCG's SMAP, and Xen itself of its MWAIT.
    Environment("qemu-svm", (
        "qemu-system-x86_64",
        "-rtc", "base=2024-01-01T00:00:00,clock=vm", "-seed", "1",
        "-display", "none", "-vga", "none", "-nic", "none", "-no-reboot",
        "-monitor", "none", "-serial", "stdio"),
        ("-accel", "tcg", "-icount", "shift=0,sleep=off"),
        ("-accel", "tcg,thread=multi", "-smp", "2"),
        "EPYC,+svm,+npt", "EPYC,+svm,+npt,-smap,-monitor"),
)}


def listen(process, until, bound, times):
    """COM1 up to the pattern @until, so many @times, up to the end, or for
    @bound seconds."""
    said = b""
    deadline = time.monotonic() + bound
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while selector.select(max(0, deadline - time.monotonic())):
            data = process.stdout.read1()
            said += data
            if not data or len(re.findall(until, said, re.M)) >= times:
                break
    return said.decode("latin-1").replace("\r", "")


def run(environment, args, until, bound, cpu=None, is_parallel=False,
        times=1):
    """What a machine with @args says; it is gone afterwards."""
    mode = environment.parallel if is_parallel else environment.counting
    command = [*environment.command, *mode, "-cpu", cpu or environment.cpu,
               *args]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        try:
            return listen(process, until, bound, times)
        finally:
            process.kill()


def find_all(pattern, said):
    """What the groups of @pattern are in what a machine @said."""
    match = re.search(pattern, said, re.M)
    if not match:
        raise BenchError(f"no {pattern!r} in:\n{said}")
    return match.groups()


def find(pattern, said):
    """What its only group is."""
    return find_all(pattern, said)[0]


def figures(said):
    """Name -> least and mean, of its `figure NAME LEAST [MEAN];` lines."""
    lines = re.findall(r"figure (\S+) (\d+)(?: (\d+))?;", said)
    return {name: (int(least), int(mean or least))
            for name, least, mean in lines}
