/* The life of a VM: vm.h has its states. */
#include "kernel/vm.h"

#include "drivers/pc/lapic.h"
#include "drivers/pc/pc.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/percpu.h"
#include "kernel/cpu/time.h"
#include "kernel/exit_cpuid.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/string.h"
#include "kernel/loader.h"
#include "kernel/log.h"
#include "kernel/smp.h"
#include "kernel/thread.h"
#include "kernel/trace.h"
#include "kernel/vm_console.h"
#include "kernel/vm_life.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/phys.h"

#define VGA_BASE 0xa0000UL
#define VGA_END	 0xc0000UL

static const struct boot_info *boot_info;

void vm_init(const struct boot_info *info)
{
	boot_info = info;
}

/* vCPUs are dealt out to the CPUs in turn. */
static uint32_t next_cpu(void)
{
	static uint32_t last;
	uint32_t cpu = __atomic_fetch_add(&last, 1, __ATOMIC_RELAXED);

	for (;; cpu++) {
		if (smp_is_running(cpu % smp_cpu_limit()))
			return cpu % smp_cpu_limit();
	}
}

static int add_ram(struct guest_mem *gm, uint64_t base, uint64_t end)
{
	if (end <= base)
		return 0;
	return guest_mem_add(gm, GUEST_RAM, (gpa_t){ base }, end - base);
}

static int make_memory(struct vm *vm)
{
	struct guest_mem *gm = &vm->memory;
	uint64_t low = min_u64(vm->ram_size, VM_LOW_RAM_MAX);
	int err = guest_mem_init(gm, vcpu_ops->memory_format,
				 vcpu_ops->memory_leaf_level, cpu_node());

	if (err)
		return err;
	gm->is_code_small = cpu_features.speculation.has_large_code_bug;
	err = add_ram(gm, 0, min_u64(low, VGA_BASE));
	if (!err)
		err = add_ram(gm, VGA_END, low);
	if (!err)
		err = add_ram(gm, 4 * GIB, 4 * GIB + vm->ram_size - low);
	if (err)
		guest_mem_fini(gm);
	return err;
}

static struct loader_file file_named(struct slice name)
{
	const struct boot_module *module;

	if (!name.ptr)
		return (struct loader_file){ 0 };
	module = boot_module_find(boot_info, name);
	CHECK(module); /* config_check_modules has seen it */
	return (struct loader_file){ .data = phys_to_virt(module->base),
				     .size = module->size };
}

static int load(struct vm *vm, struct loader_start *start, struct diag *why)
{
	struct loader_request request = {
		.kernel = file_named(vm->config->kernel),
		.initrd = file_named(vm->config->initrd),
		.cmdline = vm->config->cmdline,
	};
	int err = acpi_tables_write(vm, &request.rsdp, why);

	if (!err)
		err = smbios_write(vm, why);
	if (err)
		return err;
	return loader_load(vm, &request, start, why);
}

static void destroy_vcpus(struct vm *vm)
{
	for (uint32_t i = 0; i < vm->vcpu_count; i++) {
		if (vm->vcpus[i])
			vcpu_destroy(vm->vcpus[i]);
		vm->vcpus[i] = NULL;
	}
}

static int create_vcpus(struct vm *vm)
{
	int err = 0;

	for (uint32_t i = 0; i < vm->vcpu_count && !err; i++)
		err = vcpu_create(vm, i, next_cpu());
	if (err)
		destroy_vcpus(vm);
	return err;
}

/* What its vCPUs' CPUID shows; their addresses must reach all of its RAM. */
static int make_cpuid(struct vm *vm, struct diag *why)
{
	uint64_t hole = 4 * GIB - VM_LOW_RAM_MAX;
	uint8_t bits;

	vm->cpuid = cpuid_table_create(vm->vcpu_count, vm->config->cpu, why);
	if (!vm->cpuid)
		return -ENOTSUP;
	bits = cpuid_address_bits(vm->cpuid);
	if (vm->ram_size + hole <= BIT(bits))
		return 0;
	cpuid_table_destroy(vm->cpuid);
	return diag_set(why, -ENOTSUP,
			"memory: its CPU's addresses have %u bits", bits);
}

/* Everything but the struct itself, its name and its configuration. */
static void unmake(struct vm *vm)
{
	pc_destroy(vm);
	destroy_vcpus(vm);
	cpuid_table_destroy(vm->cpuid);
	while (guest_mem_drain(&vm->memory, 512))
		thread_window();
	guest_mem_fini(&vm->memory);
}

/* A kernel that is started without firmware finds what firmware would have set
 * up: MTRRs on, all memory write-back. */
static void begin_at(struct vm *vm, const struct loader_start *start)
{
	for (uint32_t i = 0; i < vm->vcpu_count; i++)
		vm->vcpus[i]->msr.mtrr_default =
			MTRR_DEFAULT_ENABLE | MTRR_WRITE_BACK;
	vm->vcpus[0]->regs = start->regs;
	vcpu_ops->write_state(vm->vcpus[0], &start->state);
}

/* What a VM has when it starts, be it for the first time or again. */
static int make(struct vm *vm, struct diag *why)
{
	struct loader_start *start;
	int err = diag_set(why, -ENOMEM, "not enough memory");

	start = heap_alloc(sizeof(*start));
	if (!start)
		return err;
	vm->lock = (struct spinlock)SPINLOCK_INIT(LOCK_RANK_VM);
	memset(&vm->ports, 0, sizeof(vm->ports));
	memset(&vm->mmio, 0, sizeof(vm->mmio));
	for (unsigned int i = 0; i < VM_TIMER_COUNT; i++)
		vm->deadlines[i] = TIME_NEVER;
	list_init(&vm->virtio_rests);
	vm->clock_base = time_now();
	vm->wall_base = time_wall();
	vm->tsc_offset = -x86_rdtsc();
	err = make_memory(vm);
	if (err)
		goto free_start;
	err = make_cpuid(vm, why);
	if (err)
		goto fini_memory;
	err = create_vcpus(vm);
	if (err)
		goto destroy_cpuid;
	err = pc_create(vm, why);
	if (err)
		goto destroy_vcpus;
	err = load(vm, start, why);
	if (err)
		goto destroy_pc;
	begin_at(vm, start);
	heap_free(start);
	return 0;

destroy_pc:
	pc_destroy(vm);
destroy_vcpus:
	destroy_vcpus(vm);
destroy_cpuid:
	cpuid_table_destroy(vm->cpuid);
fini_memory:
	guest_mem_fini(&vm->memory);
free_start:
	heap_free(start);
	return err;
}

static void finish(struct vm *vm);

/*
 * The threads begin parked. If memory lasts for some of them only, those are told
 * to leave at once, and the last one takes the VM down as always.
 */
static void start_vcpus(struct vm *vm)
{
	uint32_t count = 0;

	while (count < vm->vcpu_count && !vcpu_prepare(vm->vcpus[count]))
		count++;
	if (count < vm->vcpu_count)
		vm_fault(vm, "not enough memory for the threads of its vCPUs");
	if (count == 0) {
		finish(vm);
		return;
	}
	__atomic_store_n(&vm->running_vcpus, count, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < count; i++)
		thread_unpark(vm->vcpus[i]->thread);
}

static int start(struct vm *vm, struct diag *why)
{
	int err = make(vm, why);

	if (err)
		return err;
	vm->end = VM_END_NONE;
	vm->panicked = 0;
	vm->fault_claimed = 0;
	vm->state = VM_RUNNING;
	vm_console_connect(vm, true);
	log_debug("vm %s: starts", vm->name);
	start_vcpus(vm);
	return 0;
}

static void copy_name(struct vm *vm, struct slice name)
{
	fmt_print(vm->name, sizeof(vm->name), "%.*s", SLICE_ARGS(name));
}

/* With one VM in the machine, what it costs beside its own memory shows in the
 * difference to the line before. */
static void log_end_of_life(struct vm *vm)
{
	log_debug("vm %s: ends; %lu KiB of memory and %lu KiB of its tables; "
		  "machine: %lu KiB in use",
		  vm->name, vm->memory.own_size / KIB,
		  guest_mem_table_size(&vm->memory) / KIB, frame_used() / KIB);
}

int vm_launch(const struct config_vm *config, struct diag *why)
{
	struct vm *vm = heap_alloc(sizeof(*vm));
	struct config_vm *copy = heap_alloc(sizeof(*copy));
	int err = diag_set(why, -ENOMEM, "not enough memory");

	log_debug("vm %.*s: launched; machine: %lu KiB in use",
		  SLICE_ARGS(config->name), frame_used() / KIB);
	if (!vm || !copy)
		goto free;
	*copy = *config;
	vm->config = copy;
	copy_name(vm, config->name);
	vm->ram_size = config->memory;
	vm->vcpu_count = config->vcpus;
	vm->vcpus = heap_alloc(config->vcpus * sizeof(struct vcpu *));
	if (!vm->vcpus)
		goto free;
	err = pc_open_disks(vm, boot_info, why);
	if (err)
		goto free_vcpus;
	vm_console_open(vm);
	err = start(vm, why);
	if (!err)
		return 0;
	vm_console_close(vm);
	pc_close_disks(vm);
free_vcpus:
	heap_free(vm->vcpus);
free:
	heap_free(copy);
	heap_free(vm);
	return err;
}

static void forget(struct vm *vm)
{
	vm_console_close(vm);
	pc_close_disks(vm);
	log_debug("vm %s: gone; machine: %lu KiB in use", vm->name,
		  frame_used() / KIB);
	heap_free(vm->vcpus);
	heap_free((void *)vm->config);
	heap_free(vm);
}

static const char *const end_names[] = {
	[VM_END_POWER_OFF] = "powered off",
	[VM_END_RESET] = "reset",
	[VM_END_TRIPLE_FAULT] = "triple fault",
	[VM_END_EXIT] = "test exit",
	[VM_END_FAULT] = "fault",
	[VM_END_STOPPED] = "stopped",
};

static void announce_end(struct vm *vm, bool restarts)
{
	const char *again = restarts ? ", restarting" : "";
	const char *panicked = vm->panicked ? " after a kernel panic" : "";

	vm_console_flush(vm);
	if (vm->end == VM_END_EXIT)
		log_announce("basalt: vm %s: test exit with status %u",
			     vm->name, vm->exit_code);
	else if (vm->end == VM_END_FAULT)
		log_announce("basalt: vm %s: fault: %s", vm->name,
			     vm->fault.text);
	else
		log_announce("basalt: vm %s: %s%s%s", vm->name,
			     end_names[vm->end], panicked, again);
}

/* Nobody runs it any more: this is the last thread that knows it. */
static void finish(struct vm *vm)
{
	bool restarts =
		vm->end == VM_END_RESET || vm->end == VM_END_TRIPLE_FAULT;
	struct diag why;

	for (uint32_t i = 0; i < vm->vcpu_count; i++)
		trace_log_counts(vm->vcpus[i]);
	log_end_of_life(vm);
	announce_end(vm, restarts);
	vm_console_connect(vm, false);
	unmake(vm);
	if (!restarts) {
		vm->state = VM_GONE;
		forget(vm);
	} else if (start(vm, &why)) {
		log_announce("basalt: vm %s: cannot restart: %s", vm->name,
			     why.text);
		forget(vm);
	}
}

void vm_vcpu_left(struct vm *vm)
{
	/* acquire and release: the last one sees what the others did */
	if (__atomic_sub_fetch(&vm->running_vcpus, 1, __ATOMIC_ACQ_REL) == 0)
		finish(vm);
}

void vm_end(struct vm *vm, enum vm_end how)
{
	uint32_t none = VM_END_NONE;

	if (!__atomic_compare_exchange_n(&vm->end, &none, how, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	__atomic_store_n(&vm->state, VM_ENDING, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < vm->vcpu_count; i++)
		vcpu_request(vm->vcpus[i], REQUEST_STOP);
}

void vm_fault(struct vm *vm, const char *format, ...)
{
	uint32_t none = VM_END_NONE;
	va_list args;

	/* the text belongs to who ends the VM, so claim that first */
	if (!__atomic_compare_exchange_n(&vm->fault_claimed, &none, 1, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		return;
	va_start(args, format);
	fmt_print_v(vm->fault.text, sizeof(vm->fault.text), format, args);
	va_end(args);
	trace_log(16);
	vm_end(vm, VM_END_FAULT);
}

void vm_triple_fault(struct vcpu *vcpu)
{
	log_debug("vm %s: triple fault of vCPU %u at 0x%lx", vcpu->vm->name,
		  vcpu->number, vcpu->regs.rip);
	trace_log(16);
	vm_end(vcpu->vm, VM_END_TRIPLE_FAULT);
}
