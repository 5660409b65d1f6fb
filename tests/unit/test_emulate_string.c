/* REP, string I/O, single steps and LOCK in the emulator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <cmocka.h>

#include "emulate_steps.h"

static void rep_gives_way(void **state)
{
	(void)state;
	GPR(RCX) = 3000;
	GPR(RDI) = MACHINE_DATA;
	GPR(RAX) = 0x5a;
	CODE(0xf3, 0xaa); /* rep stosb */
	for (uint64_t left = 3000; left > 1024; left -= 1024) {
		assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_DONE);
		assert_int_equal(MACHINE_REGS->rip, MACHINE_CODE);
		assert_int_equal(GPR(RCX), left - 1024);
		assert_int_equal(GPR(RDI), MACHINE_DATA + 3000 - GPR(RCX));
		assert_true(MACHINE_REGS->rflags & RFLAGS_RF);
	}
	assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_DONE);
	assert_int_equal(MACHINE_REGS->rip, MACHINE_CODE + 2);
	assert_false(MACHINE_REGS->rflags & RFLAGS_RF);
	assert_int_equal(GPR(RCX), 0);
	assert_int_equal(ram(MACHINE_DATA + 2992), 0x5a5a5a5a5a5a5a5a);
	assert_int_equal(ram(MACHINE_DATA + 3000), 0);
}

static void rep_of_nothing(void **state)
{
	(void)state;
	GPR(RDI) = 0x800000000000; /* not looked at */
	CODE(0xf3, 0xaa);
	done(2);
	assert_int_equal(GPR(RDI), 0x800000000000);
}

/* What was done before a fault stays done, and can be gone on with. */
static void rep_faults_in_the_middle(void **state)
{
	(void)state;
	machine_set_pte(1, 0);
	GPR(RCX) = 16;
	GPR(RDI) = MACHINE_DATA + PAGE_SIZE - 24;
	GPR(RAX) = 7;
	CODE(0xf3, 0x48, 0xab); /* rep stosq */
	assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_FAULTED);
	assert_int_equal(MACHINE_VCPU->event.vector, VECTOR_PF);
	assert_int_equal(MACHINE_VCPU->event.address, MACHINE_DATA + PAGE_SIZE);
	assert_int_equal(MACHINE_VCPU->event.error_code, 2);
	assert_int_equal(GPR(RCX), 13);
	assert_int_equal(GPR(RDI), MACHINE_DATA + PAGE_SIZE);
	assert_int_equal(MACHINE_REGS->rip, MACHINE_CODE);
	MACHINE_VCPU->event.kind = EVENT_NONE;
	machine_map_data(false);
	done(3);
	assert_int_equal(GPR(RCX), 0);
	assert_int_equal(ram(MACHINE_DATA + PAGE_SIZE + 96), 7);
}

static void string_io(void **state)
{
	(void)state;
	memcpy(machine_port_bytes, "abcdefgh", 8);
	GPR(RDX) = 0x70;
	GPR(RCX) = 2;
	GPR(RDI) = MACHINE_DATA;
	CODE(0xf3, 0x6d); /* rep insd */
	done(2);
	assert_int_equal(ram(MACHINE_DATA), 0x6867666564636261);
	assert_int_equal(GPR(RDI), MACHINE_DATA + 8);
	GPR(RSI) = MACHINE_DATA + 1;
	GPR(RCX) = 2;
	MACHINE_REGS->rflags |= RFLAGS_DF;
	CODE(0xf3, 0x6e); /* rep outsb, backwards */
	done(2);
	assert_memory_equal(machine_port_bytes, "ba", 2);
	assert_int_equal(GPR(RSI), MACHINE_DATA - 1);
	/* the port is not read if there is no place for what it gives */
	machine_set_pte(0, 0);
	machine_port_in = 0;
	GPR(RDI) = MACHINE_DATA;
	CODE(0x6c);
	page_faults(MACHINE_DATA, 2);
	assert_int_equal(machine_port_in, 0);
}

/* ---- single steps ---- */

static void single_step(void **state)
{
	(void)state;
	MACHINE_REGS->rflags |= RFLAGS_TF;
	MACHINE_VCPU->is_shadowed = true;
	CODE(0x89, 0xc3);
	assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_DONE);
	assert_int_equal(MACHINE_VCPU->event.kind, EVENT_EXCEPTION);
	assert_int_equal(MACHINE_VCPU->event.vector, VECTOR_DB);
	assert_true(MACHINE_STATE->dr6 & BIT(14));
	assert_int_equal(MACHINE_REGS->rip, MACHINE_CODE + 2);
	assert_false(MACHINE_VCPU->is_shadowed);
	GPR(RCX) = 3;
	GPR(RDI) = MACHINE_DATA;
	CODE(0xf3, 0xaa); /* rep stosb: a step an element */
	assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_DONE);
	assert_int_equal(MACHINE_VCPU->event.vector, VECTOR_DB);
	assert_int_equal(GPR(RCX), 2);
	assert_int_equal(MACHINE_REGS->rip, MACHINE_CODE);
}

/* ---- LOCK ---- */

#define INCREMENTS 20000

static void *increment(void *word)
{
	for (unsigned int i = 0; i < INCREMENTS; i++)
		__atomic_fetch_add((uint32_t *)word, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* Another CPU increments the same word. REPLACE_TRIES_MAX lost races leave RIP,
 * and then it counts as not executed. */
static void locked_increments_are_not_lost(void **state)
{
	void *word = guest_pointer(&fake_vm.memory, (gpa_t){ MACHINE_DATA },
				   ACCESS_WRITE);
	unsigned int count = 0;
	pthread_t other;

	(void)state;
	CODE(0xf0, 0xff, 0x07); /* lock inc dword [rdi] */
	GPR(RDI) = MACHINE_DATA;
	assert_int_equal(pthread_create(&other, NULL, increment, word), 0);
	while (count < INCREMENTS) {
		MACHINE_REGS->rip = MACHINE_CODE;
		assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_DONE);
		count += MACHINE_REGS->rip != MACHINE_CODE;
	}
	pthread_join(other, NULL);
	assert_int_equal(ram(MACHINE_DATA), 2 * INCREMENTS);
}

static void *increment_pair(void *pair)
{
	unsigned __int128 *at = pair;

	for (unsigned int i = 0; i < INCREMENTS; i++)
		__atomic_fetch_add((uint64_t *)at, 1, __ATOMIC_RELAXED);
	return NULL;
}

static void cmpxchg16b_is_one_step(void **state)
{
	void *pair = guest_pointer(&fake_vm.memory, (gpa_t){ MACHINE_DATA },
				   ACCESS_WRITE);
	unsigned int count = 0;
	pthread_t other;

	(void)state;
	CODE(0xf0, 0x48, 0x0f, 0xc7, 0x0f); /* lock cmpxchg16b [rdi] */
	GPR(RDI) = MACHINE_DATA;
	assert_int_equal(pthread_create(&other, NULL, increment_pair, pair), 0);
	while (count < INCREMENTS) {
		MACHINE_REGS->rip = MACHINE_CODE;
		GPR(RBX) = GPR(RAX) + 1;
		GPR(RCX) = GPR(RDX);
		MACHINE_REGS->rflags &= ~RFLAGS_ZF;
		assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_DONE);
		count += (MACHINE_REGS->rflags & RFLAGS_ZF) != 0;
	}
	pthread_join(other, NULL);
	assert_int_equal(ram(MACHINE_DATA), 2 * INCREMENTS);
	assert_int_equal(ram(MACHINE_DATA + 8), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rep_gives_way),
		TEST(rep_of_nothing),
		TEST(rep_faults_in_the_middle),
		TEST(string_io),
		TEST(single_step),
		TEST(locked_increments_are_not_lost),
		TEST(cmpxchg16b_is_one_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
