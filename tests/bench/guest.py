"""The guests, the same under every hypervisor: tests/bench/guest, and Debian's
kernel whose first process tells the time and powers off."""

import archive
import jobs
from row import BenchError

EXITS_KIB = 64 * 1024 + 1536  # the last 2 MiB are not all there: small pages
CROWD_KIB = 4 * 1024
CROWDS = (10, 100)
LINUX_MIB = 256
MACHINE_MIB = 2048
LINUX_INIT = "quiet rdinit=/bench"
LINUX_JOBS = "quiet rdinit=/jobs"
LINUX_IDLE = "quiet rdinit=/bin/busybox -- sleep 100000"
BOUND = 600  # seconds for one machine: a hang


class Guests:
    """Their files below @root/build."""

    def __init__(self, root):
        self.root = root
        self.folder = root / "build" / "bench"
        self.program = self.folder / "guest.elf"
        self.ticks = self.folder / "init"
        self.jobs_program = self.folder / "jobs.elf"
        self.kernel = root / "build" / "guest" / "vmlinuz"
        for path in (self.program, self.ticks, self.jobs_program,
                     self.kernel):
            if not path.exists():
                raise BenchError(f"{path} is missing: make bench builds it")
        base = root / "build" / "guest" / "initrd.img"
        self.initrd = archive.extend(self.folder / "initrd.img", base,
                                     {"bench": self.ticks.read_bytes()})
        self.jobs_initrd = jobs.make_initrd(self.folder / "jobs" / "initrd.img",
                                            base, self.jobs_program)

    def files(self):
        """All of them, and the program that tells the time, for a host."""
        return {"bench/guest.elf": self.program.read_bytes(),
                "bench/vmlinuz": self.kernel.read_bytes(),
                "bench/initrd.img": self.initrd.read_bytes(),
                "bench/jobs.img": self.jobs_initrd.read_bytes(),
                "bench/ticks": self.ticks.read_bytes()}
