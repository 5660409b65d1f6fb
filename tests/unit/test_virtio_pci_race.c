/* Several vCPUs at one device: kicks, resets and masks that meet. Under TSan. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/cpu/percpu.h"
#include "kernel/cpu/time.h"
#include "virtio_card.h"

#define KICKERS	    3
#define ROUNDS	    100000
#define RESETS	    300
#define MSIX_ENABLE 0x8000U

const char *__tsan_default_suppressions(void);

/* The fakes of the machine count calls without a thought for threads. */
const char *__tsan_default_suppressions(void)
{
	return "race:^thread_window$\nrace:^vm_send_msi$\nrace:^vm_set_irq$\n";
}

static pthread_t threads[KICKERS];
static uint32_t offered, is_over;
static uint32_t taken; /* plain: whoever serves is alone */

/*
 * Rounds: the test raises `round`, the other thread sees it and does its part at
 * the same time as the test, and says so in `finished`. What is lost in a round
 * must show at its end: the next one would make up for it. Whether two threads
 * meet in the few instructions that matter is chance, so these tests can miss a
 * fault; the others find theirs by the order that TSan sees, each time.
 */
static uint32_t round_number, finished;

static void wait_until(const uint32_t *count, uint32_t value)
{
	for (uint32_t i = 1; __atomic_load_n(count, __ATOMIC_ACQUIRE) != value;
	     i++) {
		/* the other thread may have no CPU */
		if (i % 1000 == 0)
			sched_yield();
		__builtin_ia32_pause();
	}
}

static void run_rounds(void (*part)(void))
{
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		wait_until(&round_number, i);
		part();
		__atomic_store_n(&finished, i, __ATOMIC_RELEASE);
	}
}

static void start_round(uint32_t number)
{
	__atomic_store_n(&round_number, number, __ATOMIC_RELEASE);
	/* meet at any place in the other's part */
	for (uint32_t i = 0; i < number % 61; i++)
		__builtin_ia32_pause();
}

static void start(void *(*run)(void *argument), unsigned int count)
{
	is_over = round_number = finished = 0;
	for (uintptr_t i = 0; i < count; i++)
		pthread_create(&threads[i], NULL, run, (void *)(i + 1));
}

static void join(unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
}

static void serve_counted(struct virtio_device *device, uint16_t index)
{
	(void)device;
	(void)index;
	taken += __atomic_exchange_n(&offered, 0, __ATOMIC_RELAXED);
}

static void kick_counted(void)
{
	__atomic_fetch_add(&offered, 1, __ATOMIC_RELAXED);
	virtio_kick(&card, 0);
}

static void *kick_rounds(void *cpu)
{
	fake_cpu = (uint32_t)(uintptr_t)cpu;
	run_rounds(kick_counted);
	return NULL;
}

static void no_kick_is_lost(void **state)
{
	static struct virtio_ops ops;

	(void)state;
	card_start();
	card_drive();
	ops = card_ops;
	ops.serve = serve_counted;
	card.ops = &ops;
	offered = taken = 0;
	start(kick_rounds, 1);
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		start_round(i);
		kick_counted();
		wait_until(&finished, i);
		assert_int_equal(__atomic_load_n(&offered, __ATOMIC_RELAXED),
				 0);
	}
	join(1);
	assert_int_equal(taken, 2 * ROUNDS);
	card_stop();
}

/* No budget is left to look for what came meanwhile. */
static void serve_dear(struct virtio_device *device, uint16_t index)
{
	uint32_t before = taken;

	serve_counted(device, index);
	if (taken != before)
		virtio_spend(device, index, VIRTIO_BUDGET);
}

/* vCPU 0: false if the timer is not armed. */
static bool serve_rest(void)
{
	uint64_t *deadline = &fake_vm.deadlines[VM_TIMER_VIRTIO];
	bool is_due;

	spin_lock(&fake_vm.lock);
	is_due = *deadline != TIME_NEVER;
	*deadline = TIME_NEVER;
	spin_unlock(&fake_vm.lock);
	if (is_due)
		virtio_serve_rest(&fake_vm);
	return is_due;
}

static void no_rest_is_lost(void **state)
{
	static struct virtio_ops ops;

	(void)state;
	card_start();
	card_drive();
	ops = card_ops;
	ops.serve = serve_dear;
	card.ops = &ops;
	offered = taken = 0;
	start(kick_rounds, 1);
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		start_round(i);
		if (i % 2)
			kick_counted();
		serve_rest();
		wait_until(&finished, i);
		while (serve_rest())
			;
		assert_int_equal(__atomic_load_n(&offered, __ATOMIC_RELAXED),
				 0);
	}
	join(1);
	assert_int_equal(taken, ROUNDS + ROUNDS / 2);
	card_stop();
}

static uint32_t kicks;

/* Queue 0 only: the device's buffer for chains is one for all. Relaxed, and no
 * register is touched: TSan must see no order between serving and resetting but
 * the one that virtio_hold makes. */
static void *kick_for_ever(void *cpu)
{
	fake_cpu = (uint32_t)(uintptr_t)cpu;
	while (!__atomic_load_n(&is_over, __ATOMIC_RELAXED)) {
		notify(0);
		__atomic_fetch_add(&kicks, 1, __ATOMIC_RELAXED);
		sched_yield();
	}
	return NULL;
}

/* Every kicker's next one but one began after this was called. */
static void wait_for_kicks(void)
{
	uint32_t before = __atomic_load_n(&kicks, __ATOMIC_RELAXED);

	while (__atomic_load_n(&kicks, __ATOMIC_RELAXED) - before <=
	       2 * KICKERS)
		sched_yield();
}

/* What vq_reset takes away is in nobody's hands. */
static void reset_waits_for_servers(void **state)
{
	(void)state;
	card_start();
	offer(RING_SIZE);
	start(kick_for_ever, KICKERS);
	for (unsigned int i = 0; i < RESETS; i++) {
		card_drive();
		wait_for_kicks();
		assert_int_equal(set_status(0), 0);
		assert_true(list_is_empty(&fake_vm.memory.pins));
	}
	__atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
	join(KICKERS);
	assert_int_equal(card_resets, 2 * RESETS);
	assert_true(card_chains > 0);
	card_stop();
}

static void *use_registers(void *cpu)
{
	fake_cpu = (uint32_t)(uintptr_t)cpu;
	for (unsigned int i = 0; i < RESETS; i++) {
		reg(DEVICE_STATUS, 1);
		set_reg(QUEUE_SELECT, 2, i % CARD_QUEUES);
		set_reg(QUEUE_SIZE, 2, RING_SIZE * 2);
		set_status((uint8_t)(i % 16));
	}
	return NULL;
}

/* However many use them, one after the other. */
static void registers_have_one_user(void **state)
{
	(void)state;
	card_start();
	start(use_registers, KICKERS);
	use_registers((void *)0);
	join(KICKERS);
	card_stop();
}

static void signal_vector(void)
{
	struct virtio_pci *transport = card.transport;

	pci_msix_signal(&transport->pci, 1);
}

static void *signal_rounds(void *cpu)
{
	fake_cpu = (uint32_t)(uintptr_t)cpu;
	run_rounds(signal_vector);
	return NULL;
}

/* A message is sent or pending, and pending only while masked. */
static void no_message_is_lost(void **state)
{
	uint64_t table, control;

	(void)state;
	card_start();
	table = bar_address(CARD_SLOT, VIRTIO_PCI_BAR_MSIX);
	control = table + 16 + 12;
	config_write(CARD_SLOT, find_cap(CARD_SLOT, PCI_CAP_MSIX, 0) + 2, 2,
		     MSIX_ENABLE);
	start(signal_rounds, 1);
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		mmio_write(control, 4, 1);
		start_round(i);
		mmio_write(control, 4, 0);
		wait_until(&finished, i);
		assert_int_equal(mmio_read(table + 0x800, 8), 0);
		assert_int_equal(fake_msi_count, i);
	}
	join(1);
	card_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_kick_is_lost),
		cmocka_unit_test(no_rest_is_lost),
		cmocka_unit_test(reset_waits_for_servers),
		cmocka_unit_test(registers_have_one_user),
		cmocka_unit_test(no_message_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
