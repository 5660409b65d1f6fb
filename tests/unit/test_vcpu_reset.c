/* What a vCPU begins with after RESET and after INIT. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cpu_fixture.h"
#include "kernel/cpu/time.h"

static uint8_t area[4096];

static int setup_reset(void **state)
{
	setup(state);
	cpu->xsave = area;
	memset(area, 0xff, sizeof(area));
	return 0;
}

static void reset_is_table_9_1(void **state)
{
	struct vcpu_state *now = &backend->state;

	(void)state;
	vcpu_reset(cpu, false);
	assert_int_equal(cpu->regs.rip, 0xfff0);
	assert_int_equal(cpu->regs.rflags, 2);
	assert_int_equal(now->cr0, 0x60000010);
	assert_int_equal(now->cr4 | now->cr3 | now->cr2 | now->efer, 0);
	assert_int_equal(now->segments[SEGMENT_CS].selector, 0xf000);
	assert_int_equal(now->segments[SEGMENT_CS].base, 0xffff0000);
	assert_int_equal(now->segments[SEGMENT_CS].limit, 0xffff);
	assert_int_equal(now->segments[SEGMENT_DS].attributes, 0x93);
	assert_int_equal(now->gdtr.limit, 0xffff);
	assert_int_equal(now->dr6, 0xffff0ff0);
	assert_int_equal(now->dr7, 0x400);
	assert_int_equal(cpu->xcr0, 1);
	assert_int_equal(area[0] | area[1] << 8, 0x37f);
	assert_int_equal(area[24] | area[25] << 8, 0x1f80);
	assert_int_equal(area[512], 0); /* no state in use */
}

/* EDX tells family, model and stepping, and so what CPUID does. */
static void rdx_is_the_model(void **state)
{
	struct diag why;

	(void)state;
	for (unsigned int is_init = 0; is_init < 2; is_init++) {
		vcpu_reset(cpu, is_init);
		assert_int_equal(cpu->regs.gpr[GPR_RDX], 0x00b00f21);
		assert_int_equal(cpu->regs.gpr[GPR_RAX], 0);
	}
	cpuid_table_destroy(fake_vm.cpuid);
	fake_vm.cpuid = cpuid_table_create(2, CONFIG_CPU_V3, &why);
	vcpu_reset(cpu, false);
	assert_int_equal(cpu->regs.gpr[GPR_RDX], 0x00800f12);
}

static void init_keeps(void **state)
{
	(void)state;
	cpu->xcr0 = 7;
	backend->state.cr0 = CR0_PE | CR0_PG | CR0_ET;
	vcpu_reset(cpu, true);
	assert_int_equal(backend->state.cr0, CR0_ET);
	backend->state.cr0 = CR0_PE | CR0_CD;
	vcpu_reset(cpu, true);
	assert_int_equal(backend->state.cr0, CR0_ET | CR0_CD);
	assert_int_equal(cpu->xcr0, 7);
	assert_int_equal(area[0], 0xff);
}

static void only_the_first_runs(void **state)
{
	(void)state;
	fake_vcpus[1].xsave = area;
	for (unsigned int i = 0; i < 2; i++)
		vcpu_reset(&fake_vcpus[i], false);
	assert_int_equal(fake_vcpus[0].activity, ACTIVITY_RUNNING);
	assert_int_equal(fake_vcpus[1].activity, ACTIVITY_WAIT_FOR_STARTUP);
}

#define RESET_TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup_reset, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RESET_TEST(reset_is_table_9_1),
		RESET_TEST(rdx_is_the_model),
		RESET_TEST(init_keeps),
		RESET_TEST(only_the_first_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
