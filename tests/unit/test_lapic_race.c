/* The local APIC: others send while its vCPU takes, ends and sets registers. No
 * vector may be left behind without a request to look for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "lapic_fixture.h"

#define SENDERS 2
#define ROUNDS	20000

static uint32_t running;

static int setup(void **state)
{
	(void)state;
	start(1);
	enable_x2apic(0);
	return 0;
}

static void *send(void *vectors)
{
	struct apic_message message = { .destination = 0xffffffff };

	for (unsigned int i = 0; i < ROUNDS; i++) {
		message.vector = (uint8_t)(*(uint8_t *)vectors + i % 32);
		message.is_level = i & 1;
		message.is_logical = i & 2;
		lapic_deliver(&fake_vm, &message);
		if (i % 64 == 0)
			lapic_accept(lapic_of(0), 5, false);
	}
	__atomic_fetch_sub(&running, 1, __ATOMIC_RELEASE);
	return NULL;
}

/* All that was asked for until now. */
static uint32_t serve(void)
{
	uint32_t count = 0;

	if (!(__atomic_exchange_n(&vcpus[0].requests, 0, __ATOMIC_SEQ_CST) &
	      REQUEST_EVENT))
		return 0;
	while (inject(0) >= 0) {
		assert_true(write_msr(0, 0xb0, 0));
		count++;
	}
	return count;
}

static void nothing_is_left_behind(void **state)
{
	static uint8_t first[SENDERS] = { 0x40, 0x90 };
	pthread_t threads[SENDERS];
	uint32_t count = 0;

	(void)state;
	running = SENDERS;
	assert_true(write_msr(0, 0xf0, 0x11ff));
	for (unsigned int i = 0; i < SENDERS; i++)
		pthread_create(&threads[i], NULL, send, &first[i]);
	for (uint32_t i = 0; __atomic_load_n(&running, __ATOMIC_ACQUIRE); i++) {
		count += serve();
		assert_true(write_msr(0, 0x370, 0x20 + i % 16));
		assert_true(write_msr(0, 0x280, 0));
	}
	for (unsigned int i = 0; i < SENDERS; i++)
		pthread_join(threads[i], NULL);
	count += serve();
	assert_true(lapic_is_empty(lapic_of(0)->irr));
	assert_int_equal(lapic_of(0)->in_service, -1);
	assert_true(count > 0);
}

/* One message at a time, so that each has the chance to be left behind. */
#define TURNS 5000

static uint32_t turn, sent;

static void *send_in_turn(void *unused)
{
	(void)unused;
	for (uint32_t i = 1; i <= TURNS; i++) {
		while (__atomic_load_n(&turn, __ATOMIC_ACQUIRE) != i)
			sched_yield();
		lapic_accept(lapic_of(0), 0x55, false);
		__atomic_store_n(&sent, i, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void each_is_asked_for_in_time(void **state)
{
	pthread_t thread;

	(void)state;
	turn = sent = 0;
	pthread_create(&thread, NULL, send_in_turn, NULL);
	for (uint32_t i = 1; i <= TURNS; i++) {
		uint32_t count = 0;

		__atomic_store_n(&turn, i, __ATOMIC_RELEASE);
		while (__atomic_load_n(&sent, __ATOMIC_ACQUIRE) != i)
			count += serve();
		count += serve();
		assert_int_equal(count, 1);
		assert_true(lapic_is_empty(lapic_of(0)->irr));
	}
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_left_behind),
		TEST(each_is_asked_for_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
