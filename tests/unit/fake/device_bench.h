/*
 * A bench for virtual devices: port accesses, lines and time, over vm_machine.
 * Include it once in a program, after cmocka.h.
 */
#ifndef FAKE_DEVICE_BENCH_H
#define FAKE_DEVICE_BENCH_H

#include <string.h>

#include "kernel/cpu/time.h"
#include "kernel/io.h"
#include "vm_machine.h"

/* When the VM started: what forgets clock_base is wrong by this much. */
#define BENCH_START (7 * NS_PER_SEC + 123)

static bool bench_lines[VM_GSI_COUNT];

/* A VM of @vcpu_count vCPUs that starts now. */
static inline void bench_reset(uint32_t vcpu_count, uint64_t ram_size)
{
	fake_vm_reset(vcpu_count, ram_size);
	fake_vm.clock_base = fake_now = BENCH_START;
	memset(bench_lines, 0, sizeof(bench_lines));
}

static inline uint64_t bench_in(uint64_t port, unsigned int size)
{
	return io_read(&fake_vm, &fake_vm.ports, port, size);
}

static inline void bench_out(uint64_t port, unsigned int size, uint64_t value)
{
	io_write(&fake_vm, &fake_vm.ports, port, size, value);
}

static inline uint8_t in8(uint64_t port)
{
	return (uint8_t)bench_in(port, 1);
}

static inline void out8(uint64_t port, uint64_t value)
{
	bench_out(port, 1, value);
}

/* Times line @gsi went high since this was last called for any line. */
static inline unsigned int bench_take_rises(uint32_t gsi)
{
	unsigned int rises = 0;

	assert_true(fake_irq_count <= 256);
	for (unsigned int i = 0; i < fake_irq_count; i++) {
		const struct fake_irq *irq = &fake_irqs[i];

		assert_true(irq->gsi < VM_GSI_COUNT);
		if (irq->gsi == gsi && irq->level && !bench_lines[gsi])
			rises++;
		bench_lines[irq->gsi] = irq->level;
	}
	fake_irq_count = 0;
	return rises;
}

static inline bool bench_is_high(uint32_t gsi)
{
	bench_take_rises(gsi);
	return bench_lines[gsi];
}

/* Let it be @time ns since the VM started, firing @timer on the way as it asks
 * for it; how often line @gsi rose. */
static inline unsigned int bench_run(uint64_t time, enum vm_timer timer,
				     void (*fire)(void), uint32_t gsi)
{
	uint64_t *deadline = &fake_vm.deadlines[timer];
	uint64_t end = fake_vm.clock_base + time;
	unsigned int rises = bench_take_rises(gsi);

	while (*deadline <= end) {
		if (*deadline > fake_now)
			fake_now = *deadline;
		*deadline = TIME_NEVER;
		fire();
		rises += bench_take_rises(gsi);
	}
	fake_now = end;
	return rises;
}

#endif
