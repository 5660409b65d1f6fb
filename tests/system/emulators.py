"""The machines that the system tests boot.

`ENVIRONMENTS` describes each one; `Case` is what a test may choose; `make`
gives a `Machine`, which is started, listened to and always stopped. COM1 is a
pseudo-terminal, so both emulators look the same from here.

Every timeout is a bound for a hang on a loaded host, never a measurement.
"""

import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
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

OVMF_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
OVMF_VARS = "/usr/share/OVMF/OVMF_VARS_4M.fd"
BOCHS_BIOS = "/usr/share/bochs/BIOS-bochs-latest"
BOCHS_VGABIOS = "/usr/share/vgabios/vgabios.bin"

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
                preexec_fn=_die_with_parent, start_new_session=True)

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


class Qemu(Machine):
    """QEMU TCG; `monitor` talks to it."""

    backend = "svm"

    def program(self):
        """The emulator, and where its files are."""
        return ["qemu-system-x86_64"]

    def command(self):
        case = self.case
        return self.program() + [
            "-accel", "tcg", "-machine", case.machine,
            "-cpu", case.cpu or "max", "-smp", str(case.cpus),
            "-m", f"{case.memory}M", "-display", "none", "-vga", "std",
            "-nic", "none", "-no-reboot", "-monitor", "none",
            "-qmp", f"unix:{self.folder}/qmp,server=on,wait=off",
            "-chardev", f"serial,id=com1,path={self.com1}",
            "-serial", "chardev:com1",
        ] + self.medium() + case.args

    def medium(self):
        """What it boots from."""
        return ["-cdrom", self.case.iso()]

    def monitor(self, line, cpu=0):
        """One command of the human monitor: what it prints."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(60)
            connection.connect(f"{self.folder}/qmp")
            stream = connection.makefile("rw")
            self._command(stream, "qmp_capabilities", {})
            return self._command(stream, "human-monitor-command",
                                 {"command-line": line, "cpu-index": cpu})

    @staticmethod
    def _command(stream, name, arguments):
        stream.write(json.dumps({"execute": name, "arguments": arguments}))
        stream.flush()
        for line in stream:
            answer = json.loads(line)
            if "error" in answer:
                raise MachineError(f"{name} {arguments}: {answer['error']}")
            if "return" in answer:
                return answer["return"]
        raise MachineError(f"{name} {arguments}: the monitor hung up")

    def memory_page(self, address):
        """4 KiB of physical memory."""
        path = self.folder / "page"
        self.monitor(f'pmemsave {address:#x} 4096 "{path}"')
        return path.read_bytes()

    def screen(self):
        """A PPM of the display."""
        path = self.folder / "screen.ppm"
        self.monitor(f"screendump {path}")
        return path.read_bytes()

    def autopsy(self):
        if self.process.poll() is not None:
            return ""
        return f"--- registers\n{self.monitor('info registers')}"


class QemuBackports(Qemu):
    """QEMU 10 of bookworm-backports, which has x2APIC in TCG; unpacked beside
    the build (scripts/fetch-qemu-backports) when first used."""

    def program(self):
        folder = BUILD / "qemu-backports"
        subprocess.run([ROOT / "scripts/fetch-qemu-backports", folder],
                       check=True, capture_output=True)
        usr = folder / "root" / "usr"
        return [usr / "bin/qemu-system-x86_64", "-L", usr / "share/qemu",
                "-L", usr / "share/seabios", "-L", "/usr/share/qemu"]


class QemuEfi(Qemu):
    """GRUB for EFI from the ISO, on OVMF with variables of its own."""

    def medium(self):
        return self.firmware() + super().medium()

    def firmware(self):
        """OVMF in flash."""
        variables = self.folder / "vars.fd"
        shutil.copy(OVMF_VARS, variables)
        pflash = "if=pflash,format=raw"
        return ["-drive", f"{pflash},readonly=on,file={OVMF_CODE}",
                "-drive", f"{pflash},file={variables}"]


class QemuEfiApp(QemuEfi):
    """basalt.efi on a FAT volume, files beside it."""

    def medium(self):
        # With a command line OVMF's shell has to start it, which waits five
        # seconds; else it is the volume's default program.
        volume = self.folder / "volume"
        name, folder = "BOOTX64.EFI", volume / "EFI" / "BOOT"
        if self.case.cmdline:
            name, folder = "basalt.efi", volume
        folder.mkdir(parents=True)
        shutil.copy(self.case.built("basalt.efi"), folder / name)
        for module, data in self.case.modules.items():
            (folder / module).write_bytes(data)
        if self.case.cmdline:
            (volume / "startup.nsh").write_text(
                f"fs0:\\basalt.efi {self.case.cmdline}\r\n")
        return self.firmware() + [
            "-drive", f"format=raw,file=fat:rw:{volume}"]


class QemuRaw(Qemu):
    """The chain loader: memory is as `case.raw` says, no firmware's word."""

    def medium(self):
        image = rawboot.Image(self.case.built("basalt.elf"))
        blob = self.folder / "blob"
        blob.write_bytes(self.case.raw.blob(image))
        return ["-kernel", BUILD / "tests" / "loader.elf", "-initrd", blob]


class Bochs(Machine):
    """Debian's Bochs 2.7: Intel VMX, BIOS only."""

    backend = "vmx"
    MODEL = "corei7_skylake_x"

    def command(self):
        # Debian's build starts at the debugger's prompt; each line of the rc
        # file answers one stop. It ignores SIGTERM.
        (self.folder / "rc").write_text("c\n" * 20)
        (self.folder / "bochsrc").write_text("\n".join(self.lines()) + "\n")
        return ["bochs", "-q", "-f", "bochsrc", "-rc", "rc"]

    def variables(self):
        return os.environ | {"TERM": "xterm"}  # its display needs a name

    def lines(self):
        """The configuration file."""
        case = self.case
        return [
            "config_interface: textconfig",
            "display_library: term",
            f"memory: guest={case.memory}, host={case.memory}",
            f"romimage: file={BOCHS_BIOS}, options=fastboot",
            f"vgaromimage: file={BOCHS_VGABIOS}",
            f"cpu: model={case.cpu or self.MODEL}, count={case.cpus},"
            " ips=100000000, reset_on_triple_fault=0, ignore_bad_msrs=0",
            "clock: sync=none, time0=946684800",
            "pci: enabled=1, chipset=i440fx",
            f"ata0-master: type=cdrom, path={case.iso()}, status=inserted",
            "boot: cdrom",
            # mode=file would keep the text in a buffer.
            f"com1: enabled=1, mode=term, dev={self.com1}",
            "log: bochs.log",
            # Its text display knows no graphics mode; all else is fatal.
            "panic: action=fatal, term=report",
            # Every EPT violation is an `error` to it.
            "error: action=ignore",
            "debug: action=ignore",
            "mouse: enabled=0",
        ] + case.config

    def autopsy(self):
        # Its status is 1 however it ended.
        log = self.folder / "bochs.log"
        lines = log.read_text("latin-1").splitlines() if log.exists() else []
        found = [line for line in lines if "PANIC" in line or "shutdown" in line]
        return "\n".join(["--- bochs.log"] + found + lines[-20:])


@dataclass(frozen=True)
class Environment:
    """Firmware, boot path and emulator. @limit: seconds for one boot."""

    name: str
    kind: type
    limit: int

    @property
    def backend(self):
        """The hypervisor back end that drives this CPU."""
        return self.kind.backend


ENVIRONMENTS = {
    environment.name: environment for environment in (
        Environment("qemu-bios", Qemu, 120),
        Environment("qemu-efi", QemuEfi, 180),
        Environment("qemu-efi-app", QemuEfiApp, 180),
        Environment("qemu-raw", QemuRaw, 120),
        Environment("qemu-x2apic", QemuBackports, 300),
        Environment("bochs", Bochs, 240),
    )
}


def make(name, **options):
    """A machine of environment @name, not yet started. qemu-raw is a `pc`."""
    if name == "qemu-raw":
        options.setdefault("machine", "pc")
        options.setdefault("raw", rawboot.RawBoot())
    environment = ENVIRONMENTS[name]
    return environment.kind(environment, Case(**options))


def _die_with_parent():
    """A killed test run takes its emulators with it (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
