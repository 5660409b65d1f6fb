"""Figures of Basalt, and of the machine without a hypervisor."""

import re
import subprocess

import guest
import qemu
from row import BenchError

MS_PER_S = 1000
TICKS_PER_MS = 1_000_000
LAUNCH = r"launched; machine: (\d+) KiB"
END_OF_VM = (r"ends; (\d+) KiB of memory and (\d+) KiB of its tables; "
             r"machine: (\d+) KiB")
GONE = rb"gone; machine: .*\n|^basalt: (stopped|panic).*\n"
BARE_END = rb"^figure (end|ticks .*)\n"
END = rb"^figure end|^\[.*\] vm guest: gone.*\n|^basalt: (stopped|panic).*\n"


def config(vms):
    """basalt.conf of a machine with @vms: name -> its keys."""
    return "[hypervisor]\nlog_level = 'debug'\n" + "".join(
        f"[vm.{name}]\n{keys}" for name, keys in vms.items())


def program(word, kib=guest.EXITS_KIB, more=""):
    """Keys of a VM with the exits guest, which does what @word says."""
    return (f"kernel = 'guest.elf'\nmemory = '{kib}K'\n"
            f"cmdline = '{word}'\n{more}")


def crowd(count, word):
    """So many VMs of the least size that do what @word says."""
    return {f"crowd-{number}": program(word, guest.CROWD_KIB)
            for number in range(count)}


def linux(words):
    """Keys of a VM with Debian's kernel, which is told @words."""
    return ("kernel = 'vmlinuz'\ninitrd = 'initrd.img'\n"
            f"cmdline = 'console=ttyS0 {words}'\n"
            f"memory = '{guest.LINUX_MIB}M'\n")


VMS = {"exits": {"guest": program("exits")},
       "smp": {"guest": program("smp", more="vcpus = 2\n")},
       "life": {"guest": linux(guest.LINUX_INIT)},
       "jobs": {"guest": linux(guest.LINUX_JOBS)}}
VMS |= {f"crowd-{count}": crowd(count, "nap") for count in guest.CROWDS}
VMS |= {f"scale-{count}": crowd(count, "sleep") | {"guest": program("scale")}
        for count in (0, *guest.CROWDS)}


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
        iso = self.make_iso(job, {
            "life": [self.guests.kernel, self.guests.initrd],
            "jobs": [self.guests.kernel, self.guests.jobs_initrd],
        }.get(job, [self.guests.program]))
        until, times = END, 1
        if job.startswith("crowd"):
            until, times = GONE, len(VMS[job])
        return qemu.run(self.environment,
                        ["-machine", "q35", "-m", str(guest.MACHINE_MIB),
                         "-cdrom", iso], until, guest.BOUND,
                        is_parallel=job == "smp", times=times)

    @staticmethod
    def job_of(line):
        """Memory of one VM is told by the other jobs' machines."""
        if line.job == "memory":
            return {"vm": "life", "host": "exits"}[line.figure]
        return line.job

    @staticmethod
    def figures(job, said):
        """Name -> least and mean."""
        found = qemu.figures(whole_lines(said))
        kind = job.split("-")[0]
        if kind in FIGURES:
            found |= {name: (cost, cost) for name, cost
                      in FIGURES[kind](job, said, found).items()}
        return found


def exits_figures(_job, said, _found):
    return {"host": int(qemu.find(r"(\d+) KiB of it used by Basalt", said))}


def scale_figures(job, said, _found):
    """None of its own, but all VMs have to be there, and to stay."""
    said = said[:said.index("figure end")]
    launched = said[:said.index("figure ")].count("launched; machine:")
    if launched != len(VMS[job]) or re.search("not started|gone;", said):
        raise BenchError(f"not all VMs of {job} sleep:\n{said}")
    return {}


def life_figures(_job, said, found):
    return {"life": round(stamp("gone", said) - stamp("launched", said)),
            "ready": found["ticks"][0] // TICKS_PER_MS,
            "vm": beside(said)}


def crowd_figures(_job, said, _found):
    return {"vm": beside(said)}


def whole_lines(said):
    """What the guest @said; a line of the log may have come into one."""
    guests = re.sub(r"^\[ *[\d.]+\] (?:vcpu|vm) .*\n", "", said, flags=re.M)
    return re.sub(r"^(f[^;\n]*)\n", r"\1", guests, flags=re.M)


def stamp(event, said):
    """Milliseconds at which the log says that of the guest."""
    seconds = qemu.find(rf"^\[ *([\d.]+)\] vm guest: {event}", said)
    return float(seconds) * MS_PER_S


def beside(said):
    """KiB in use when the first VM ends beyond those before the first was
    launched, their own memory and the tables that map it: of each VM."""
    launches = list(re.finditer(LAUNCH, said))
    ends = list(re.finditer(END_OF_VM, said))
    if not ends or len(ends) != len(launches) or \
            ends[0].start() < launches[-1].start():
        raise BenchError(f"the VMs were not there at once:\n{said}")
    before, at_end = int(launches[0].group(1)), int(ends[0].group(3))
    guests = sum(int(end.group(1)) + int(end.group(2)) for end in ends)
    return round((at_end - before - guests) / len(ends))


FIGURES = {"exits": exits_figures, "life": life_figures,
           "scale": scale_figures, "crowd": crowd_figures}


class Bare:
    """The same machine and guests without a hypervisor."""

    name = "bare"

    def __init__(self, environment, guests):
        self.environment = environment
        self.guests = guests

    def say(self, job):
        """What the machine says of @job."""
        args = {
            "exits": [self.guests.program, "-append", "bare"],
            "life": [self.guests.kernel, "-initrd", self.guests.initrd,
                     "-append", f"console=ttyS0 {guest.LINUX_INIT}"],
            "jobs": [self.guests.kernel, "-initrd", self.guests.jobs_initrd,
                     "-append", f"console=ttyS0 {guest.LINUX_JOBS}"],
        }[job]
        return qemu.run(self.environment,
                        ["-machine", "q35", "-m", str(guest.LINUX_MIB),
                         "-kernel", *args], BARE_END, guest.BOUND)

    @staticmethod
    def figures(_job, said):
        """Name -> least and mean."""
        return qemu.figures(said)

    def ready(self):
        """Milliseconds from a kernel's entry to the first process: firmware
        and loader take as long for the bench guest."""
        life, exits = (self.figures(job, self.say(job))
                       for job in ("life", "exits"))
        return (life["ticks"][0] - exits["entry"][0]) // TICKS_PER_MS
