/* A vCPU whose VMCS is the fake one. Included once, after cmocka.h. */
#ifndef VMX_GUEST_H
#define VMX_GUEST_H

#include <string.h>

#include "kernel/cpu/x86_regs.h"
#include "vm_machine.h"
#include "vmx/vmx_asm.h"
#include "vmx/vmx_vcpu.h"

static struct vmx_vcpu vmx;
static struct vcpu *cpu;

static inline void make_guest(uint64_t ram_size)
{
	fake_vm_reset(1, ram_size);
	memset(fake_vmcs, 0, sizeof(fake_vmcs));
	fake_vmcs_use = (struct fake_vmcs_use){ 0 };
	vmx = (struct vmx_vcpu){ 0 };
	cpu = &fake_vcpus[0];
	cpu->backend = &vmx;
}

static inline int setup(void **state)
{
	(void)state;
	make_guest(0);
	return 0;
}

/* An operation touches the VMCS between vmx_open and vmx_close only. */
static inline int teardown(void **state)
{
	(void)state;
	assert_true(fake_vmcs_use.opens > 0);
	assert_int_equal(fake_vmcs_use.opens, fake_vmcs_use.closes);
	assert_int_equal(fake_vmcs_use.strays, 0);
	return 0;
}

#define OPERATION(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* Which row of a table failed. */
static inline void expect_row(size_t row, const char *what, uint64_t value,
			      uint64_t expected)
{
	if (value != expected)
		fail_msg("row %zu: %s is 0x%lx, not 0x%lx", row, what, value,
			 expected);
}

#define NO_PE (CR0_ET | CR0_NE)
#define PAGED (NO_PE | CR0_PE | CR0_PG)

/* In protected mode, everything different from everything else. */
static inline struct vcpu_state some_state(void)
{
	struct vcpu_state some;

	memset(&some, 0, sizeof(some));
	for (unsigned int i = 0; i < SEGMENT_COUNT; i++)
		some.segments[i] =
			(struct segment){ (uint16_t)(8 + 8 * i), 0xc93,
					  0xfff + i, 0x10000 + i };
	some.segments[SEGMENT_LDTR].attributes = 0x82;
	some.segments[SEGMENT_TR].attributes = 0x8b;
	some.gdtr = (struct table_register){ 0x1234, 0xff };
	some.idtr = (struct table_register){ 0x5678, 0xfff };
	some.cr0 = PAGED;
	some.cr2 = 0xdead000;
	some.cr3 = 0x3000;
	some.cr4 = CR4_PSE;
	some.efer = EFER_NXE;
	some.dr6 = DR6_RESET | DR6_BS;
	some.dr7 = DR7_RESET | 2;
	return some;
}

#endif
