/* What exits lead to that no instruction explains: an exception for a process of
 * the guest, the end of the VM for its kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "emulate_steps.h"
#include "fake.h"
#include "kernel/exit.h"
#include "kernel/lib/log.h"
#include "kernel/thread.h"

void thread_yield(void)
{
}

/* Handle it at @cpl: the vector raised, or 0. */
static uint8_t handle(uint8_t cpl)
{
	struct vcpu_regs before = *MACHINE_REGS;
	struct event *event = &MACHINE_VCPU->event;

	MACHINE_STATE->cpl = cpl;
	fake_end = VM_END_NONE;
	fake_log_reset();
	event->kind = EVENT_NONE;
	exit_handle(MACHINE_VCPU);
	assert_memory_equal(&before, MACHINE_REGS, sizeof(before));
	/* a process could do it over and over */
	assert_int_equal(fake_log_count[LOG_DEBUG], 0);
	return event->kind == EVENT_EXCEPTION ? event->vector : 0;
}

static void unknown_instruction(void **state)
{
	(void)state;
	CODE(0xc5, 0xfe, 0x6f, 0x07); /* vmovdqu ymm0, [rdi] */
	tell(MACHINE_DEVICE, ACCESS_READ);
	assert_int_equal(handle(3), VECTOR_UD);
	assert_int_equal(fake_end, VM_END_NONE);
	assert_int_equal(handle(0), 0);
	assert_int_equal(fake_end, VM_END_FAULT);
	assert_string_equal(fake_fault, "vCPU 0: unknown instruction c5 fe 6f "
					"07 90 90 90 90 at 0x1000000");
}

/* The code was mapped to a device since the access. */
static void code_that_became_a_device(void **state)
{
	(void)state;
	MACHINE_REGS->rip = MACHINE_DEVICE;
	tell(MACHINE_DEVICE, ACCESS_READ);
	assert_int_equal(handle(3), VECTOR_UD);
	assert_int_equal(fake_end, VM_END_NONE);
	assert_int_equal(handle(0), 0);
	assert_int_equal(fake_end, VM_END_FAULT);
}

static void jump_to_a_device(void **state)
{
	(void)state;
	MACHINE_REGS->rip = MACHINE_DEVICE;
	tell(MACHINE_DEVICE, ACCESS_EXECUTE);
	assert_int_equal(handle(3), VECTOR_UD);
	assert_int_equal(fake_end, VM_END_NONE);
	assert_int_equal(handle(0), 0);
	assert_int_equal(fake_end, VM_END_FAULT);
}

static void page_table_at_a_device(void **state)
{
	(void)state;
	CODE(0x90);
	tell(MACHINE_DEVICE, ACCESS_WRITE);
	MACHINE_VCPU->exit.memory.is_table_walk = true;
	assert_int_equal(handle(3), VECTOR_GP);
	assert_true(MACHINE_VCPU->event.has_error);
	assert_int_equal(MACHINE_VCPU->event.error_code, 0);
	assert_int_equal(fake_end, VM_END_NONE);
	assert_int_equal(handle(0), 0);
	assert_int_equal(fake_end, VM_END_FAULT);
}

/* The instruction at RIP would have been executed at the device. */
static void stack_at_a_device(void **state)
{
	struct event event = { .kind = EVENT_INTERRUPT, .vector = 0x31 };
	struct vcpu_regs before;

	(void)state;
	CODE(0x48, 0x89, 0x07); /* mov [rdi], rax */
	before = *MACHINE_REGS;
	tell(MACHINE_DEVICE, ACCESS_WRITE);
	MACHINE_STATE->cpl = 3;
	MACHINE_VCPU->event = event;
	fake_end = VM_END_NONE;
	exit_handle(MACHINE_VCPU);
	assert_int_equal(fake_end, VM_END_FAULT);
	assert_memory_equal(&before, MACHINE_REGS, sizeof(before));
	MACHINE_VCPU->event.kind = EVENT_NONE;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unknown_instruction), TEST(code_that_became_a_device),
		TEST(jump_to_a_device),	   TEST(page_table_at_a_device),
		TEST(stack_at_a_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
