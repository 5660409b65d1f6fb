/* Who serves a queue and when, interrupts, and the two ways back to power-on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/lib/log.h"
#include "virtio_card.h"

#define MSIX_ENABLE 0x8000U
#define GSI	    17 /* of slot 1, INTA */

static int setup(void **state)
{
	(void)state;
	card_start();
	card_drive();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	card_stop();
	return 0;
}

static bool line(void)
{
	bool level = false;

	for (unsigned int i = 0; i < fake_irq_count; i++) {
		if (fake_irqs[i].gsi == GSI)
			level = fake_irqs[i].level;
	}
	return level;
}

/* Vector n of 0 to 3 sends data 0x40 + n. */
static void use_msix(void)
{
	uint64_t table = bar_address(CARD_SLOT, VIRTIO_PCI_BAR_MSIX);

	for (uint32_t i = 0; i <= CARD_QUEUES; i++) {
		mmio_write(table + 16 * i, 8, 0xfee00000);
		mmio_write(table + 16 * i + 8, 8, 0x40 + i);
	}
	config_write(CARD_SLOT, find_cap(CARD_SLOT, PCI_CAP_MSIX, 0) + 2, 2,
		     MSIX_ENABLE);
}

static void serves_on_notification(void **state)
{
	(void)state;
	offer(3);
	notify(0);
	assert_int_equal(card_serves, 1);
	assert_int_equal(card_chains, 3);
	/* no such queue */
	notify(CARD_QUEUES);
	notify(1023);
	assert_int_equal(card_serves, 1);
	/* nobody waits on the way */
	assert_int_equal(fake_windows, 0);
}

static void serves_only_a_live_device(void **state)
{
	(void)state;
	set_status(0);
	notify(0);
	set_status(11);
	notify(0);
	assert_int_equal(card_serves, 0);
	card_drive();
	notify(0);
	assert_int_equal(card_serves, 1);
	virtio_fail(&card, "test");
	notify(0);
	assert_int_equal(card_serves, 1);
	card_drive();
	fake_vm.end = VM_END_RESET;
	notify(0);
	assert_int_equal(card_serves, 1);
}

/* What a second vCPU does while the first serves: it serves queue 1 itself. */
static void kick_others(void)
{
	if (card_serves > 1)
		return;
	virtio_kick(&card, 0);
	virtio_kick(&card, 1);
	assert_int_equal(card_serves, 2);
}

static void a_kick_while_serving_is_kept(void **state)
{
	(void)state;
	card_while_serving = kick_others;
	notify(0);
	/* queue 0, in it queue 1, queue 0 again */
	assert_int_equal(card_serves, 3);
	assert_int_equal(fake_windows, 1);
	for (uint32_t i = 0; i < CARD_QUEUES; i++) {
		assert_int_equal(card.queue_states[i].kicked, 0);
		assert_int_equal(card.queue_states[i].serving, 0);
	}
}

static unsigned int depth, depth_max;

static void count_depth(void)
{
	depth++;
	if (depth > depth_max)
		depth_max = depth;
	if (card_serves < 4)
		virtio_kick(&card, 0);
	depth--;
}

static void a_queue_has_one_server(void **state)
{
	(void)state;
	depth = depth_max = 0;
	card_while_serving = count_depth;
	notify(0);
	assert_int_equal(depth_max, 1);
	assert_int_equal(card_serves, 4);
	assert_int_equal(fake_windows, 3);
}

static void a_held_queue_is_not_served(void **state)
{
	(void)state;
	virtio_hold(&card, 0);
	assert_false(virtio_try_hold(&card, 0));
	notify(0);
	assert_int_equal(card_serves, 0);
	notify(1);
	assert_int_equal(card_serves, 1);
	virtio_release(&card, 0);
	notify(0);
	assert_int_equal(card_serves, 2);
}

static void interrupts_by_pin(void **state)
{
	(void)state;
	offer(1);
	notify(0);
	assert_true(line());
	assert_int_equal(config_read(CARD_SLOT, PCI_STATUS, 2) &
				 PCI_STATUS_INTERRUPT,
			 PCI_STATUS_INTERRUPT);
	assert_int_equal(reg(VIRTIO_PCI_ISR, 1), VIRTIO_PCI_ISR_QUEUE);
	assert_false(line());
	assert_int_equal(reg(VIRTIO_PCI_ISR, 1), 0);
	virtio_signal_config(&card);
	assert_true(line());
	offer(2);
	notify(0);
	assert_int_equal(reg(VIRTIO_PCI_ISR, 1), 3);
	assert_false(line());
	assert_int_equal(fake_msi_count, 0);
}

static void interrupts_only_for_something(void **state)
{
	(void)state;
	notify(0);
	assert_false(line());
	virtio_signal(&card, 0);
	assert_int_equal(reg(VIRTIO_PCI_ISR, 1), 0);
}

static void interrupts_by_message(void **state)
{
	(void)state;
	use_msix();
	set_reg(QUEUE_SELECT, 2, 0);
	set_reg(QUEUE_VECTOR, 2, 2);
	offer(1);
	notify(0);
	assert_int_equal(fake_msi_count, 1);
	assert_int_equal(fake_msi_data, 0x42);
	/* ISR status is for the configuration only */
	assert_int_equal(reg(VIRTIO_PCI_ISR, 1), 0);
	set_reg(CONFIG_VECTOR, 2, 3);
	virtio_signal_config(&card);
	assert_int_equal(fake_msi_count, 2);
	assert_int_equal(fake_msi_data, 0x43);
	assert_int_equal(reg(VIRTIO_PCI_ISR, 1), VIRTIO_PCI_ISR_CONFIG);
	/* no vector, no message */
	set_reg(CONFIG_VECTOR, 2, 0xffff);
	set_reg(QUEUE_VECTOR, 2, 0xffff);
	virtio_signal_config(&card);
	offer(2);
	notify(0);
	assert_int_equal(fake_msi_count, 2);
	assert_false(line());
}

static void configuration_has_generations(void **state)
{
	uint64_t before = reg(CONFIG_GENERATION, 1);

	(void)state;
	virtio_signal_config(&card);
	assert_int_equal(reg(CONFIG_GENERATION, 1), (before + 1) & 0xff);
	set_status(0);
	virtio_signal_config(&card);
	assert_int_equal(reg(CONFIG_GENERATION, 1), (before + 2) & 0xff);
	/* but nobody is told */
	assert_int_equal(reg(VIRTIO_PCI_ISR, 1), 0);
}

static void a_bad_ring_needs_reset(void **state)
{
	(void)state;
	fake_log_reset();
	offer(RING_SIZE + 1); /* more than there are */
	notify(0);
	assert_int_equal(reg(DEVICE_STATUS, 1), 15 | 64);
	assert_int_equal(reg(VIRTIO_PCI_ISR, 1) & VIRTIO_PCI_ISR_CONFIG,
			 VIRTIO_PCI_ISR_CONFIG);
	assert_int_equal(fake_log_count[LOG_DEBUG], 1);
	/* the driver cannot clear it, and it is said once */
	assert_int_equal(set_status(15), 15 | 64);
	virtio_fail(&card, "again");
	assert_int_equal(fake_log_count[LOG_DEBUG], 1);
	assert_int_equal(set_status(0), 0);
	virtio_fail(&card, "late");
	assert_int_equal(reg(DEVICE_STATUS, 1), 0);
}

static void reset_is_power_on(void **state)
{
	(void)state;
	use_msix();
	set_reg(CONFIG_VECTOR, 2, 1);
	set_reg(QUEUE_SELECT, 2, 1);
	set_reg(QUEUE_VECTOR, 2, 1);
	virtio_signal_config(&card);
	assert_false(list_is_empty(&fake_vm.memory.pins));
	assert_int_equal(set_status(0), 0);
	assert_int_equal(card_resets, 2);
	assert_true(list_is_empty(&fake_vm.memory.pins));
	assert_int_equal(card.driver_features, 0);
	assert_int_equal(reg(CONFIG_VECTOR, 2), 0xffff);
	assert_int_equal(reg(QUEUE_SELECT, 2), 0);
	assert_int_equal(reg(VIRTIO_PCI_ISR, 1), 0);
	for (uint32_t i = 0; i < CARD_QUEUES; i++) {
		set_reg(QUEUE_SELECT, 2, i);
		assert_int_equal(reg(QUEUE_ENABLE, 2), 0);
		assert_int_equal(reg(QUEUE_SIZE, 2), VQ_SIZE_MAX);
		assert_int_equal(reg(QUEUE_VECTOR, 2), 0xffff);
		assert_int_equal(reg(QUEUE_DESC, 8), 0);
		assert_int_equal(card.queue_states[i].serving, 0);
	}
	/* and works again */
	card_drive();
	offer(1);
	notify(0);
	assert_int_equal(card_chains, 1);
}

static void reset_lowers_the_pin(void **state)
{
	(void)state;
	offer(1);
	notify(0);
	assert_true(line());
	set_status(0);
	assert_false(line());
}

static void leaves_nothing_behind(void **state)
{
	uint32_t regions = fake_vm.mmio.count;

	(void)state;
	offer(1);
	notify(0);
	virtio_pci_detach(&card);
	assert_false(line());
	assert_int_equal(fake_vm.mmio.count, regions - 2);
	assert_true(list_is_empty(&fake_vm.memory.pins));
	assert_int_equal(config_read(CARD_SLOT, 0, 4), 0xffffffff);
	assert_null(card.transport);
	assert_null(card.queues);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(serves_on_notification),
		CASE(serves_only_a_live_device),
		CASE(a_kick_while_serving_is_kept),
		CASE(a_queue_has_one_server),
		CASE(a_held_queue_is_not_served),
		CASE(interrupts_by_pin),
		CASE(interrupts_only_for_something),
		CASE(interrupts_by_message),
		CASE(configuration_has_generations),
		CASE(a_bad_ring_needs_reset),
		CASE(reset_is_power_on),
		CASE(reset_lowers_the_pin),
		CASE(leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
