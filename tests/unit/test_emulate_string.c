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

/* An exit for string I/O at port 0x70, which the CPU has allowed. */
static void tell_io(uint8_t size, bool is_in)
{
	struct vmexit *exit = &MACHINE_VCPU->exit;

	exit->reason = EXIT_IO;
	exit->io.port = 0x70;
	exit->io.size = size;
	exit->io.is_in = is_in;
	exit->io.is_string = true;
}

/* A device takes longer than RAM, and interrupts are off. */
static void rep_gives_way_sooner_at_devices(void **state)
{
	(void)state;
	GPR(RCX) = 40;
	GPR(RSI) = MACHINE_DATA;
	GPR(RDX) = 0x70;
	CODE(0xf3, 0x6e); /* rep outsb */
	tell_io(1, false);
	assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_DONE);
	assert_int_equal(GPR(RCX), 24);
	assert_int_equal(machine_port_out, 16);
	assert_int_equal(MACHINE_REGS->rip, MACHINE_CODE);
	GPR(RCX) = 40;
	GPR(RDI) = MACHINE_DEVICE;
	CODE(0xf3, 0xa4); /* rep movsb to a device, then from it */
	assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_DONE);
	assert_int_equal(GPR(RCX), 24);
	GPR(RSI) = MACHINE_DEVICE;
	GPR(RDI) = MACHINE_DATA;
	assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_DONE);
	assert_int_equal(GPR(RCX), 8);
	assert_int_equal(machine_reads, 16);
	GPR(RCX) = 40;
	GPR(RDI) = VM_LAPIC_BASE;
	GPR(RAX) = 0;
	CODE(0xf3, 0xab); /* rep stosd */
	assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_DONE);
	assert_int_equal(GPR(RCX), 24);
}

/* 16 elements at most, wherever in them the device begins. */
static void rep_gives_way_behind_ram(void **state)
{
	(void)state;
	machine_set_pte(1, MACHINE_DEVICE | MACHINE_PTE);
	GPR(RCX) = 200;
	GPR(RDI) = MACHINE_DATA + PAGE_SIZE - 100;
	CODE(0xf3, 0xaa); /* rep stosb */
	assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_DONE);
	assert_in_range(machine_writes, 1, 16);
	GPR(RDI) = MACHINE_DATA + PAGE_SIZE - 4;
	GPR(RCX) = 20;
	machine_writes = 0;
	CODE(0xf3, 0x48, 0xab); /* rep stosq: the first is half in RAM */
	assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_DONE);
	assert_int_equal(GPR(RCX), 4);
}

/* Nothing is done, and the guest would execute it again. */
static void not_done(void)
{
	struct vcpu_regs before = *MACHINE_REGS;

	assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_DONE);
	assert_memory_equal(&before, MACHINE_REGS, sizeof(before));
	assert_int_equal(MACHINE_VCPU->event.kind, EVENT_NONE);
	assert_int_equal(machine_port_in + machine_port_out, 0);
}

/* The code was changed after the exit: the CPU has not checked this I/O. */
static void string_io_is_what_exited(void **state)
{
	(void)state;
	MACHINE_STATE->cpl = 3;
	GPR(RDX) = 0x70;
	GPR(RSI) = GPR(RDI) = MACHINE_DATA;
	CODE(0x6e); /* outsb */
	tell(MACHINE_DEVICE, ACCESS_WRITE);
	not_done();
	tell_io(1, true);
	not_done();
	tell_io(2, false);
	not_done();
	tell_io(1, false);
	MACHINE_VCPU->exit.io.is_string = false;
	not_done();
	tell_io(1, false);
	GPR(RDX) = 0x10071;
	not_done();
	CODE(0x6c); /* insb */
	GPR(RDX) = 0x70;
	not_done();
	tell_io(1, true);
	GPR(RDX) = 0x10070; /* DX is the port */
	done(1);
	assert_int_equal(machine_port_in, 1);
}

static void string_io(void **state)
{
	(void)state;
	tell_io(4, true);
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
	tell_io(1, false);
	done(2);
	assert_memory_equal(machine_port_bytes, "ba", 2);
	assert_int_equal(GPR(RSI), MACHINE_DATA - 1);
	/* the port is not read if there is no place for what it gives */
	machine_set_pte(0, 0);
	machine_port_in = 0;
	GPR(RDI) = MACHINE_DATA;
	CODE(0x6c);
	tell_io(1, true);
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
		TEST(rep_gives_way_sooner_at_devices),
		TEST(rep_gives_way_behind_ram),
		TEST(string_io_is_what_exited),
		TEST(string_io),
		TEST(single_step),
		TEST(locked_increments_are_not_lost),
		TEST(cmpxchg16b_is_one_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
