/* VMCALL and VMMCALL: Linux Documentation/virt/kvm/x86/hypercalls.rst. */
#include "tests/guest/guest.h"

#define KVM_HC_VAPIC_POLL_IRQ 1

static int64_t vmmcall(uint64_t number)
{
	int64_t result;

	asm volatile("vmmcall" : "=a"(result) : "a"(number) : "memory");
	return result;
}

static int64_t vmcall(uint64_t number)
{
	int64_t result;

	asm volatile("vmcall" : "=a"(result) : "a"(number) : "memory");
	return result;
}

void case_hypercall_unknown(void)
{
	CHECK_EQ(vmmcall(0xffff), -1000);
	CHECK_EQ(vmcall(0xffff), -1000);
	CHECK_EQ(vmmcall(~0UL), -1000);
	/* 64-bit code: all of RAX is the number */
	CHECK_EQ(vmmcall(BIT(32) | KVM_HC_VAPIC_POLL_IRQ), -1000);
}

void case_hypercall_poll_irq(void)
{
	CHECK_EQ(vmmcall(KVM_HC_VAPIC_POLL_IRQ), 0);
	CHECK_EQ(vmcall(KVM_HC_VAPIC_POLL_IRQ), 0);
}

static void call_in_user(void *argument)
{
	int64_t *results = argument;

	results[0] = vmmcall(KVM_HC_VAPIC_POLL_IRQ);
	results[1] = vmcall(0xffff);
}

void case_hypercall_user(void)
{
	int64_t results[2] = { 0, 0 };

	user_run(call_in_user, results);
	CHECK_EQ(results[0], -1);
	CHECK_EQ(results[1], -1);
}

/* Only RAX changes. */
void case_hypercall_registers(void)
{
	uint64_t a = 0xffff, b = 1, c = 2, d = 3, si = 4, di = 5;

	asm volatile("vmmcall"
		     : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+S"(si), "+D"(di));
	CHECK_EQ(a, -1000);
	CHECK_EQ(b << 16 | c << 12 | d << 8 | si << 4 | di, 0x12345);
}
