/* Which SVM and VMX Basalt accepts, and how they are listed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/errno.h"
#include "svm/svm_caps.h"
#include "vmx/vmx_caps.h"

/* As a first-generation EPYC has it. */
static const struct svm_caps good_svm = { true, 1, 32768, 0x1bcff, 0 };

/* As a Skylake server has it. */
static const struct vmx_caps good_vmx = {
	.has_vmx = true,
	.feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX,
	.basic = 0xda040000000012UL,
	.pin = 0x7f00000016UL,
	.processor = 0xfff9fffe04006172UL,
	.processor2 = 0x2177fff00000000UL,
	.exit = 0x1ffffff00036dfbUL,
	.entry = 0x3ffff000011fbUL,
	.ept_vpid = 0xf0106334141UL,
};

static void svm_needs_what_it_needs(void **state)
{
	struct svm_caps caps = good_svm;
	struct diag why;

	(void)state;
	assert_int_equal(svm_caps_check(&caps, &why), 0);
	caps.has_svm = false;
	assert_int_equal(svm_caps_check(&caps, &why), -ENODEV);
	caps = good_svm;
	caps.vm_cr = VM_CR_SVMDIS;
	assert_int_equal(svm_caps_check(&caps, &why), -ENOTSUP);
	assert_non_null(strstr(why.text, "firmware"));
	caps = good_svm;
	caps.features &= ~(uint32_t)SVM_FEATURE_NESTED_PAGING;
	assert_int_equal(svm_caps_check(&caps, &why), -ENOTSUP);
	assert_non_null(strstr(why.text, "nested paging"));
	caps = good_svm;
	caps.asid_count = 1;
	assert_int_equal(svm_caps_check(&caps, &why), -ENOTSUP);
	assert_non_null(strstr(why.text, "1 ASIDs"));
}

static void svm_is_listed(void **state)
{
	struct svm_caps caps = { true, 1, 16, BIT(0) | BIT(3) | BIT(16), 0 };
	char text[200];

	(void)state;
	svm_caps_print(&caps, text, sizeof(text));
	assert_string_equal(
		text,
		"revision 1, 16 ASIDs: nested-paging nrip-save virtual-gif");
	caps.features = UINT32_MAX;
	svm_caps_print(&caps, text, 40);
	assert_int_equal(strlen(text), 39);
}

/* A word of the capabilities. */
#define WORD(name) offsetof(struct vmx_caps, name)

static uint64_t *word_of(struct vmx_caps *caps, size_t word)
{
	return (uint64_t *)((char *)caps + word);
}

static const struct {
	size_t word;
	uint64_t bit;
	const char *name;
} needed[] = {
	{ WORD(basic), BIT(55), "true-controls" },
	{ WORD(processor), BIT(63), "secondary-controls" },
	{ WORD(pin), BIT(37), "virtual-nmis" },
	{ WORD(exit), BIT(51), "exit-load-pat" },
	{ WORD(exit), BIT(53), "exit-load-efer" },
	{ WORD(entry), BIT(46), "entry-load-pat" },
	{ WORD(entry), BIT(47), "entry-load-efer" },
	{ WORD(processor2), BIT(33), "ept" },
	{ WORD(processor2), BIT(39), "unrestricted-guest" },
	{ WORD(ept_vpid), BIT(6), "ept-4-level" },
	{ WORD(ept_vpid), BIT(14), "ept-write-back" },
	{ WORD(ept_vpid), BIT(20), "invept" },
	{ WORD(ept_vpid), BIT(26), "invept-all" },
};

/* These and no others. */
static void vmx_needs_what_it_needs(void **state)
{
	struct vmx_caps caps = good_vmx;
	struct diag why;
	char text[60];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		caps = good_vmx;
		*word_of(&caps, needed[i].word) &= ~needed[i].bit;
		assert_int_equal(vmx_caps_check(&caps, &why), -ENOTSUP);
		snprintf(text, sizeof(text), "VMX without %s; Basalt needs it",
			 needed[i].name);
		assert_string_equal(why.text, text);
	}
	memset(&caps, 0, sizeof(caps));
	caps.has_vmx = true;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		assert_int_equal(vmx_caps_check(&caps, &why), -ENOTSUP);
		*word_of(&caps, needed[i].word) |= needed[i].bit;
	}
	assert_int_equal(vmx_caps_check(&caps, &why), 0);
}

static void vmx_may_be_off_in_the_firmware(void **state)
{
	struct vmx_caps caps = good_vmx;
	struct diag why;

	(void)state;
	assert_int_equal(vmx_caps_check(&caps, &why), 0);
	caps.feature_control = FEATURE_CONTROL_LOCK;
	assert_int_equal(vmx_caps_check(&caps, &why), -ENOTSUP);
	assert_non_null(strstr(why.text, "firmware"));
	/* in SMX only */
	caps.feature_control = FEATURE_CONTROL_LOCK | BIT(1);
	assert_int_equal(vmx_caps_check(&caps, &why), -ENOTSUP);
	caps.feature_control = 0; /* not locked: Basalt may turn it on */
	assert_int_equal(vmx_caps_check(&caps, &why), 0);
	caps.has_vmx = false;
	assert_int_equal(vmx_caps_check(&caps, &why), -ENODEV);
}

/* The local APIC's work is left to the CPU if it can do all of it; but registers
 * may be read by exits. */
static void vmx_does_apic_work_or_not(void **state)
{
	static const struct {
		size_t word;
		uint64_t missing;
		uint32_t controls;
	} rows[] = {
		{ offsetof(struct vmx_caps, misc), 0, 0x310 },
		{ offsetof(struct vmx_caps, processor2), BIT(40), 0x210 },
		{ offsetof(struct vmx_caps, processor2), BIT(36), 0 },
		{ offsetof(struct vmx_caps, processor2), BIT(41), 0 },
		{ offsetof(struct vmx_caps, processor), BIT(53), 0 },
		{ offsetof(struct vmx_caps, processor), BIT(60), 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vmx_caps caps = good_vmx;

		*(uint64_t *)(void *)((char *)&caps + rows[i].word) &=
			~rows[i].missing;
		assert_int_equal(vmx_caps_controls(&caps).x2apic,
				 rows[i].controls);
	}
	assert_false(vmx_caps_controls(&good_vmx).processor2 & 0x310);
}

static void vmx_is_listed(void **state)
{
	char text[500];

	(void)state;
	vmx_caps_print(&good_vmx, text, sizeof(text));
	assert_non_null(strstr(text, "revision 0x12: "));
	assert_non_null(strstr(text, " unrestricted-guest"));
	assert_non_null(strstr(text, " preemption-timer"));
	assert_null(strstr(text, "posted-interrupts"));
	memset(text, '!', sizeof(text));
	vmx_caps_print(&good_vmx, text, 40);
	assert_int_equal(strlen(text), 39);
	for (size_t i = 40; i < sizeof(text); i++)
		assert_int_equal(text[i], '!');
}

/* The words of controls, and what is wanted of each where the CPU has all. */
static const struct {
	size_t word, controls;
	uint32_t wanted;
} words[] = {
	{ WORD(pin), offsetof(struct vmx_controls, pin),
	  BIT(0) | BIT(3) | BIT(5) | BIT(6) },
	{ WORD(processor), offsetof(struct vmx_controls, processor),
	  (uint32_t)(BIT(3) | BIT(7) | BIT(10) | BIT(11) | BIT(21) | BIT(24) |
		     BIT(28) | BIT(29) | BIT(31)) },
	{ WORD(processor2), offsetof(struct vmx_controls, processor2),
	  BIT(1) | BIT(3) | BIT(5) | BIT(6) | BIT(7) | BIT(10) | BIT(12) |
		  BIT(15) | BIT(20) },
	{ WORD(exit), offsetof(struct vmx_controls, exit),
	  BIT(2) | BIT(9) | BIT(18) | BIT(19) | BIT(20) | BIT(21) | BIT(22) },
	{ WORD(entry), offsetof(struct vmx_controls, entry),
	  BIT(2) | BIT(14) | BIT(15) },
};

/* A CPU that has every control and forces none. */
static struct vmx_caps all_of_vmx(void)
{
	struct vmx_caps caps = good_vmx;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		*word_of(&caps, words[i].word) = ~0UL << 32;
	caps.ept_vpid = ~0UL;
	return caps;
}

static uint32_t controls_of(const struct vmx_caps *caps, size_t row)
{
	struct vmx_controls controls = vmx_caps_controls(caps);

	return *(uint32_t *)((char *)&controls + words[row].controls);
}

static void expect_controls(size_t row, unsigned int bit, uint32_t found,
			    uint32_t expected)
{
	if (found != expected)
		fail_msg("word %zu, bit %u: 0x%x, not 0x%x", row, bit, found,
			 expected);
}

/* SDM 3D A.3 "VM-Execution Controls": bits 31:0 must be 1, bits 63:32 may be. */
static void controls_are_what_is_forced_or_wanted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		for (unsigned int bit = 0; bit < 32; bit++) {
			struct vmx_caps caps = all_of_vmx();

			*word_of(&caps, words[i].word) |= BIT(bit);
			expect_controls(i, bit, controls_of(&caps, i),
					words[i].wanted | (uint32_t)BIT(bit));
		}
	}
}

/* What the CPU lacks, and what is of no use without it or stands in for it. */
static void controls_lack_what_the_cpu_lacks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		for (unsigned int bit = 0; bit < 32; bit++) {
			struct vmx_caps caps = all_of_vmx();
			uint32_t expected =
				words[i].wanted & ~(uint32_t)BIT(bit);

			*word_of(&caps, words[i].word) &= ~BIT(32 + bit);
			if (words[i].word == WORD(processor) && bit == 21)
				expected |= BIT(19) | BIT(20);
			expect_controls(i, bit, controls_of(&caps, i),
					expected);
		}
	}
}

/* The timer has to keep its value across exits. */
static void the_timer_is_two_controls(void **state)
{
	struct vmx_caps caps = all_of_vmx();
	struct vmx_controls controls;

	(void)state;
	caps.pin &= ~BIT(32 + 6);
	controls = vmx_caps_controls(&caps);
	assert_false(controls.pin & BIT(6));
	assert_false(controls.exit & BIT(22));
	caps = all_of_vmx();
	caps.exit &= ~BIT(32 + 22);
	controls = vmx_caps_controls(&caps);
	assert_false(controls.pin & BIT(6));
	assert_false(controls.exit & BIT(22));
}

/* INVVPID, and of all contexts. */
static void tags_are_of_use_if_they_can_be_given_anew(void **state)
{
	static const uint64_t bits[] = { BIT(32), BIT(42) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bits); i++) {
		struct vmx_caps caps = all_of_vmx();

		caps.ept_vpid &= ~bits[i];
		assert_int_equal(vmx_caps_controls(&caps).processor2,
				 words[2].wanted & ~BIT(5));
	}
}

static void controls_of_a_real_cpu(void **state)
{
	struct vmx_controls controls = vmx_caps_controls(&good_vmx);

	(void)state;
	assert_int_equal(controls.pin, 0x7f);
	assert_int_equal(controls.processor, 0xb5206dfa);
	assert_int_equal(controls.processor2, 0x1014ea);
	assert_int_equal(controls.exit, 0x7f6fff);
	assert_int_equal(controls.entry, 0xd1ff);
}

/* Each word of its own, and firmware that has turned VMX off there. */
static void cpus_are_alike(void **state)
{
	static const struct {
		size_t word;
		uint64_t bit;
	} rows[] = {
		{ offsetof(struct vmx_caps, basic), BIT(0) },
		{ offsetof(struct vmx_caps, pin), BIT(32 + 6) },
		{ offsetof(struct vmx_caps, processor), BIT(32 + 21) },
		{ offsetof(struct vmx_caps, processor2), BIT(32 + 10) },
		{ offsetof(struct vmx_caps, processor2), BIT(32 + 8) },
		{ offsetof(struct vmx_caps, exit), BIT(32 + 22) },
		{ offsetof(struct vmx_caps, exit), BIT(32 + 18) },
		{ offsetof(struct vmx_caps, entry), BIT(4) },
		{ offsetof(struct vmx_caps, misc), BIT(0) },
		{ offsetof(struct vmx_caps, cr0_fixed0), BIT(5) },
		{ offsetof(struct vmx_caps, cr0_fixed1), BIT(5) },
		{ offsetof(struct vmx_caps, cr4_fixed0), BIT(13) },
		{ offsetof(struct vmx_caps, cr4_fixed1), BIT(13) },
		{ offsetof(struct vmx_caps, ept_vpid), BIT(16) },
		{ offsetof(struct vmx_caps, feature_control),
		  FEATURE_CONTROL_VMX },
	};
	struct vmx_caps other = good_vmx;

	(void)state;
	assert_true(vmx_caps_match(&good_vmx, &other));
	other.feature_control |= BIT(20); /* of no account */
	assert_true(vmx_caps_match(&good_vmx, &other));
	other.has_vmx = false;
	assert_false(vmx_caps_match(&good_vmx, &other));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		other = good_vmx;
		*(uint64_t *)((char *)&other + rows[i].word) ^= rows[i].bit;
		assert_false(vmx_caps_match(&good_vmx, &other));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(svm_needs_what_it_needs),
		cmocka_unit_test(svm_is_listed),
		cmocka_unit_test(vmx_needs_what_it_needs),
		cmocka_unit_test(vmx_may_be_off_in_the_firmware),
		cmocka_unit_test(vmx_does_apic_work_or_not),
		cmocka_unit_test(vmx_is_listed),
		cmocka_unit_test(controls_are_what_is_forced_or_wanted),
		cmocka_unit_test(controls_lack_what_the_cpu_lacks),
		cmocka_unit_test(the_timer_is_two_controls),
		cmocka_unit_test(tags_are_of_use_if_they_can_be_given_anew),
		cmocka_unit_test(controls_of_a_real_cpu),
		cmocka_unit_test(cpus_are_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
