#include "vm_machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame_machine.h"
#include "kernel/cpu/time.h"
#include "kernel/thread.h"
#include "svm/npt.h"

struct vm fake_vm;
struct vcpu fake_vcpus[FAKE_VCPUS_MAX];
uint64_t fake_now;
uint64_t fake_wall;
uint64_t fake_tsc_hz;
uint32_t fake_windows;
void (*fake_in_window)(void);
enum vm_end fake_end;
char fake_fault[DIAG_TEXT_MAX];
unsigned int fake_irq_count;
struct fake_irq fake_irqs[256];
unsigned int fake_msi_count;
uint64_t fake_msi_address;
uint32_t fake_msi_data;
char fake_console[4096];
uint32_t fake_console_size;
bool fake_console_is_full;
uint32_t fake_console_waits;

static struct vcpu *vcpu_list[FAKE_VCPUS_MAX];

static void add_ram(uint64_t size)
{
	frame_machine_reset(NULL);
	frame_machine_start_simple(GIB);
	if (guest_mem_init(&fake_vm.memory, &pt_format_npt, 2, 0) ||
	    guest_mem_add(&fake_vm.memory, GUEST_RAM, (gpa_t){ 0 }, size))
		abort();
}

void fake_vm_reset(uint32_t vcpu_count, uint64_t ram_size)
{
	memset(&fake_vm, 0, sizeof(fake_vm));
	memset(fake_vcpus, 0, sizeof(fake_vcpus));
	fake_now = fake_wall = 0;
	fake_tsc_hz = 1000000000;
	fake_windows = fake_irq_count = fake_msi_count = 0;
	fake_console_size = 0;
	fake_console_is_full = false;
	fake_console_waits = 0;
	fake_in_window = NULL;
	fake_end = VM_END_NONE;
	fake_fault[0] = '\0';
	fake_vm.lock = (struct spinlock)SPINLOCK_INIT(LOCK_RANK_VM);
	fake_vm.vcpu_count = vcpu_count;
	fake_vm.vcpus = vcpu_list;
	fake_vm.ram_size = ram_size;
	for (unsigned int i = 0; i < VM_TIMER_COUNT; i++)
		fake_vm.deadlines[i] = TIME_NEVER;
	list_init(&fake_vm.virtio_rests);
	for (uint32_t i = 0; i < vcpu_count; i++) {
		vcpu_list[i] = &fake_vcpus[i];
		fake_vcpus[i].vm = &fake_vm;
		fake_vcpus[i].number = i;
	}
	if (ram_size)
		add_ram(ram_size);
}

void vm_end(struct vm *vm, enum vm_end how)
{
	(void)vm;
	if (fake_end == VM_END_NONE)
		fake_end = how;
}

void vm_fault(struct vm *vm, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (fake_end == VM_END_NONE)
		vsnprintf(fake_fault, sizeof(fake_fault), format, args);
	va_end(args);
	vm_end(vm, VM_END_FAULT);
}

void vm_triple_fault(struct vcpu *vcpu)
{
	vm_end(vcpu->vm, VM_END_TRIPLE_FAULT);
}

void vm_set_irq(struct vm *vm, uint32_t gsi, bool level)
{
	(void)vm;
	fake_irqs[fake_irq_count++ % 256] = (struct fake_irq){ gsi, level };
}

void vm_send_msi(struct vm *vm, uint64_t address, uint32_t data)
{
	(void)vm;
	fake_msi_count++;
	fake_msi_address = address;
	fake_msi_data = data;
}

void vm_set_timer(struct vm *vm, enum vm_timer timer, uint64_t deadline)
{
	vm->deadlines[timer] = deadline;
}

uint64_t vm_time(const struct vm *vm)
{
	return fake_now - vm->clock_base;
}

uint64_t vm_wall_time(const struct vm *vm)
{
	return vm->wall_base + vm_time(vm);
}

void vm_console_write(struct vm *vm, const char *data, uint32_t size)
{
	(void)vm;
	for (uint32_t i = 0; i < size; i++) {
		if (fake_console_size < sizeof(fake_console))
			fake_console[fake_console_size++] = data[i];
	}
}

bool vm_console_has_room(struct vm *vm)
{
	(void)vm;
	return !fake_console_is_full;
}

void vm_console_wait(struct vm *vm)
{
	(void)vm;
	fake_console_waits++;
	fake_console_is_full = false;
}

void vcpu_request(struct vcpu *vcpu, uint32_t request)
{
	__atomic_fetch_or(&vcpu->requests, request, __ATOMIC_SEQ_CST);
}

void vcpu_arm_lapic_timer(struct vcpu *vcpu, uint64_t deadline)
{
	vcpu->lapic_timer.node.deadline = deadline;
}

void vcpu_skip_insn(struct vcpu *vcpu)
{
	vcpu->regs.rip += vcpu->exit.insn_len;
}

uint64_t vcpu_tsc(const struct vcpu *vcpu)
{
	return fake_now + vcpu->tsc_offset;
}

uint64_t time_now(void)
{
	return fake_now;
}

uint64_t time_wall(void)
{
	return fake_wall;
}

uint64_t time_tsc_hz(void)
{
	return fake_tsc_hz;
}

void thread_window(void)
{
	fake_windows++;
	if (fake_in_window)
		fake_in_window();
}
