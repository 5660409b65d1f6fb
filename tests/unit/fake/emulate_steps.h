/* Steps of the emulator's tests. Include it once in a program, after cmocka.h. */
#ifndef FAKE_EMULATE_STEPS_H
#define FAKE_EMULATE_STEPS_H

#include <string.h>

#include "emulate_machine.h"
#include "kernel/cpu/x86_regs.h"
#include "kernel/emulate_context.h"

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, machine_setup, machine_teardown)

/* CODE(0x8b, 0x07): put it at RIP, with NOPs behind it. */
#define CODE(...)                                  \
	put_code((const uint8_t[]){ __VA_ARGS__ }, \
		 sizeof((const uint8_t[]){ __VA_ARGS__ }))

#define GPR(name) (MACHINE_REGS->gpr[GPR_##name])

static inline void put_code(const uint8_t *bytes, unsigned int size)
{
	uint8_t page[32];

	memset(page, 0x90, sizeof(page));
	memcpy(page, bytes, size);
	machine_code(page, sizeof(page));
	MACHINE_VCPU->event.kind = EVENT_NONE;
}

static inline void done(unsigned int length)
{
	uint64_t rip = MACHINE_REGS->rip;

	assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_DONE);
	assert_int_equal(MACHINE_REGS->rip, rip + length);
	assert_int_equal(MACHINE_VCPU->exit.insn_len, length);
	assert_int_equal(MACHINE_VCPU->event.kind, EVENT_NONE);
}

/* It faults, and nothing else happens. */
static inline void faults(uint8_t vector, bool has_error, uint32_t error_code)
{
	struct vcpu_regs before = *MACHINE_REGS;
	const struct event *event = &MACHINE_VCPU->event;

	assert_int_equal(emulate_insn(MACHINE_VCPU), EMULATE_FAULTED);
	assert_int_equal(event->kind, EVENT_EXCEPTION);
	assert_int_equal(event->vector, vector);
	assert_int_equal(event->has_error, has_error);
	if (has_error)
		assert_int_equal(event->error_code, error_code);
	assert_memory_equal(&before, MACHINE_REGS, sizeof(before));
	MACHINE_VCPU->event.kind = EVENT_NONE;
}

static inline void page_faults(uint64_t address, uint32_t error_code)
{
	faults(VECTOR_PF, true, error_code);
	assert_int_equal(MACHINE_VCPU->event.address, address);
}

static inline uint64_t ram(uint64_t gpa)
{
	uint64_t value;

	machine_read(gpa, &value, 8);
	return value;
}

static inline void set_ram(uint64_t gpa, uint64_t value)
{
	machine_write(gpa, &value, 8);
}

/* An exit for data at @gpa. */
static inline void tell(uint64_t gpa, uint32_t access)
{
	MACHINE_VCPU->exit.reason = EXIT_MEMORY;
	MACHINE_VCPU->exit.memory.gpa.value = gpa;
	MACHINE_VCPU->exit.memory.access = access;
}

#endif
