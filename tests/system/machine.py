"""A machine under test: what a case may choose (`Case`), and one run of an
emulator (`Machine`), which is started, listened to and always stopped. COM1 is a
pseudo-terminal, so all emulators look the same from here.

Every timeout is a bound for a hang on a loaded host, never a measurement.
"""

import ctypes
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import tty
from dataclasses import dataclass, field

import pexpect
import pexpect.fdpexpect

import iso
import rawboot

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BASALT_BUILD", ROOT / "build"))

SLICE = 0.5  # seconds between looks at whether the emulator still lives
GRACE = 3  # seconds that a dying hypervisor gets to finish its report
FATAL = re.compile(r"^basalt: (panic|stopped): .*\n", re.M)
READY = re.compile(r"^basalt: ready (.*)\n", re.M)
NOT_STOPPED = re.compile(r"^basalt: (panic:|ready) .*\n", re.M)
ESCAPES = re.compile(r"\x1b(\[[0-9;?=]*[A-Za-z]|[()][0-9A-B]|[=>cM78])|\r")
OPEN_ESCAPE = re.compile(r"\x1b[\[()]?[0-9;?=]*$")


class MachineError(AssertionError):
    """What went wrong, with all that the machine said."""


@dataclass
class Case:
    """A machine as a test wants it. None: the environment's own choice."""

    cpus: int = 1
    memory: int = 256  # MiB
    machine: str = "q35"
    cpu: str = None
    cmdline: str = ""
    modules: dict = field(default_factory=dict)  # name: bytes
    raw: rawboot.RawBoot = None
    args: list = field(default_factory=list)  # more for QEMU
    config: list = field(default_factory=list)  # more lines for Bochs
    variant: str = "release"  # or "debug"

    def built(self, name):
        """A file of the build that the case boots."""
        folder = BUILD / "debug" if self.variant == "debug" else BUILD
        if not (folder / name).exists():
            raise MachineError(f"{folder / name} is missing: run make first")
        return folder / name

    def iso(self):
        """The ISO of the build, or one of the case's own."""
        if not self.cmdline and not self.modules:
            return self.built("basalt.iso")
        image = self.built("basalt.elf").read_bytes()
        return iso.build(BUILD / "system", image, self.cmdline, self.modules)


class Serial(pexpect.fdpexpect.fdspawn):
    """COM1 without carriage returns and escape sequences (OVMF is fond of
    them); `text` is all of it so far."""

    def __init__(self, descriptor):
        super().__init__(descriptor, encoding="latin-1", maxread=65536)
        self.text = ""
        self._pending = ""

    def read_nonblocking(self, size=1, timeout=None):
        data = self._pending + super().read_nonblocking(size, timeout)
        open_escape = OPEN_ESCAPE.search(data)
        end = open_escape.start() if open_escape else len(data)
        self._pending = data[end:]
        clean = ESCAPES.sub("", data[:end])
        self.text += clean
        return clean


class Machine:
    """One run of an emulator. Subclasses say how it is started."""

    backend = None
    every = []  # of this process, for the check that none is left

    def __init__(self, environment, case):
        self.environment = environment
        self.case = case
        self.folder = None
        self.process = None
        self.serial_port = None
        self._console = ()
        Machine.every.append(self)

    def start(self):
        """Run the emulator, or leave nothing behind."""
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def _start(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="basalt-"))
        # Both ends stay open here, so the emulator's end is not an error.
        self._console = os.openpty()
        tty.setraw(self._console[1])
        self.serial_port = Serial(self._console[0])
        with open(self.folder / "emulator.out", "wb") as output:
            self.process = subprocess.Popen(
                self.command(), cwd=self.folder, stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, env=self.variables(),
                preexec_fn=self._begin, start_new_session=True)

    def _begin(self):
        """In the emulator's process, before it is one."""
        _die_with_parent()
        if self.processor() is not None:
            os.sched_setaffinity(0, {self.processor()})

    def processor(self):
        """The host's only processor that it may run on, if not all."""
        return None

    def command(self):
        """The emulator's argv."""
        raise NotImplementedError

    def variables(self):
        """Its environment variables."""
        return os.environ

    @property
    def com1(self):
        """The emulator's end of COM1."""
        return os.ttyname(self._console[1])

    @property
    def serial(self):
        """Everything on COM1 so far."""
        return self.serial_port.text

    def expect(self, pattern, timeout=None, fatal=FATAL):
        """Wait for @pattern on COM1: the match. A panic, a stop (@fatal), the
        emulator's end and the bound are failures."""
        if isinstance(pattern, str):
            pattern = re.compile(pattern, re.M)
        wanted = [pattern] + ([fatal] if fatal else [])
        limit = timeout or self.environment.limit
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None
            found = self._look(wanted, SLICE)
            if found == 0:
                return self.serial_port.match
            if found == 1:
                self.drain(GRACE)
                raise self.error(f"{pattern.pattern!r} did not come")
            if ended:
                raise self.error(f"ended while {pattern.pattern!r} was awaited")
        raise self.error(f"no {pattern.pattern!r} within {limit} s")

    def _look(self, wanted, timeout):
        """Index of the pattern that came, or None."""
        index = self.serial_port.expect(wanted + [pexpect.TIMEOUT, pexpect.EOF],
                                        timeout=timeout)
        return index if index < len(wanted) else None

    def drain(self, seconds):
        """Read what still comes for so long: all of COM1 after that."""
        self._look([re.compile(r"(?!)")], seconds)
        return self.serial

    def ready(self, timeout=None):
        """The fields of the ready line as a dict."""
        match = self.expect(READY, timeout)
        return dict(word.split("=", 1) for word in match.group(1).split())

    def stopped(self, timeout=None):
        """The reason that a refused boot gives."""
        return self.expect(r"^basalt: stopped: (.*)\n", timeout,
                           NOT_STOPPED).group(1)

    def stop(self):
        """End it, whatever state it is in; nothing stays behind."""
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
        for descriptor in self._console:
            os.close(descriptor)
        self._console = ()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def left_behind(self):
        """Does something of it still exist?"""
        if self.folder and self.folder.exists():
            return True
        try:
            if self.process:
                os.killpg(self.process.pid, 0)
                return True
        except ProcessLookupError:
            pass
        return False

    def error(self, what):
        """@what with everything that a reader needs to see why."""
        output = self.folder / "emulator.out"
        said = ESCAPES.sub("", output.read_text("latin-1"))[-4000:]
        return MachineError(
            f"{self.environment.name}: {what}\n"
            f"--- command\n{' '.join(map(str, self.process.args))}\n"
            f"--- COM1\n{self.serial}\n"
            f"--- emulator (status {self.process.poll()})\n{said}"
            f"{self.autopsy()}")

    def autopsy(self):
        """What else the emulator knows."""
        return ""


def _die_with_parent():
    """A killed test run takes its emulators with it (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
