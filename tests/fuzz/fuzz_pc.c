/*
 * The whole virtual PC under any sequence of accesses, steps of time, input and
 * interrupts taken. After each: no lock is left, a read gives no more than was
 * asked for, a device that was served asks for a later time (so no guest makes
 * a storm of them), and lines stay within those there are.
 */
#include <stdlib.h>
#include <string.h>

#include "drivers/pc/lapic.h"
#include "drivers/pc/pc_state.h"
#include "drivers/pci/pci.h"
#include "kernel/cpu/time.h"
#include "mm/heap.h"
#include "vm_machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define VCPUS	 2
#define STEP_MAX (20 * NS_PER_SEC)

static const struct config_vm config = { .has_testdev = true };
static uint64_t heap_empty;

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* One step: what, in which region, where in it, and a value. */
struct step {
	uint8_t operation;
	uint8_t region;
	uint16_t offset;
	uint32_t value;
} __attribute__((packed));

enum operation {
	PORT_READ,
	PORT_WRITE,
	MEMORY_READ,
	MEMORY_WRITE,
	ANY_PORT,
	WAIT,
	WAIT_FOR_TIMER,
	INPUT,
	POWER_BUTTON,
	TAKE_EXTINT,
	END_OF_INTERRUPT,
	DMA,
	OPERATIONS
};

static void start(void)
{
	static bool is_started;

	if (is_started)
		return;
	is_started = true;
	fake_vm_reset(VCPUS, 4 * MIB);
	heap_init();
	for (uint32_t i = 0; i < VCPUS; i++) {
		fake_vcpus[i].lapic = lapic_create(&fake_vcpus[i]);
		require(fake_vcpus[i].lapic);
	}
	fake_vm.config = &config;
	heap_empty = heap_used();
}

static void begin(void)
{
	struct diag why;

	start();
	fake_vm.clock_base = fake_now = NS_PER_SEC;
	fake_vm.wall_base = 1700000000 * NS_PER_SEC;
	for (unsigned int i = 0; i < VM_TIMER_COUNT; i++)
		fake_vm.deadlines[i] = TIME_NEVER;
	for (uint32_t i = 0; i < VCPUS; i++)
		lapic_reset(fake_vcpus[i].lapic, false);
	fake_end = VM_END_NONE;
	fake_irq_count = fake_console_size = 0;
	require(!pc_create(&fake_vm, &why));
}

static void end(void)
{
	pc_destroy(&fake_vm);
	require(!fake_vm.pc && !fake_vm.pci);
	require(fake_vm.ports.count == 0 && fake_vm.mmio.count == 0);
	require(heap_used() == heap_empty);
}

/* What vm_set_irq of the machine does at once. */
static void pass_lines(void)
{
	unsigned int count = fake_irq_count > 256 ? 256 : fake_irq_count;

	for (unsigned int i = 0; i < count; i++) {
		require(fake_irqs[i].gsi < VM_GSI_COUNT);
		pc_set_irq(&fake_vm, fake_irqs[i].gsi, fake_irqs[i].level);
	}
	fake_irq_count = 0;
}

static void serve_timers(void)
{
	for (unsigned int i = 0; i < VM_TIMER_COUNT; i++) {
		if (fake_vm.deadlines[i] > fake_now)
			continue;
		fake_vm.deadlines[i] = TIME_NEVER;
		pc_timer_fire(&fake_vm, i);
		require(fake_vm.deadlines[i] > fake_now);
	}
}

static void wait_for_timer(void)
{
	uint64_t earliest = TIME_NEVER;

	for (unsigned int i = 0; i < VM_TIMER_COUNT; i++)
		earliest = min_u64(earliest, fake_vm.deadlines[i]);
	if (earliest > fake_now && earliest - fake_now < 100 * STEP_MAX)
		fake_now = earliest;
}

/* 1, 2, 4 and, in memory, 8 bytes; anywhere in a region or a bit beyond. */
static void access(struct io_space *space, const struct step *step,
		   bool is_write)
{
	const struct io_region *region =
		&space->regions[step->region % space->count];
	uint64_t at = region->base + step->offset % (region->size + 1);
	unsigned int shift = step->operation >> 4 & 3;
	unsigned int size =
		1U << (shift == 3 && space == &fake_vm.ports ? 0 : shift);
	uint64_t value = step->value * (size == 8 ? 0x100000001UL : 1);

	value &= BITS(8 * size - 1, 0);
	if (is_write)
		io_write(&fake_vm, space, at, size, value);
	else
		require((io_read(&fake_vm, space, at, size) &
			 ~BITS(8 * size - 1, 0)) == 0);
}

/* A descriptor of fw_cfg, somewhere. */
static void dma(const struct step *step)
{
	uint32_t words[4] = {
		__builtin_bswap32(step->value),
		__builtin_bswap32((uint32_t)step->region << 4),
		0,
		__builtin_bswap32((uint32_t)step->offset << 8),
	};
	uint32_t at = step->offset * 67U;

	guest_write(&fake_vm.memory, (gpa_t){ at }, words, sizeof(words));
	io_write(&fake_vm, &fake_vm.ports, VFW_CFG_DMA_PORT + 4, 4,
		 __builtin_bswap32(at));
}

static void run(const struct step *step)
{
	struct io_space *ports = &fake_vm.ports, *mmio = &fake_vm.mmio;
	uint64_t time = (uint64_t)step->value << (step->region & 3);

	switch (step->operation % 16 % OPERATIONS) {
	case PORT_READ: access(ports, step, false); break;
	case PORT_WRITE: access(ports, step, true); break;
	case MEMORY_READ: access(mmio, step, false); break;
	case MEMORY_WRITE: access(mmio, step, true); break;
	case ANY_PORT:
		io_write(&fake_vm, ports, step->offset, 4, step->value);
		io_read(&fake_vm, ports, step->offset, 4);
		break;
	case WAIT: fake_now += time % STEP_MAX; break;
	case WAIT_FOR_TIMER: wait_for_timer(); break;
	case INPUT:
		pc_console_input(&fake_vm, (const char *)step, sizeof(*step));
		break;
	case POWER_BUTTON: pc_press_power_button(&fake_vm); break;
	case TAKE_EXTINT:
		if (pc_has_extint(&fake_vm))
			pc_take_extint(&fake_vm);
		break;
	case END_OF_INTERRUPT:
		pc_end_of_interrupt(&fake_vm, (uint8_t)step->value);
		break;
	case DMA: dma(step); break;
	default: break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct step step;

	begin();
	for (; size >= sizeof(step) && fake_end != VM_END_FAULT;
	     data += sizeof(step), size -= sizeof(step)) {
		memcpy(&step, data, sizeof(step));
		run(&step);
		pass_lines();
		serve_timers();
		pass_lines();
		require(fake_vm.lock.next == fake_vm.lock.owner);
	}
	end();
	return 0;
}
