/*
 * A VM of vCPUs with local APICs, for tests of interrupt controllers. Include it
 * once in a program, after cmocka.h.
 */
#ifndef FAKE_LAPIC_FIXTURE_H
#define FAKE_LAPIC_FIXTURE_H

#include <string.h>

#include "drivers/pc/lapic.h"
#include "drivers/pc/lapic_state.h"
#include "kernel/cpu/time.h"
#include "kernel/cpu/x86_regs.h"
#include "mm/heap.h"
#include "ram.h"
#include "vm_machine.h"

#define VCPUS_MAX  40 /* two and a half x2APIC clusters */
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#define BASE_XAPIC  (VM_LAPIC_BASE | APIC_BASE_ENABLE)
#define BASE_X2APIC (BASE_XAPIC | APIC_BASE_X2APIC)

static struct vcpu vcpus[VCPUS_MAX];
static struct vcpu *vcpu_pointers[VCPUS_MAX];

static inline void start(uint32_t count)
{
	fake_vm_reset(0, MIB);
	heap_init();
	fake_now = 1000 * NS_PER_SEC;
	memset(vcpus, 0, sizeof(vcpus));
	fake_vm.vcpus = vcpu_pointers;
	fake_vm.vcpu_count = count;
	for (uint32_t i = 0; i < count; i++) {
		vcpu_pointers[i] = &vcpus[i];
		vcpus[i].vm = &fake_vm;
		vcpus[i].number = i;
		vcpus[i].lapic_timer.node.deadline = TIME_NEVER;
		vcpus[i].lapic = lapic_create(&vcpus[i]);
		assert_non_null(vcpus[i].lapic);
		vcpus[i].requests = 0;
	}
}

static inline int teardown(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < fake_vm.vcpu_count; i++)
		lapic_destroy(vcpus[i].lapic);
	guest_mem_fini(&fake_vm.memory);
	fake_ram_fini();
	return 0;
}

static inline struct lapic *lapic_of(uint32_t number)
{
	return vcpus[number].lapic;
}

/* Registers of vCPU @number by their xAPIC offset: as memory and as MSRs. */
static inline uint32_t peek(uint32_t number, uint32_t offset)
{
	return (uint32_t)lapic_mmio_read(lapic_of(number), offset, 4);
}

static inline void poke(uint32_t number, uint32_t offset, uint32_t value)
{
	lapic_mmio_write(lapic_of(number), offset, 4, value);
}

static inline uint64_t read_msr(uint32_t number, uint32_t offset)
{
	uint64_t value = 0;

	assert_true(
		lapic_msr_read(lapic_of(number), 0x800 + offset / 16, &value));
	return value;
}

static inline bool write_msr(uint32_t number, uint32_t offset, uint64_t value)
{
	return lapic_msr_write(lapic_of(number), 0x800 + offset / 16, value);
}

/* Software-enabled, in xAPIC or x2APIC mode. */
static inline void enable_xapic(uint32_t number)
{
	poke(number, 0xf0, 0x1ff);
	vcpus[number].requests = 0;
}

static inline void enable_x2apic(uint32_t number)
{
	enable_xapic(number);
	assert_true(lapic_write_base(lapic_of(number), BASE_X2APIC));
	vcpus[number].requests = 0;
}

static inline void enable_all(void (*enable)(uint32_t number))
{
	for (uint32_t i = 0; i < fake_vm.vcpu_count; i++)
		enable(i);
}

/* The requests since the last look. */
static inline uint32_t take_requests(uint32_t number)
{
	uint32_t requests = vcpus[number].requests;

	vcpus[number].requests = 0;
	return requests;
}

/* What event injection does: the next vector goes in, or says why not. */
static inline int inject(uint32_t number)
{
	int vector = lapic_next_vector(lapic_of(number));

	if (vector >= 0)
		lapic_take_vector(lapic_of(number), (uint8_t)vector);
	return vector;
}

#endif
