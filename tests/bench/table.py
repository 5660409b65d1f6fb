"""The rows: what is measured, the goal, and why a figure is missing."""

from dataclasses import dataclass

import guest


PPM_OVER_BARE = "ppm"


@dataclass(frozen=True)
class Line:
    """@job, @figure: where the figure comes from (qemu.figures). @like: a line
    whose figure is the goal."""

    name: str
    unit: str
    goal: int
    job: str = None
    figure: str = None
    like: object = None

    def is_relative(self):
        """Is it what a job takes beyond what it takes without hypervisor?"""
        return self.unit == PPM_OVER_BARE


LOOP = Line("cpu_loop", PPM_OVER_BARE, 200, "exits", "loop")  # goal: 0.02 %
LIFE = Line("vm_lifecycle", "ms", 1300, "life", "life")

LINES = [
    Line("exit_cpuid", "insn", 350, "exits", "cpuid"),
    Line("exit_hypercall", "insn", 350, "exits", "hypercall"),
    Line("exit_rdmsr", "insn", 350, "exits", "rdmsr"),
    Line("exit_pio_null", "insn", 350, "exits", "free-in"),
    Line("exit_pio_device", "insn", 450, "exits", "device-in"),
    Line("pci_config_read", "insn", 900, "exits", "pci-read"),
    Line("xapic_read", "insn", 1000, "exits", "xapic-read"),
    Line("kvmclock_wrmsr", "insn", 700, "exits", "clock"),
    Line("ipi_self", "insn", 1500, "exits", "ipi-running"),
    Line("ipi_self_hlt", "insn", 3000, "exits", "ipi-halted"),
    Line("touch_4k", "insn", 1500, "exits", "page-write"),
    Line("touch_2m", "insn/4 KiB", 600, "exits", "page-large"),
    LOOP,
    Line("ksm_page", "insn/page", 5000),
    Line("ksm_idle", "% of a CPU", 1),
    Line("cow_break", "insn", 1500),
    Line("vm_overhead", "KiB", 128, "memory", "vm"),
    Line("vm_overhead_10", "KiB", 128, "crowd-10", "vm"),
    Line("vm_overhead_100", "KiB", 128, "crowd-100", "vm"),
    Line("host_overhead", "KiB", 4096, "memory", "host"),
    Line("boot_control", "ms", None),
    LIFE,
    Line("job_cpu", PPM_OVER_BARE, 10000, "jobs", "cpu"),
    Line("job_syscall", PPM_OVER_BARE, 10000, "jobs", "syscall"),
    Line("job_shell", PPM_OVER_BARE, 10000, "jobs", "shell"),
    Line("job_compile", PPM_OVER_BARE, 10000, "jobs", "compile"),
    # Beside the goals.
    Line("pio_null_write", "insn", None, "exits", "free-out"),
    Line("serial_read", "insn", None, "exits", "serial-in"),
    Line("pm_timer_read", "insn", 450, "exits", "timer-in"),
    Line("cr8_read", "insn", None, "exits", "cr8"),
    Line("pause", "insn", None, "exits", "pause"),
    Line("cr0_wp_toggle", "insn", None, "exits", "cr0-wp"),
    Line("cr4_pge_toggle", "insn", None, "exits", "cr4-pge"),
    Line("apic_eoi", "insn", None, "exits", "eoi"),
    Line("apic_timer_arm", "insn", None, "exits", "timer-arm"),
    Line("apic_timer_fire", "insn", None, "exits", "timer-fire"),
    Line("tsc_deadline_arm", "insn", None, "exits", "deadline-arm"),
    Line("tsc_deadline_fire", "insn", None, "exits", "deadline-fire"),
    Line("msi_delivery", "insn", None, "exits", "msi"),
    Line("touch_4k_read", "insn", None, "exits", "page-read"),
    Line("touch_4k_write_next", "insn", None, "exits", "page-write-after-read"),
    Line("ipi_remote", "host ticks", None, "smp", "remote-ipi"),
    Line("linux_first_process", "ms", None, "life", "ready"),
]

# Beside none, 10 and 100 other VMs, which sleep.
SCALE = {"exit_cpuid": "cpuid", "exit_pio_null": "free-in",
         "ipi_self": "ipi-running"}
ALONE = [Line(f"scale_0_{name}", "insn", None, "scale-0", figure)
         for name, figure in SCALE.items()]
CROWDED = [Line(f"scale_{count}_{name}", "insn", None, f"scale-{count}", figure,
                ALONE[number])
           for count in guest.CROWDS
           for number, (name, figure) in enumerate(SCALE.items())]
LINES += ALONE + CROWDED

# Basalt on Intel VMX; the loop's counterpart does not run in Bochs.
VMX_LINES = [
    Line(f"vmx_{line.name}", line.unit.replace("insn", "ticks"), None,
         "exits", line.figure)
    for line in LINES if line.job == "exits" and line is not LOOP
    and line.figure != "host"
] + [
    Line("vmx_vmreads", "per exit", None, "count", "reads"),
    Line("vmx_vmwrites", "per exit", None, "count", "writes"),
]

# What may not grow: `make test-long` checks them.
MICRO = {line.name for line in LINES + VMX_LINES if line.job and
         line.job.split("-")[0] in ("exits", "scale", "count")}

# What a host has no figure for though the others may: why. "": any host.
MERGING = "Basalt does not merge pages yet; Linux's needs a guest of its own"
UNCLAIMED = "a PVH domain has no such device"
POPULATED = "memory of a domain is allocated before it starts"
MISSING = {
    ("ksm_page", ""): MERGING,
    ("ksm_idle", ""): MERGING,
    ("cow_break", ""): MERGING,
    ("boot_control", ""): "Basalt has no control domain yet",
    ("exit_pio_device", "xen"): UNCLAIMED,
    ("msi_delivery", "xen"): UNCLAIMED,
    ("serial_read", "xen"): UNCLAIMED,
    ("pm_timer_read", "xen"): UNCLAIMED,
    ("kvmclock_wrmsr", "xen"): "Xen has no kvm-clock",
    ("touch_4k", "xen"): POPULATED,
    ("touch_2m", "xen"): POPULATED,
    ("touch_4k_read", "xen"): POPULATED,
    ("touch_4k_write_next", "xen"): POPULATED,
    ("host_overhead", "kvm"): "KVM is a part of Linux",
}
ONE_ONLY = "measured with one VM only"
MISSING |= {(line.name, host): ONE_ONLY for host in ("kvm", "xen")
            for line in LINES
            if (line.job or "").startswith(("scale", "crowd"))}
# Where a figure stands for something else.
REMARKS = {
    ("job_shell", "basalt"): "38 CPUIDs of each program's start are most of it",
    ("pci_config_read", "xen"): "answered by nobody: no PCI in a PVH domain",
    ("vm_overhead", "kvm"): "QEMU's anonymous memory; not the kernel's for it",
    ("vm_overhead", "xen"): "Xen tells whole MiB; tables of memory included",
    ("host_overhead", "xen"): "without its control domain",
}
