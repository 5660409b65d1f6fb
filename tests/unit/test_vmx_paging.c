/* Control registers, EFER and PAE's entries in the VMCS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "ram.h"
#include "vmx_guest.h"

#define PDPTS 0x2000UL
#define STALE 0x5a5a5a5aUL

/* Bits of the mask are ours: the guest sees the shadow. The others are its own. */
static void masks_control_registers(void **state)
{
	struct vcpu_state in = some_state(), out;
	struct cpu_mode mode;

	(void)state;
	vmx.cr0_mask = CR0_NE | CR0_CD | CR0_NW;
	vmx.cr0_fixed = CR0_NE;
	vmx.cr4_mask = CR4_VMXE | CR4_MCE;
	vmx.cr4_fixed = CR4_VMXE;
	in.cr0 = CR0_PE | CR0_CD | CR0_WP;
	in.cr4 = CR4_MCE | CR4_PSE;
	vmx_write_state(cpu, &in);
	assert_int_equal(fake_vmcs[VMCS_GUEST_CR0], CR0_PE | CR0_WP | CR0_NE);
	assert_int_equal(fake_vmcs[VMCS_GUEST_CR4], CR4_PSE | CR4_VMXE);
	vmx_read_mode(cpu, &mode);
	assert_int_equal(mode.cr0, in.cr0);
	assert_int_equal(mode.cr4, in.cr4);
	/* the guest has changed what is its own */
	fake_vmcs[VMCS_GUEST_CR0] ^= CR0_WP | CR0_TS;
	fake_vmcs[VMCS_GUEST_CR4] ^= CR4_PSE | CR4_PGE;
	vmx_read_state(cpu, &out);
	assert_int_equal(out.cr0, CR0_PE | CR0_CD | CR0_TS);
	assert_int_equal(out.cr4, CR4_MCE | CR4_PGE);
	vmx_read_mode(cpu, &mode);
	assert_int_equal(mode.cr0, out.cr0);
	assert_int_equal(mode.cr4, out.cr4);
}

/* The CPU refuses an entry where the control and EFER.LMA differ. */
static void long_mode_is_a_control(void **state)
{
	struct vcpu_state in = some_state();

	(void)state;
	vmx.controls.entry = BIT(2) | BIT(14) | BIT(15);
	in.efer = EFER_LME | EFER_LMA;
	in.cr4 = CR4_PAE;
	vmx_write_state(cpu, &in);
	assert_int_equal(fake_vmcs[VMCS_ENTRY_CONTROLS],
			 BIT(2) | BIT(9) | BIT(14) | BIT(15));
	assert_int_equal(fake_vmcs[VMCS_GUEST_EFER], EFER_LME | EFER_LMA);
	in.efer = EFER_LME;
	in.cr0 = NO_PE | CR0_PE;
	vmx_write_state(cpu, &in);
	assert_int_equal(fake_vmcs[VMCS_ENTRY_CONTROLS],
			 BIT(2) | BIT(14) | BIT(15));
}

static void put_pdptes(uint64_t first)
{
	uint64_t entries[4] = { first, first + 1, first + 2, first + 3 };

	assert_int_equal(guest_write(&fake_vm.memory, (gpa_t){ PDPTS }, entries,
				     sizeof(entries)),
			 0);
}

static void expect_pdptes(size_t row, uint64_t first, uint64_t step)
{
	for (unsigned int i = 0; i < 4; i++)
		expect_row(row, "PDPTE", fake_vmcs[0x280a + 2 * i],
			   first + step * i);
}

static int setup_ram(void **state)
{
	(void)state;
	make_guest(2 * MIB);
	return 0;
}

static int teardown_ram(void **state)
{
	guest_mem_fini(&fake_vm.memory);
	fake_ram_fini();
	return teardown(state);
}

/* From a state with PAE paging; only what changes there is in a row. */
static void loads_pdptes_as_mov_does(void **state)
{
	static const struct {
		uint64_t cr0, cr3, cr4, efer; /* to be flipped */
		bool is_loaded;
	} rows[] = {
		{ 0, 0, 0, 0, false },
		{ CR0_TS | CR0_WP, 0, 0, 0, false },
		{ 0, 0, CR4_OSFXSR | CR4_TSD, 0, false },
		{ 0, 0, 0, EFER_NXE, false },
		{ CR0_CD, 0, 0, 0, true },
		{ CR0_CD | CR0_NW, 0, 0, 0, true },
		{ 0, 0x1f, 0, 0, true }, /* bits that are no address */
		{ 0, 0, CR4_PGE, 0, true },
		{ 0, 0, CR4_PSE, 0, true },
		{ 0, 0, CR4_SMEP, 0, true },
		/* no PAE paging any more */
		{ CR0_PG, 0, 0, 0, false },
		{ 0, 0, CR4_PAE, 0, false },
		{ CR0_PG, 0x1000, 0, 0, false },
		{ 0, 0x1000, 0, EFER_LMA, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vcpu_state in = some_state();

		in.cr0 = NO_PE;
		vmx_write_state(cpu, &in);
		put_pdptes(0x1001);
		in.cr0 = PAGED;
		in.cr3 = PDPTS;
		in.cr4 = CR4_PAE;
		vmx_write_state(cpu, &in);
		expect_pdptes(i, 0x1001, 1);
		put_pdptes(0x8001);
		in.cr0 ^= rows[i].cr0;
		in.cr3 ^= rows[i].cr3;
		in.cr4 ^= rows[i].cr4;
		in.efer ^= rows[i].efer;
		vmx_write_state(cpu, &in);
		expect_pdptes(i, rows[i].is_loaded ? 0x8001 : 0x1001, 1);
	}
}

/* Each of what turns PAE paging on loads them. */
static void turning_pae_on_loads_pdptes(void **state)
{
	struct vcpu_state in = some_state();

	(void)state;
	put_pdptes(0x1001);
	in.cr3 = PDPTS;
	in.cr4 = 0;
	vmx_write_state(cpu, &in);
	expect_pdptes(0, 0, 0);
	in.cr4 = CR4_PAE;
	vmx_write_state(cpu, &in);
	expect_pdptes(1, 0x1001, 1);
	in.cr0 = NO_PE | CR0_PE;
	vmx_write_state(cpu, &in);
	put_pdptes(0x8001);
	in.cr0 = PAGED;
	vmx_write_state(cpu, &in);
	expect_pdptes(2, 0x8001, 1);
}

static void pdptes_of_no_memory_are_absent(void **state)
{
	struct vcpu_state in = some_state();

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		fake_vmcs[0x280a + 2 * i] = STALE;
	in.cr4 = CR4_PAE;
	in.cr3 = 2 * MIB - 8;
	vmx_write_state(cpu, &in);
	expect_pdptes(0, 0, 0);
	in.cr3 = 4 * MIB;
	fake_vmcs[0x280a] = STALE;
	vmx_write_state(cpu, &in);
	expect_pdptes(1, 0, 0);
}

#define WITH_RAM(name) \
	cmocka_unit_test_setup_teardown(name, setup_ram, teardown_ram)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATION(masks_control_registers),
		OPERATION(long_mode_is_a_control),
		WITH_RAM(loads_pdptes_as_mov_does),
		WITH_RAM(turning_pae_on_loads_pdptes),
		WITH_RAM(pdptes_of_no_memory_are_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
