/* The hypervisor's boot path: a call a line. */
#include "kernel/main.h"

#include "drivers/host/console.h"
#include "drivers/host/ioapic.h"
#include "drivers/host/pic.h"
#include "kernel/backend.h"
#include "kernel/console_input.h"
#include "kernel/cpu/apic.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/descriptors.h"
#include "kernel/cpu/percpu.h"
#include "kernel/cpu/percpu_area.h"
#include "kernel/cpu/time.h"
#include "kernel/log.h"
#include "kernel/selftest.h"
#include "kernel/smp.h"
#include "kernel/lib/stop.h"
#include "kernel/thread.h"
#include "kernel/vm_life.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/host_space.h"

static void start_memory(struct boot_state *boot)
{
	frame_init(&boot->memory, boot->platform.node_count,
		   host_space_boot_tables());
	heap_init();
}

static void start_threads(void)
{
	thread_init();
	if (thread_adopt_idle(NULL) || !smp_give_stacks(0))
		stop("not enough memory for the boot CPU");
	idt_use_stacks();
}

/* A page of registers, or NULL with a warning: firmware tables may lie. */
static void *map_registers(const struct boot_info *info, hpa_t base,
			   const char *what)
{
	void *registers = NULL;

	if (boot_info_is_device(info, base.value, PAGE_SIZE,
				cpu_features.address_bits))
		registers = host_space_map_device(base, PAGE_SIZE,
						  PT_WRITE | PT_UNCACHED);
	if (!registers)
		log_warn("%s at 0x%lx: no device can be there, or no memory to "
			 "map it",
			 what, base.value);
	return registers;
}

static void mask_ioapics(const struct boot_info *info,
			 const struct platform *platform)
{
	for (uint32_t i = 0; i < platform->ioapic_count; i++) {
		void *registers = map_registers(info, platform->ioapics[i].base,
						"I/O APIC");

		if (registers)
			ioapic_mask_all(registers);
		console_input_use_ioapic(i, registers);
	}
}

/* Nothing but our own interrupts reaches a CPU from here on. */
static void start_interrupts(const struct boot_state *boot)
{
	void *registers = NULL;

	if (boot->platform.has_8259)
		pic_mask_all();
	mask_ioapics(&boot->info, &boot->platform);
	if (!cpu_features.has_x2apic) {
		registers =
			map_registers(&boot->info, apic_base(), "local APIC");
		if (!registers)
			stop("the local APIC cannot be reached");
	}
	apic_choose(registers, cpu_features.has_x2apic);
	apic_init();
}

static void start_time(const struct boot_state *boot)
{
	hpa_t base = boot->platform.hpet_base;
	void *hpet = NULL;

	if (base.value)
		hpet = map_registers(&boot->info, base, "HPET");
	time_init(&boot->platform, hpet);
}

static void find_own_node(const struct boot_state *boot)
{
	const struct platform *platform = &boot->platform;

	for (uint32_t i = 0; i < platform->cpu_count; i++) {
		if (platform->cpus[i].apic_id == apic_id())
			cpu_set_node(platform->cpus[i].node);
	}
	frame_cache_drain(); /* it was filled for node 0 */
}

static void start_cpus(const struct boot_state *boot)
{
	const struct platform *platform = &boot->platform;
	uint32_t running = smp_start(platform);

	log_info("smp: %u of %u CPUs running, %s", running, platform->cpu_count,
		 apic_is_x2apic() ? "x2APIC" : "xAPIC");
}

static void map_modules(const struct boot_info *info)
{
	for (uint32_t i = 0; i < info->module_count; i++) {
		const struct boot_module *module = &info->modules[i];

		if (module->size &&
		    host_space_map_ram(module->base, module->size))
			stop("not enough memory to map boot module %s",
			     module->name);
		log_info("module: %s, %lu KiB", module->name,
			 module->size / KIB);
	}
}

/* Of start_vms, then launch_vms: too large for a stack. */
static struct config_vm vm;

/* Those of basalt.conf that start with the machine. A thread, because making a VM
 * passes scheduling points, where the idle thread would wait for all VMs to idle. */
static void launch_vms(void *argument)
{
	const struct boot_state *boot = argument;
	struct config_cursor cursor = config_open(boot->config_text);
	struct diag why;

	vm_init(&boot->info);
	while (config_next_vm(&cursor, &vm)) {
		if (!vm.is_autostarted)
			continue;
		if (vm_launch(&vm, &why))
			log_error("vm %.*s: not started: %s",
				  SLICE_ARGS(vm.name), why.text);
	}
}

static void start_vms(struct boot_state *boot)
{
	struct config_cursor cursor = config_open(boot->config_text);

	if (config_next_vm(&cursor, &vm) &&
	    !thread_create(cpu_number(), launch_vms, boot, "launch"))
		stop("not enough memory to start VMs");
}

static uint64_t free_memory(uint32_t node_count)
{
	uint64_t sum = 0;

	for (uint32_t node = 0; node < node_count; node++)
		sum += frame_stats(node).free;
	return sum;
}

static void report_memory(const struct boot_state *boot)
{
	uint32_t nodes = boot->platform.node_count;
	uint64_t used = boot->free_at_start - free_memory(nodes) +
			boot->info.image_size;

	log_info("memory: %lu MiB in %u node%s, %lu KiB of it used by Basalt",
		 boot->ram_size / MIB, nodes, nodes == 1 ? "" : "s",
		 used / KIB);
}

static void report_ready(const struct boot_state *boot)
{
	log_info("boot: ready after %lu TSC cycles", time_boot_cycles());
	log_announce("basalt: ready version=%s cpus=%u memory=%luM backend=%s",
		     BASALT_VERSION, smp_cpu_count(), boot->ram_size / MIB,
		     backend_name());
}

_Noreturn void hv_main(struct boot_state *boot)
{
	start_memory(boot);	  /* all free RAM to the frame allocator */
	start_threads();	  /* this flow is CPU 0's idle thread now */
	start_interrupts(boot);	  /* own APIC on, the machine's lines off */
	find_own_node(boot);	  /* where this CPU's memory is */
	start_time(boot);	  /* TSC, one-shot timer, wall clock */
	start_cpus(boot);	  /* all others at once: hv_main_ap */
	backend_choose();	  /* SVM or VMX, or stop */
	backend_start();	  /* on every CPU */
	map_modules(&boot->info); /* kernels, initrds, disks of guests */
	report_memory(boot);
	report_ready(boot);
	selftest_start(boot->config.selftest);
	console_input_start(&boot->platform); /* keys, to guests */
	start_vms(boot); /* those that start by themselves */
	thread_idle();
}
