/*
 * A VM of vCPUs with CPUID, local APICs and a fake back end, for tests of what a
 * CPU does. Include it once in a program, after cmocka.h.
 */
#ifndef FAKE_CPU_FIXTURE_H
#define FAKE_CPU_FIXTURE_H

#include <string.h>

#include "cpuid.h"
#include "drivers/pc/lapic.h"
#include "kernel/cpu/x86_regs.h"
#include "kernel/exit_msr.h"
#include "mm/heap.h"
#include "ops.h"
#include "ram.h"

#define FIXTURE_RAM (2 * MIB)
#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)

/* vCPU 0. */
static struct vcpu *const cpu = &fake_vcpus[0];
static struct fake_backend *const backend = &fake_backends[0];

/* @count vCPUs of a VM on @model, after RESET but in 64-bit mode. */
static inline void cpu_start(enum fake_cpu_model model, uint32_t count)
{
	fake_vm_reset(count, FIXTURE_RAM);
	heap_init();
	fake_ops_reset();
	fake_cpuid_use(model);
	fake_vm.cpuid = fake_cpuid_table(count);
	for (uint32_t i = 0; i < count; i++) {
		fake_vcpus[i].lapic = lapic_create(&fake_vcpus[i]);
		assert_non_null(fake_vcpus[i].lapic);
		fake_vcpus[i].exit.insn_len = 2;
		msr_reset(&fake_vcpus[i], false);
		lapic_reset(fake_vcpus[i].lapic, false);
		fake_ops_long_mode(&fake_vcpus[i], 0);
		fake_vcpus[i].xcr0 = XCR0_X87;
		fake_vcpus[i].requests = 0;
	}
}

static inline void cpu_stop(void)
{
	for (uint32_t i = 0; i < fake_vm.vcpu_count; i++)
		lapic_destroy(fake_vcpus[i].lapic);
	cpuid_table_destroy(fake_vm.cpuid);
	guest_mem_fini(&fake_vm.memory);
	fake_ram_fini();
}

static inline int setup(void **state)
{
	(void)state;
	cpu_start(FAKE_CPU_AMD, 2);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	cpu_stop();
	return 0;
}

/* Did the exit end in #@vector, with RIP where it was? Forgets it. */
static inline void assert_raised(struct vcpu *vcpu, uint8_t vector)
{
	assert_int_equal(vcpu->event.kind, EVENT_EXCEPTION);
	assert_int_equal(vcpu->event.vector, vector);
	assert_int_equal(vcpu->regs.rip, 0);
	vcpu->event.kind = EVENT_NONE;
}

/* Did it end well, behind the instruction? */
static inline void assert_skipped(struct vcpu *vcpu)
{
	assert_int_equal(vcpu->event.kind, EVENT_NONE);
	assert_int_equal(vcpu->regs.rip, vcpu->exit.insn_len);
	vcpu->regs.rip = 0;
}

#endif
