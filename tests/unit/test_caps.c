/* Which SVM and VMX Basalt accepts, and how they are listed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
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

static void vmx_needs_what_it_needs(void **state)
{
	static const struct {
		size_t word;
		uint64_t bit;
		const char *name;
	} needed[] = {
		{ offsetof(struct vmx_caps, processor), BIT(63), "secondary" },
		{ offsetof(struct vmx_caps, processor2), BIT(33), "ept" },
		{ offsetof(struct vmx_caps, processor2), BIT(39),
		  "unrestricted" },
		{ offsetof(struct vmx_caps, ept_vpid), BIT(6), "ept-4-level" },
		{ offsetof(struct vmx_caps, ept_vpid), BIT(14),
		  "ept-write-back" },
		{ offsetof(struct vmx_caps, ept_vpid), BIT(20), "invept" },
	};
	struct vmx_caps caps = good_vmx;
	struct diag why;

	(void)state;
	assert_int_equal(vmx_caps_check(&caps, &why), 0);
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		caps = good_vmx;
		*(uint64_t *)((char *)&caps + needed[i].word) &= ~needed[i].bit;
		assert_int_equal(vmx_caps_check(&caps, &why), -ENOTSUP);
		assert_non_null(strstr(why.text, needed[i].name));
	}
	caps = good_vmx;
	caps.feature_control = FEATURE_CONTROL_LOCK;
	assert_int_equal(vmx_caps_check(&caps, &why), -ENOTSUP);
	assert_non_null(strstr(why.text, "firmware"));
	caps.feature_control = 0; /* not locked: Basalt may turn it on */
	assert_int_equal(vmx_caps_check(&caps, &why), 0);
	caps.has_vmx = false;
	assert_int_equal(vmx_caps_check(&caps, &why), -ENODEV);
}

static void vmx_is_listed(void **state)
{
	char text[400];

	(void)state;
	vmx_caps_print(&good_vmx, text, sizeof(text));
	assert_non_null(strstr(text, "revision 0x12: "));
	assert_non_null(strstr(text, " unrestricted-guest"));
	assert_non_null(strstr(text, " preemption-timer"));
	assert_null(strstr(text, "posted-interrupts"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(svm_needs_what_it_needs),
		cmocka_unit_test(svm_is_listed),
		cmocka_unit_test(vmx_needs_what_it_needs),
		cmocka_unit_test(vmx_is_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
