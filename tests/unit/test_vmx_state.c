/* The guest's registers in the VMCS: what is written, and what is read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake.h"
#include "vmx_guest.h"

#define RIGHTS_ES 0x4814

static void reads_back_what_is_written(void **state)
{
	struct vcpu_state in = some_state(), out;
	struct segment segment;

	(void)state;
	memset(&out, 0, sizeof(out));
	memset(&segment, 0, sizeof(segment));
	vmx_write_state(cpu, &in);
	vmx_read_state(cpu, &out);
	assert_memory_equal(&in, &out, sizeof(in));
	for (unsigned int i = 0; i < SEGMENT_COUNT; i++) {
		vmx_read_segment(cpu, i, &segment);
		assert_memory_equal(&segment, &in.segments[i], sizeof(segment));
	}
}

/* Where: SDM 3D appendix B "Field Encoding in VMCS". */
static void writes_each_field(void **state)
{
	static const struct {
		uint16_t field;
		uint64_t value;
	} rows[] = {
		{ 0x6816, 0x1234 },    { 0x4810, 0xff },    { 0x6818, 0x5678 },
		{ 0x4812, 0xfff },     { 0x6800, PAGED },   { 0x6004, PAGED },
		{ 0x6802, 0x3000 },    { 0x6804, CR4_PSE }, { 0x6006, CR4_PSE },
		{ 0x2806, EFER_NXE },  { 0x681a, 0x402 },   { 0x4012, 0 },
		{ 0x0800, 8 },	       { 0x0802, 16 },	    { 0x080c, 56 },
		{ 0x080e, 64 },	       { 0x4800, 0xfff },   { 0x480e, 0x1006 },
		{ RIGHTS_ES, 0xc093 }, { 0x481e, 0xc093 },  { 0x4820, 0x82 },
		{ 0x4822, 0x8b },      { 0x6806, 0x10000 }, { 0x6814, 0x10007 },
	};
	struct vcpu_state in = some_state();

	(void)state;
	vmx_write_state(cpu, &in);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		expect_row(i, "field", fake_vmcs[rows[i].field], rows[i].value);
	assert_int_equal(vmx.live[VMX_LIVE_CR2], 0xdead000);
	assert_int_equal(vmx.live[VMX_LIVE_DR6], DR6_RESET | DR6_BS);
}

/* Rights as the CPU accepts them; what is read back has them too. */
static void marks_segments(void **state)
{
	static const struct {
		enum segment_name name;
		uint16_t attributes;
		uint64_t rights;
		uint16_t read;
	} rows[] = {
		{ SEGMENT_CS, 0xa9b, 0xa09b, 0xa9b },
		{ SEGMENT_CS, 0x29a, 0x209b, 0x29b }, /* accessed */
		{ SEGMENT_DS, 0xd92, 0xd093, 0xd93 },
		{ SEGMENT_ES, 0x0f3, 0x00f3, 0x0f3 },
		{ SEGMENT_FS, 0x000, 0x10000, 0x000 }, /* null */
		{ SEGMENT_GS, 0xc13, 0x1c013, 0xc13 },
		{ SEGMENT_TR, 0x089, 0x008b, 0x08b }, /* busy */
		{ SEGMENT_TR, 0x081, 0x0083, 0x083 },
		{ SEGMENT_TR, 0x08b, 0x008b, 0x08b },
		{ SEGMENT_LDTR, 0x082, 0x0082, 0x082 }, /* has no such bit */
		{ SEGMENT_LDTR, 0x002, 0x10002, 0x002 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vcpu_state in = some_state();
		struct segment out;

		in.segments[rows[i].name].attributes = rows[i].attributes;
		vmx_write_state(cpu, &in);
		vmx_read_segment(cpu, rows[i].name, &out);
		expect_row(i, "rights", fake_vmcs[RIGHTS_ES + 2 * rows[i].name],
			   rows[i].rights);
		expect_row(i, "attributes", out.attributes, rows[i].read);
	}
}

/* Whatever else an exit saves of it. */
static void an_unusable_segment_is_not_present(void **state)
{
	struct segment out;

	(void)state;
	fake_vmcs[RIGHTS_ES + 2 * SEGMENT_GS] = 0x1c0f3;
	vmx_read_segment(cpu, SEGMENT_GS, &out);
	assert_int_equal(out.attributes, 0xc73);
}

/* The CPU has no CPL but SS's DPL, which a null SS has too. */
static void keeps_the_cpl_in_ss(void **state)
{
	static const struct {
		uint16_t attributes;
		uint8_t cpl;
		uint64_t rights;
	} rows[] = {
		{ 0xc93, 0, 0xc093 },  { 0xc93, 3, 0xc0f3 },
		{ 0xcf3, 0, 0xc093 },  { 0xcf3, 1, 0xc0b3 },
		{ 0x000, 3, 0x10060 }, { 0x000, 0, 0x10000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vcpu_state in = some_state(), out;
		struct cpu_mode mode;

		in.segments[SEGMENT_SS].attributes = rows[i].attributes;
		in.cpl = rows[i].cpl;
		vmx_write_state(cpu, &in);
		vmx_read_state(cpu, &out);
		vmx_read_mode(cpu, &mode);
		expect_row(i, "rights", fake_vmcs[0x4818], rows[i].rights);
		expect_row(i, "CPL", out.cpl, rows[i].cpl);
		expect_row(i, "mode's CPL", mode.cpl, rows[i].cpl);
		expect_row(i, "selector", fake_vmcs[0x804], 24);
	}
}

static void tells_the_code_size(void **state)
{
	static const struct {
		uint64_t rights, efer;
		uint8_t size;
	} rows[] = {
		{ 0x9b, 0, 2 },
		{ 0xc09b, 0, 4 },
		{ 0xa09b, EFER_LME, 2 }, /* L means nothing yet */
		{ 0xa09b, EFER_LME | EFER_LMA, 8 },
		{ 0xc09b, EFER_LME | EFER_LMA, 4 }, /* compatibility */
		{ 0x9b, EFER_LME | EFER_LMA, 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct cpu_mode mode;

		fake_vmcs[0x4816] = rows[i].rights;
		fake_vmcs[0x2806] = rows[i].efer;
		fake_vmcs[0x6802] = 0x7000 + i;
		vmx_read_mode(cpu, &mode);
		expect_row(i, "size", mode.code_size, rows[i].size);
		expect_row(i, "EFER", mode.efer, rows[i].efer);
		expect_row(i, "CR3", mode.cr3, 0x7000 + i);
	}
}

static const struct {
	uint32_t msr;
	uint16_t field; /* 0: live */
	enum vmx_live live;
} msrs[] = {
	{ 0xc0000080, 0x2806, 0 },
	{ 0xc0000100, 0x680e, 0 },
	{ 0xc0000101, 0x6810, 0 },
	{ 0x174, 0x482a, 0 },
	{ 0x175, 0x6824, 0 },
	{ 0x176, 0x6826, 0 },
	{ 0x277, 0x2804, 0 },
	{ 0x1d9, 0x2802, 0 },
	{ 0xc0000081, 0, VMX_LIVE_STAR },
	{ 0xc0000082, 0, VMX_LIVE_LSTAR },
	{ 0xc0000083, 0, VMX_LIVE_CSTAR },
	{ 0xc0000084, 0, VMX_LIVE_SFMASK },
	{ 0xc0000102, 0, VMX_LIVE_KERNEL_GS_BASE },
};

static void keeps_msrs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++)
		vmx_write_msr(cpu, msrs[i].msr, 0x1000 + i);
	for (size_t i = 0; i < ARRAY_SIZE(msrs); i++) {
		expect_row(i, "place",
			   msrs[i].field ? fake_vmcs[msrs[i].field]
					 : vmx.live[msrs[i].live],
			   0x1000 + i);
		expect_row(i, "MSR", vmx_read_msr(cpu, msrs[i].msr),
			   0x1000 + i);
	}
	assert_int_equal(vmx.live[VMX_LIVE_CR2], 0);
	assert_int_equal(vmx.live[VMX_LIVE_DR6], 0);
}

/* Our bug, not the guest's: it gets no further than msr_policy.c. */
static void knows_no_other_msr(void **state)
{
	(void)state;
	if (!setjmp(fake_panic_jump)) {
		fake_panic_expected = true;
		vmx_read_msr(cpu, MSR_TSC_AUX);
		fail();
	}
	assert_string_equal(fake_panic_text,
			    "vmx: MSR 0xc0000103 is not in the VMCS");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		OPERATION(reads_back_what_is_written),
		OPERATION(writes_each_field),
		OPERATION(marks_segments),
		OPERATION(an_unusable_segment_is_not_present),
		OPERATION(keeps_the_cpl_in_ss),
		OPERATION(tells_the_code_size),
		OPERATION(keeps_msrs),
		cmocka_unit_test_setup(knows_no_other_msr, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
