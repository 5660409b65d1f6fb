/* Nested exceptions, row by row, and what goes into the guest next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cpu_fixture.h"
#include "drivers/pc/pc_state.h"

#define MSR_SVR	  0x80f
#define MSR_EOI	  0x80b
#define MSR_LINT0 0x835
#define CODE	  0x1000

static struct pc pc;

static int setup_event(void **state)
{
	setup(state);
	memset(&pc, 0, sizeof(pc));
	fake_vm.pc = &pc;
	/* x2APIC, on; no ExtINT */
	assert_true(lapic_write_base(cpu->lapic,
				     cpu->msr.apic_base | APIC_BASE_X2APIC));
	assert_true(lapic_msr_write(cpu->lapic, MSR_SVR, 0x1ff));
	assert_true(lapic_msr_write(cpu->lapic, MSR_LINT0, BIT(16)));
	cpu->regs.rflags = RFLAGS_FIXED | RFLAGS_IF;
	return 0;
}

static void set_event(uint8_t kind, uint8_t vector)
{
	cpu->event = (struct event){ .kind = kind, .vector = vector };
}

/* What is injected by the next event_prepare; 0: nothing. */
static struct event prepare(void)
{
	backend->inject_count = 0;
	backend->injected = (struct event){ 0 };
	event_prepare(cpu);
	assert_int_equal(cpu->event.kind, EVENT_NONE);
	assert_in_range(backend->inject_count, 0, 1);
	return backend->injected;
}

static void assert_injected(uint8_t kind, uint8_t vector)
{
	struct event event = prepare();

	assert_int_equal(event.kind, kind);
	assert_int_equal(event.vector, vector);
}

static void assert_nothing(uint32_t windows)
{
	assert_int_equal(prepare().kind, EVENT_NONE);
	assert_int_equal(backend->windows, windows);
}

static void end_of_interrupt(void)
{
	assert_true(lapic_msr_write(cpu->lapic, MSR_EOI, 0));
}

/* Every pair of vectors against the table of the SDM, written out again. */
static char class_of(uint8_t vector)
{
	if (vector == 8)
		return 'd';
	if (vector == 14 || vector == 20)
		return 'p';
	return strchr("\x0a\x0b\x0c\x0d\x15", vector) || vector == 0 ? 'c'
								     : 'b';
}

static void assert_nested(uint8_t first, uint8_t second)
{
	char a = class_of(first), b = class_of(second);
	bool is_double =
		(a == 'c' && b == 'c') || (a == 'p' && (b == 'c' || b == 'p'));
	bool is_triple = a == 'd' && (b == 'c' || b == 'p');

	fake_end = VM_END_NONE;
	set_event(EVENT_EXCEPTION, first);
	cpu->event.error_code = 99;
	event_raise(cpu, second);
	if (is_triple != (fake_end == VM_END_TRIPLE_FAULT))
		fail_msg("%u, %u: triple fault: %d", first, second, fake_end);
	if (is_triple) {
		assert_int_equal(cpu->event.kind, EVENT_NONE);
		return;
	}
	if (cpu->event.vector != (is_double ? 8 : first))
		fail_msg("%u, %u: %u", first, second, cpu->event.vector);
	assert_int_equal(cpu->event.kind, EVENT_EXCEPTION);
	assert_int_equal(cpu->event.error_code, is_double ? 0 : 99);
}

static void nests_by_the_table(void **state)
{
	(void)state;
	for (uint8_t first = 0; first < 32; first++) {
		for (uint8_t second = 0; second < 32; second++) {
			if (second != VECTOR_DF) /* only nesting makes it */
				assert_nested(first, second);
		}
	}
	assert_nested(VECTOR_GP, VECTOR_NP);
	assert_int_equal(cpu->event.vector, VECTOR_DF);
	assert_true(cpu->event.has_error);
}

/* Interrupts and NMIs are benign, whatever their vector. */
static void other_events_stay(void **state)
{
	static const uint8_t kinds[] = { EVENT_INTERRUPT, EVENT_NMI };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		set_event(kinds[i], VECTOR_GP);
		event_raise_error(cpu, VECTOR_GP, 0);
		assert_int_equal(cpu->event.kind, kinds[i]);
		assert_int_equal(cpu->event.vector, VECTOR_GP);
	}
	assert_int_equal(fake_end, VM_END_NONE);
}

static void raises_with_its_words(void **state)
{
	(void)state;
	event_raise(cpu, VECTOR_UD);
	assert_int_equal(cpu->event.kind, EVENT_EXCEPTION);
	assert_int_equal(cpu->event.vector, VECTOR_UD);
	assert_false(cpu->event.has_error);
	cpu->event.kind = EVENT_NONE;
	event_raise_error(cpu, VECTOR_GP, 0x18);
	assert_true(cpu->event.has_error);
	assert_int_equal(cpu->event.error_code, 0x18);
	cpu->event.kind = EVENT_NONE;
	event_raise_page_fault(cpu, 0xdead000, 2);
	assert_int_equal(cpu->event.vector, VECTOR_PF);
	assert_true(cpu->event.has_error);
	assert_int_equal(cpu->event.error_code, 2);
	assert_int_equal(cpu->event.address, 0xdead000);
}

static void real_mode_has_no_error_codes(void **state)
{
	(void)state;
	fake_ops_real_mode(cpu);
	event_raise_error(cpu, VECTOR_GP, 0x18);
	assert_false(cpu->event.has_error);
	event_raise_error(cpu, VECTOR_GP, 0x18);
	assert_int_equal(cpu->event.vector, VECTOR_DF);
	assert_false(cpu->event.has_error);
}

static void injects_what_is_on_its_way(void **state)
{
	(void)state;
	cpu->regs.rflags = RFLAGS_FIXED; /* IF is no matter */
	set_event(EVENT_INTERRUPT, 0x41);
	assert_injected(EVENT_INTERRUPT, 0x41);
	assert_int_equal(backend->windows_count, 0);
	event_raise_page_fault(cpu, 0x1234, 6);
	assert_injected(EVENT_EXCEPTION, VECTOR_PF);
	assert_int_equal(backend->injected.address, 0x1234);
	assert_nothing(0);
}

static void injects_interrupts_by_priority(void **state)
{
	(void)state;
	lapic_accept(cpu->lapic, 0x41, false);
	lapic_accept(cpu->lapic, 0x61, false);
	assert_injected(EVENT_INTERRUPT, 0x61);
	/* the other one is masked by what is in service: its EOI tells */
	assert_int_equal(backend->windows, 0);
	assert_nothing(0);
	end_of_interrupt();
	assert_injected(EVENT_INTERRUPT, 0x41);
	end_of_interrupt();
	assert_nothing(0);
	assert_int_equal(backend->windows_count, 0);
}

static void asks_for_a_window(void **state)
{
	(void)state;
	cpu->regs.rflags = RFLAGS_FIXED;
	lapic_accept(cpu->lapic, 0x41, false);
	assert_nothing(WINDOW_INTERRUPT);
	assert_nothing(WINDOW_INTERRUPT);
	cpu->regs.rflags |= RFLAGS_IF;
	assert_injected(EVENT_INTERRUPT, 0x41);
	assert_int_equal(backend->windows, 0);
	assert_int_equal(backend->windows_count, 3);
}

static void more_waits_behind_an_exception(void **state)
{
	(void)state;
	lapic_accept(cpu->lapic, 0x41, false);
	event_raise(cpu, VECTOR_UD);
	assert_injected(EVENT_EXCEPTION, VECTOR_UD);
	assert_int_equal(backend->windows, WINDOW_INTERRUPT);
	assert_injected(EVENT_INTERRUPT, 0x41);
	assert_int_equal(backend->windows, 0);
}

static void waits_for_task_priority(void **state)
{
	(void)state;
	cpu->tpr = 0x50;
	lapic_accept(cpu->lapic, 0x41, false);
	assert_nothing(WINDOW_TPR);
	cpu->tpr = 0x30;
	assert_injected(EVENT_INTERRUPT, 0x41);
	assert_int_equal(backend->windows, 0);
}

static void nmi_goes_first(void **state)
{
	(void)state;
	lapic_accept(cpu->lapic, 0x41, false);
	cpu->is_nmi_pending = true;
	assert_injected(EVENT_NMI, VECTOR_NMI);
	assert_false(cpu->is_nmi_pending);
	assert_int_equal(backend->windows, WINDOW_INTERRUPT);
	/* a second one waits for the end of the first */
	cpu->is_nmi_pending = true;
	backend->is_nmi_blocked = true;
	assert_injected(EVENT_INTERRUPT, 0x41);
	assert_int_equal(backend->windows, WINDOW_NMI);
	backend->is_nmi_blocked = false;
	assert_injected(EVENT_NMI, VECTOR_NMI);
	assert_int_equal(backend->windows, 0);
}

static void nmi_waits_behind_the_shadow(void **state)
{
	(void)state;
	cpu->is_nmi_pending = true;
	cpu->is_shadowed = true;
	assert_nothing(WINDOW_NMI);
	assert_true(cpu->is_nmi_pending);
}

/* Memory at RIP, by way of no paging. */
static void put_code(uint8_t opcode)
{
	const gpa_t at = { CODE };

	fake_ops_protected_mode(cpu, 0);
	cpu->regs.rip = CODE;
	assert_int_equal(guest_write(&fake_vm.memory, at, &opcode, 1), 0);
}

static void the_shadow_holds_back(void **state)
{
	(void)state;
	put_code(0x90);
	cpu->is_shadowed = true;
	lapic_accept(cpu->lapic, 0x41, false);
	assert_nothing(WINDOW_INTERRUPT);
	assert_int_equal(cpu->regs.rip, CODE);
	cpu->is_shadowed = false;
	assert_injected(EVENT_INTERRUPT, 0x41);
}

static void hlt_in_the_shadow_is_done(void **state)
{
	(void)state;
	put_code(0xf4);
	cpu->is_shadowed = true;
	assert_nothing(0); /* nothing comes: it will halt by itself */
	assert_int_equal(cpu->regs.rip, CODE);
	lapic_accept(cpu->lapic, 0x41, false);
	assert_injected(EVENT_INTERRUPT, 0x41);
	assert_int_equal(cpu->regs.rip, CODE + 1);
	assert_false(cpu->is_shadowed);
}

static void hlt_needs_cpl_0_and_if(void **state)
{
	(void)state;
	put_code(0xf4);
	cpu->is_shadowed = true;
	lapic_accept(cpu->lapic, 0x41, false);
	cpu->regs.rflags = RFLAGS_FIXED; /* behind MOV SS */
	assert_nothing(WINDOW_INTERRUPT);
	assert_int_equal(cpu->regs.rip, CODE);
	cpu->regs.rflags |= RFLAGS_IF;
	fake_ops_protected_mode(cpu, 3);
	assert_nothing(WINDOW_INTERRUPT);
	assert_int_equal(cpu->regs.rip, CODE);
}

/* The 8259's: base 0x20, line 4 unmasked. */
static void raise_pic_line(void)
{
	struct vpic *pic = &pc.pic;

	assert_int_equal(vpic_init(pic, &fake_vm), 0);
	io_write(&fake_vm, &fake_vm.ports, 0x20, 1, 0x11);
	io_write(&fake_vm, &fake_vm.ports, 0x21, 1, 0x20);
	io_write(&fake_vm, &fake_vm.ports, 0x21, 1, 0x04);
	io_write(&fake_vm, &fake_vm.ports, 0x21, 1, 0x01);
	io_write(&fake_vm, &fake_vm.ports, 0x21, 1, 0xef);
	vpic_set_line(pic, 4, true);
}

static void takes_the_8259s(void **state)
{
	(void)state;
	raise_pic_line();
	assert_nothing(0); /* LINT0 is masked */
	assert_false(event_is_waking(cpu));
	assert_true(lapic_msr_write(cpu->lapic, MSR_LINT0, 0x700));
	assert_true(event_is_waking(cpu));
	cpu->regs.rflags = RFLAGS_FIXED;
	assert_nothing(WINDOW_INTERRUPT);
	cpu->regs.rflags |= RFLAGS_IF;
	assert_injected(EVENT_INTERRUPT, 0x24);
	assert_nothing(0);
}

static void wakes_for_what_it_takes(void **state)
{
	(void)state;
	assert_false(event_is_waking(cpu));
	cpu->is_nmi_pending = true;
	assert_true(event_is_waking(cpu));
	backend->is_nmi_blocked = true;
	assert_false(event_is_waking(cpu));
	cpu->is_nmi_pending = false;
	lapic_accept(cpu->lapic, 0x41, false);
	assert_true(event_is_waking(cpu));
	cpu->tpr = 0x40;
	assert_false(event_is_waking(cpu));
	cpu->tpr = 0;
	cpu->regs.rflags = RFLAGS_FIXED;
	assert_false(event_is_waking(cpu));
	set_event(EVENT_EXCEPTION, VECTOR_DB);
	assert_true(event_is_waking(cpu));
}

#define EVENT_TEST(name) \
	cmocka_unit_test_setup_teardown(name, setup_event, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EVENT_TEST(nests_by_the_table),
		EVENT_TEST(other_events_stay),
		EVENT_TEST(raises_with_its_words),
		EVENT_TEST(real_mode_has_no_error_codes),
		EVENT_TEST(injects_what_is_on_its_way),
		EVENT_TEST(injects_interrupts_by_priority),
		EVENT_TEST(asks_for_a_window),
		EVENT_TEST(more_waits_behind_an_exception),
		EVENT_TEST(waits_for_task_priority),
		EVENT_TEST(nmi_goes_first),
		EVENT_TEST(nmi_waits_behind_the_shadow),
		EVENT_TEST(the_shadow_holds_back),
		EVENT_TEST(hlt_in_the_shadow_is_done),
		EVENT_TEST(hlt_needs_cpl_0_and_if),
		EVENT_TEST(takes_the_8259s),
		EVENT_TEST(wakes_for_what_it_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
