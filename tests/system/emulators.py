"""The machines that the system tests boot: `ENVIRONMENTS` describes each one,
`make` gives a `Machine` of it.
"""

import json
import os
import shutil
import socket
import subprocess
from dataclasses import dataclass

import rawboot
from machine import BUILD, ROOT, Case, Machine, MachineError

OVMF_CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
OVMF_VARS = "/usr/share/OVMF/OVMF_VARS_4M.fd"
BOCHS_BIOS = "/usr/share/bochs/BIOS-bochs-latest"
BOCHS_VGABIOS = "/usr/share/vgabios/vgabios.bin"


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

    def processor(self):
        """One for a machine whose CPUs all run guests, or TCG loses whether its
        first CPU is in one (docs/architecture.md, "Emulators"). Workers take
        different ones."""
        if self.case.cpus == 1 or "basalt.conf" not in self.case.modules:
            return None
        worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
        usable = sorted(os.sched_getaffinity(0))
        return usable[int(worker.removeprefix("gw")) % len(usable)]

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
        usr = folder / "files" / "usr"
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
            "clock: sync=none, time0=1767225600",
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
