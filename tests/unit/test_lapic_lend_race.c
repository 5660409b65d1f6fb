/* A local APIC that is lent: others send while the CPU takes and ends vectors, and
 * software takes it back and lends it again. Each message is taken once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "lapic_fixture.h"

#include "apic_cpu.h"

#define SENDERS 2
#define TURNS	5000

/* Sender i's vectors: an edge, and a level that waits for its EOI. */
static const uint8_t vectors[SENDERS] = { 0x55, 0x91 };
static uint32_t sent[SENDERS], taken[SENDERS];

static int setup(void **state)
{
	(void)state;
	memset(fake_vmcs, 0, sizeof(fake_vmcs));
	memset(taken, 0, sizeof(taken));
	memset(sent, 0, sizeof(sent));
	start(1);
	give_apic_cpu(0);
	enable_x2apic(0);
	vcpus[0].is_event_due = true;
	return 0;
}

static void *send(void *argument)
{
	uintptr_t i = (uintptr_t)argument;

	for (uint32_t turn = 1; turn <= TURNS; turn++) {
		lapic_accept(lapic_of(0), vectors[i], i);
		__atomic_store_n(&sent[i], turn, __ATOMIC_RELEASE);
		while (__atomic_load_n(&taken[i], __ATOMIC_ACQUIRE) != turn)
			sched_yield();
	}
	return NULL;
}

static void run_guest(void)
{
	int vector = cpu_deliver(0);

	if (vector < 0)
		return;
	/* a level that exits had its TMR when it was lent */
	assert_int_equal(cpu_end(0), vector == vectors[1]);
	__atomic_fetch_add(&taken[vector == vectors[1]], 1, __ATOMIC_RELEASE);
}

/* As vcpu_loop: what nobody asked for is not looked at. */
static void each_is_taken_once(void **state)
{
	pthread_t threads[SENDERS];
	uint32_t rounds = 0;

	(void)state;
	for (uintptr_t i = 0; i < SENDERS; i++)
		pthread_create(&threads[i], NULL, send, (void *)i);
	while (taken[0] != TURNS || taken[1] != TURNS) {
		enter(0);
		run_guest();
		if (rounds++ % 3 == 0)
			lapic_has_vector(lapic_of(0));
		if (rounds % 16 == 0)
			sched_yield();
	}
	for (unsigned int i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	enter(0);
	assert_int_equal(cpu_deliver(0), -1);
	assert_false(lapic_has_vector(lapic_of(0)));
	assert_int_equal(lapic_of(0)->in_service, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_is_taken_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
