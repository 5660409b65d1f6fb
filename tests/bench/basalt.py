"""Figures of Basalt, and of the machine without a hypervisor."""

import re
import subprocess

import guest
import qemu
from row import BenchError

MS_PER_S = 1000
TICKS_PER_MS = 1_000_000
END = rb"^figure end|^\[.*\] vm guest: gone.*\n|^basalt: (stopped|panic).*\n"


def config(vms):
    """basalt.conf of a machine with @vms: name -> its keys."""
    return "[hypervisor]\nlog_level = 'debug'\n" + "".join(
        f"[vm.{name}]\n{keys}" for name, keys in vms.items())


def program(words, more=""):
    """Keys of a VM with the exits guest, which does what @words say."""
    return (f"kernel = 'guest.elf'\nmemory = '{guest.EXITS_KIB}K'\n"
            f"cmdline = '{words}'\n{more}")


LINUX = (f"kernel = 'vmlinuz'\ninitrd = 'initrd.img'\n"
         f"cmdline = 'console=ttyS0 {guest.LINUX_INIT}'\n"
         f"memory = '{guest.LINUX_MIB}M'\n")
VMS = {"exits": {"guest": program("exits")},
       "smp": {"guest": program("smp", "vcpus = 2\n")},
       "life": {"guest": LINUX}}


class Basalt:
    """@environment: where it runs."""

    name = "basalt"

    def __init__(self, root, environment, guests):
        self.root = root
        self.environment = environment
        self.guests = guests

    def make_iso(self, job, files):
        """Basalt, the configuration of @job and the @files that it names; what
        the loader starts."""
        folder = self.root / "build" / "bench" / job
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "basalt.conf").write_text(config(VMS[job]))
        files = [folder / "basalt.conf", *files]
        modules = "".join(f"module2 /boot/{file.name} {file.name}\n"
                          for file in files)
        (folder / "grub.cfg").write_text(
            "set timeout=0\nmenuentry basalt {\nmultiboot2 /boot/basalt.elf\n"
            f"{modules}}}\n")
        iso = folder / "bench.iso"
        done = subprocess.run(
            [self.root / "scripts" / "make-iso", iso, folder / "grub.cfg",
             self.root / "build" / "basalt.elf", *files],
            capture_output=True, text=True, check=False)
        if done.returncode:
            raise BenchError(f"make-iso: {done.stderr}")
        return iso

    def say(self, job):
        """What a machine with the guests of @job says."""
        files = [self.guests.program]
        if job == "life":
            files = [self.guests.kernel, self.guests.initrd]
        iso = self.make_iso(job, files)
        return qemu.run(self.environment,
                        ["-machine", "q35", "-m", str(guest.MACHINE_MIB),
                         "-cdrom", iso], END, guest.BOUND,
                        is_parallel=job == "smp")

    @staticmethod
    def job_of(line):
        """Memory is told by the other jobs' machines."""
        return {"vm": "life", "host": "exits"}.get(line.figure, line.job)

    @staticmethod
    def figures(job, said):
        """Name -> least and mean."""
        found = qemu.figures(whole_lines(said))
        if job != "life":
            own = int(qemu.find(r"(\d+) KiB of it used by Basalt", said))
            return found | {"host": (own, own)}
        life = round(stamp("gone", said) - stamp("launched", said))
        ready = found["ticks"][0] // TICKS_PER_MS
        beside = memory(said)
        return {"life": (life, life), "ready": (ready, ready),
                "vm": (beside, beside)}


def whole_lines(said):
    """What the guest @said; a line of the log may have come into one."""
    guests = re.sub(r"^\[ *[\d.]+\] (?:vcpu|vm) .*\n", "", said, flags=re.M)
    return re.sub(r"^(f[^;\n]*)\n", r"\1", guests, flags=re.M)


def stamp(event, said):
    """Milliseconds at which the log says that of the guest."""
    seconds = qemu.find(rf"^\[ *([\d.]+)\] vm guest: {event}", said)
    return float(seconds) * MS_PER_S


def memory(said):
    """KiB in use at the end of a machine's only VM beyond those before it, its
    own memory and the tables that map that."""
    before = int(qemu.find(r"launched; machine: (\d+) KiB", said))
    own = int(qemu.find(r"ends; (\d+) KiB of memory", said))
    tables = int(qemu.find(r"and (\d+) KiB of its tables", said))
    at_end = int(qemu.find(r"tables; machine: (\d+) KiB", said))
    return at_end - before - own - tables


class Bare:
    """The same machine and guests without a hypervisor."""

    name = "bare"

    def __init__(self, environment, guests):
        self.environment = environment
        self.guests = guests

    def program(self):
        """Figures of the bench guest."""
        said = qemu.run(self.environment,
                        ["-machine", "q35", "-m", "128",
                         "-kernel", self.guests.program, "-append", "bare"],
                        rb"^figure end", guest.BOUND)
        return qemu.figures(said)

    def loop(self):
        """Ticks of the loop."""
        return self.program()["loop"][0]

    def ready(self):
        """Milliseconds from a kernel's entry to the first process: firmware
        and loader take as long for the bench guest."""
        said = qemu.run(self.environment,
                        ["-machine", "q35", "-m", str(guest.LINUX_MIB),
                         "-kernel", self.guests.kernel,
                         "-initrd", self.guests.initrd,
                         "-append", f"console=ttyS0 {guest.LINUX_INIT}"],
                        rb"^figure ticks .*\n", guest.BOUND)
        ticks = qemu.figures(said)["ticks"][0] - self.program()["entry"][0]
        return ticks // TICKS_PER_MS
