"""Figures of KVM with QEMU, in Debian's kernel."""

import archive
import guest
import qemu

TICKS_PER_MS = 1_000_000

# What tests/bench/peers/kvm.sh does.
JOBS = {
    "exits": f"""\
guest {guest.EXITS_KIB}K guest.elf -device virtio-rng-pci,disable-legacy=on \\
	-device isa-debug-exit,iobase=0xf4,iosize=4
cat /tmp/com1
""",
    "smp": f"""\
guest {guest.EXITS_KIB}K guest.elf -smp 2 -append smp \\
	-device isa-debug-exit,iobase=0xf4,iosize=4
cat /tmp/com1
""",
    "life": f"""\
ticks create
linux -append "console=ttyS0 {guest.LINUX_INIT}"
ticks gone
cat /tmp/com1
""",
    "jobs": f"""\
guest 256M vmlinuz -initrd /bench/jobs.img \
	-append "console=ttyS0 {guest.LINUX_JOBS}"
cat /tmp/com1
""",
    # While the guest sleeps: what is QEMU's own of its memory.
    "memory": f"""\
linux -append "console=ttyS0 {guest.LINUX_IDLE}" &
sleep 10
qemu=/proc/$(pidof qemu-system-x86_64)
sed -n 's/^RssAnon:[^0-9]*\\([0-9]*\\) kB/figure anonymous \\1;/p' $qemu/status
awk '/^Size:/ {{ ram = $2 == {guest.LINUX_MIB * 1024} }}
	ram && /^Rss:/ {{ print "figure ram " $2 ";" }}' $qemu/smaps
""",
}


class Kvm:
    """@folder: its kernel and initial RAM disk."""

    name = "kvm"

    def __init__(self, folder, environment, guests):
        self.folder = folder
        self.environment = environment
        self.guests = guests

    def say(self, job):
        """What the host says of @job."""
        initrd = archive.extend(
            self.guests.folder / "kvm" / "initrd.img",
            self.folder / "initrd.img",
            self.guests.files() | {"bench/job": JOBS[job].encode()})
        return qemu.run(self.environment,
                        ["-machine", "q35", "-m", str(guest.MACHINE_MIB),
                         "-kernel", self.folder / "vmlinuz",
                         "-initrd", initrd,
                         "-append", "console=ttyS0 panic=-1 quiet"],
                        rb"^figure job-end", guest.BOUND,
                        is_parallel=job == "smp")

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
            own = found["anonymous"][0] - found["ram"][0]
            return {"vm": (own, own)}
        return found
