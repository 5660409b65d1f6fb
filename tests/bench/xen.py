"""Figures of Xen, with Debian's kernel in its control domain."""

import archive
import guest
import qemu

TICKS_PER_MS = 1_000_000
KIB_PER_MIB = 1024
CONTROL_MIB = 768

LINUX = f"""\
config {guest.LINUX_MIB} vmlinuz 'ramdisk="/bench/%s"' \\
	'cmdline="console=hvc0 %s"'
"""
FREE = """\
xl info | sed -n 's/^\\([a-z]*\\)_memory *: \\([0-9]*\\)/figure \\1%s \\2;/p'
"""

# What tests/bench/peers/xen.sh does. Xen's console shows what the bench guest
# says, and while it works nobody else has to run.
JOBS = {
    "exits": f"""\
config {-(-guest.EXITS_KIB // KIB_PER_MIB)} guest.elf
xl create /tmp/config
sleep 1000
""",
    "smp": f"""\
config {-(-guest.EXITS_KIB // KIB_PER_MIB)} guest.elf 'vcpus=2' 'cmdline="smp"'
xl create /tmp/config
sleep 1000
""",
    "life": LINUX % ("initrd.img", guest.LINUX_INIT) + """\
ticks create
xl create -F /tmp/config > /dev/null
ticks gone
cat /var/log/xen/console/*
""",
    "jobs": LINUX % ("jobs.img", guest.LINUX_JOBS) + """\
xl create -F /tmp/config > /dev/null
cat /var/log/xen/console/*
""",
    "memory": LINUX % ("initrd.img", guest.LINUX_IDLE) + FREE % "-before" + """\
xl create /tmp/config
sleep 10
""" + FREE % "-after" + """\
xl list | sed -n 's/^Domain-0 *0 *\\([0-9]*\\) .*/figure control \\1;/p'
""",
}


class Xen:
    """@folder: Xen, its control domain's kernel and initial RAM disk."""

    name = "xen"

    def __init__(self, folder, environment, guests):
        self.folder = folder
        self.environment = environment
        self.guests = guests

    def say(self, job):
        """What the machine says of @job."""
        initrd = archive.extend(
            self.guests.folder / "xen" / "initrd.img",
            self.folder / "initrd.img",
            self.guests.files() | {"bench/job": JOBS[job].encode()})
        kernel = f"{self.folder / 'vmlinuz'} console=hvc0 panic=-1 quiet"
        return qemu.run(self.environment,
                        ["-machine", "q35", "-m", str(guest.MACHINE_MIB),
                         "-kernel", self.folder / "xen.elf",
                         "-append", "console=com1 com1=115200,8n1 noreboot"
                         " guest_loglvl=all sched=credit"
                         f" dom0_mem={CONTROL_MIB}M,max:{CONTROL_MIB}M",
                         "-initrd", f"{kernel},{initrd}"],
                        rb"figure (job-)?end", guest.BOUND,
                        self.environment.xen_cpu, job == "smp")

    @staticmethod
    def job_of(line):
        return line.job

    @staticmethod
    def figures(job, said):
        """Name -> least and mean."""
        found = qemu.figures(said)
        if job == "life":
            life = (found["gone"][0] - found["create"][0]) // TICKS_PER_MS
            ready = found["ticks"][0] // TICKS_PER_MS
            return {"life": (life, life), "ready": (ready, ready)}
        if job == "memory":
            before, after = found["free-before"][0], found["free-after"][0]
            vm = (before - after - guest.LINUX_MIB) * KIB_PER_MIB
            host = (found["total-before"][0] - before
                    - found["control"][0]) * KIB_PER_MIB
            return {"vm": (vm, vm), "host": (host, host)}
        return found
