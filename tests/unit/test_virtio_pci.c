/* The virtio transport as a driver sees it: registers, features, status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "fake.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/log.h"
#include "virtio_card.h"

static int setup(void **state)
{
	(void)state;
	card_start();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	card_stop();
	assert_int_equal(card_destroys, 1);
	return 0;
}

/* The vendor capability of @type. */
static uint32_t find_part(uint8_t type)
{
	uint32_t at;

	for (uint32_t i = 0; (at = find_cap(CARD_SLOT, 9, i)) != 0; i++) {
		if (config_read(CARD_SLOT, at + 3, 1) == type)
			return at;
	}
	return 0;
}

static void is_a_modern_device(void **state)
{
	(void)state;
	assert_int_equal(config_read(1, 0, 4), 0x10441af4);
	assert_int_equal(config_read(1, 8, 4), 0x00ff0001);
	assert_int_equal(config_read(1, 0x2c, 2), 0x1af4);
	assert_true(config_read(1, 0x2e, 2) >= 0x40);
	assert_int_equal(config_read(1, PCI_INT_PIN, 1), 1);
	assert_int_equal(config_read(1, PCI_BAR0 + 16, 4) & 0xf, 4);
	assert_int_equal(config_read(1, find_cap(1, PCI_CAP_MSIX, 0) + 2, 2),
			 CARD_QUEUES);
}

static void says_where_its_parts_are(void **state)
{
	static const struct {
		uint8_t type, length;
		uint32_t offset, size;
	} parts[] = {
		{ 1, 16, VIRTIO_PCI_COMMON, 0x3c },
		{ 2, 20, VIRTIO_PCI_NOTIFY, 4 * CARD_QUEUES },
		{ 3, 16, VIRTIO_PCI_ISR, 1 },
		{ 4, 16, VIRTIO_PCI_CONFIG, CARD_CONFIG },
	};

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(parts); i++) {
		uint32_t at = find_part(parts[i].type);

		assert_int_not_equal(at, 0);
		assert_int_equal(config_read(1, at + 2, 1), parts[i].length);
		assert_int_equal(config_read(1, at + 4, 1), VIRTIO_PCI_BAR);
		assert_int_equal(config_read(1, at + 8, 4), parts[i].offset);
		assert_int_equal(config_read(1, at + 12, 4), parts[i].size);
	}
	assert_int_equal(config_read(1, find_part(2) + 16, 4), 4);
	assert_int_not_equal(find_part(5), 0);
}

static uint64_t offered(void)
{
	uint64_t low;

	set_reg(DEVICE_FEATURE_SELECT, 4, 0);
	low = reg(DEVICE_FEATURE, 4);
	set_reg(DEVICE_FEATURE_SELECT, 4, 1);
	return reg(DEVICE_FEATURE, 4) << 32 | low;
}

static void offers_features(void **state)
{
	(void)state;
	assert_int_equal(offered(), ALL_FEATURES);
	set_reg(DEVICE_FEATURE_SELECT, 4, 2);
	assert_int_equal(reg(DEVICE_FEATURE, 4), 0);
	choose(0x123456789abcdefUL);
	set_reg(DRIVER_FEATURE_SELECT, 4, 2);
	set_reg(DRIVER_FEATURE, 4, UINT32_MAX);
	assert_int_equal(reg(DRIVER_FEATURE, 4), 0);
	set_reg(DRIVER_FEATURE_SELECT, 4, 1);
	assert_int_equal(reg(DRIVER_FEATURE, 4), 0x1234567);
	set_reg(DRIVER_FEATURE_SELECT, 4, 0);
	assert_int_equal(reg(DRIVER_FEATURE, 4), 0x89abcdef);
}

static void refuses_features(void **state)
{
	(void)state;
	assert_int_equal(set_status(3), 3);
	/* a legacy driver's */
	choose(CARD_FEATURES);
	assert_int_equal(set_status(11), 3);
	choose(VIRTIO_F_VERSION_1 | BIT(4));
	assert_int_equal(set_status(11), 3);
	choose(VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM);
	assert_int_equal(set_status(11), 3);
	assert_int_equal(card.driver_features, 0);
	/* and DRIVER_OK without */
	assert_int_equal(set_status(15), 3);
	choose(VIRTIO_F_VERSION_1 | BIT(50));
	assert_int_equal(set_status(11), 11);
	assert_int_equal(card.driver_features, VIRTIO_F_VERSION_1 | BIT(50));
	/* settled */
	choose(VIRTIO_F_VERSION_1);
	set_reg(DRIVER_FEATURE_SELECT, 4, 1);
	assert_int_equal(reg(DRIVER_FEATURE, 4), 0x40001);
	assert_int_equal(set_status(15), 15);
	assert_int_equal(card.driver_features, VIRTIO_F_VERSION_1 | BIT(50));
}

static void status_only_grows(void **state)
{
	(void)state;
	assert_int_equal(set_status(1), 1);
	assert_int_equal(set_status(2), 3);
	assert_int_equal(set_status(0x40 | 0x30), 3);
	assert_int_equal(set_status(0x80), 0x83);
	assert_int_equal(set_status(0), 0);
	assert_int_equal(card_resets, 1);
}

static void has_queues(void **state)
{
	(void)state;
	assert_int_equal(reg(NUM_QUEUES, 2), CARD_QUEUES);
	for (uint32_t i = 0; i < CARD_QUEUES; i++) {
		set_reg(QUEUE_SELECT, 2, i);
		assert_int_equal(reg(QUEUE_SIZE, 2), VQ_SIZE_MAX);
		assert_int_equal(reg(QUEUE_NOTIFY_OFF, 2), i);
		assert_int_equal(reg(QUEUE_VECTOR, 2), 0xffff);
		assert_int_equal(reg(QUEUE_ENABLE, 2), 0);
	}
	set_reg(QUEUE_SELECT, 2, CARD_QUEUES);
	assert_int_equal(reg(QUEUE_SIZE, 2), 0);
	assert_int_equal(reg(QUEUE_VECTOR, 2), 0xffff);
	set_reg(QUEUE_SIZE, 2, 8);
	set_reg(QUEUE_ENABLE, 2, 1);
	set_reg(QUEUE_SELECT, 2, 0xffff);
	set_reg(QUEUE_DESC, 4, 8);
	assert_int_equal(reg(QUEUE_DESC, 8), 0);
}

static void keeps_what_a_queue_is_told(void **state)
{
	(void)state;
	set_reg(QUEUE_SELECT, 2, 1);
	set_reg(QUEUE_SIZE, 2, 64);
	set_reg(QUEUE_SIZE, 2, 0);
	set_reg(QUEUE_SIZE, 2, VQ_SIZE_MAX * 2);
	assert_int_equal(reg(QUEUE_SIZE, 2), 64);
	set_reg(QUEUE_DESC, 4, 0x11111000);
	set_reg(QUEUE_DESC + 4, 4, 0x22);
	set_reg(QUEUE_DRIVER, 8, 0x3300004000UL);
	set_reg(QUEUE_DEVICE + 4, 4, 0x55);
	assert_int_equal(reg(QUEUE_DESC, 8), 0x2211111000UL);
	assert_int_equal(reg(QUEUE_DRIVER, 8), 0x3300004000UL);
	assert_int_equal(reg(QUEUE_DEVICE, 8), 0x5500000000UL);
	set_reg(QUEUE_SELECT, 2, 0);
	assert_int_equal(reg(QUEUE_DESC, 8), 0);
}

static void vectors_read_back(void **state)
{
	(void)state;
	assert_int_equal(reg(CONFIG_VECTOR, 2), 0xffff);
	set_reg(CONFIG_VECTOR, 2, CARD_QUEUES);
	assert_int_equal(reg(CONFIG_VECTOR, 2), CARD_QUEUES);
	set_reg(CONFIG_VECTOR, 2, CARD_QUEUES + 1);
	assert_int_equal(reg(CONFIG_VECTOR, 2), 0xffff);
	set_reg(QUEUE_VECTOR, 2, 1);
	assert_int_equal(reg(QUEUE_VECTOR, 2), 1);
	set_reg(QUEUE_VECTOR, 2, 0x8001);
	assert_int_equal(reg(QUEUE_VECTOR, 2), 0xffff);
}

static void enables_queues_once_features_are(void **state)
{
	(void)state;
	set_up_queue(0);
	assert_int_equal(reg(QUEUE_ENABLE, 2), 0);
	choose(VIRTIO_F_VERSION_1);
	set_status(11);
	set_reg(QUEUE_ENABLE, 2, 2);
	assert_int_equal(reg(QUEUE_ENABLE, 2), 0);
	set_reg(QUEUE_ENABLE, 2, 1);
	assert_int_equal(reg(QUEUE_ENABLE, 2), 1);
	/* its description is fixed now, but for the vector */
	set_reg(QUEUE_DESC, 4, 0);
	set_reg(QUEUE_SIZE, 2, 256);
	set_reg(QUEUE_ENABLE, 2, 0);
	set_reg(QUEUE_VECTOR, 2, 2);
	assert_int_equal(reg(QUEUE_DESC, 4), ring(0));
	assert_int_equal(reg(QUEUE_SIZE, 2), RING_SIZE);
	assert_int_equal(reg(QUEUE_ENABLE, 2), 1);
	assert_int_equal(reg(QUEUE_VECTOR, 2), 2);
}

static void refuses_rings_outside_memory(void **state)
{
	(void)state;
	choose(VIRTIO_F_VERSION_1);
	set_status(11);
	set_reg(QUEUE_DESC + 4, 4, 0x100);
	set_up_queue(0);
	assert_int_equal(reg(QUEUE_ENABLE, 2), 0);
	assert_true(list_is_empty(&fake_vm.memory.pins));
	set_reg(QUEUE_DESC + 4, 4, 0);
	set_reg(QUEUE_ENABLE, 2, 1);
	assert_int_equal(reg(QUEUE_ENABLE, 2), 1);
}

/* One line until the next reset, however often the driver tries. */
static void says_once_what_it_refuses(void **state)
{
	(void)state;
	fake_log_reset();
	for (unsigned int i = 1; i < 3; i++) {
		choose(VIRTIO_F_VERSION_1);
		set_status(11);
		set_reg(QUEUE_DESC + 4, 4, 0x100);
		set_up_queue(0);
		set_reg(QUEUE_ENABLE, 2, 1);
		set_reg(QUEUE_SELECT, 2, 1);
		set_reg(QUEUE_DESC + 4, 4, 0x100);
		set_up_queue(1);
		assert_int_equal(reg(QUEUE_ENABLE, 2), 0);
		assert_int_equal(fake_log_count[LOG_DEBUG], i);
		set_status(0);
	}
}

static void odd_accesses_do_nothing(void **state)
{
	(void)state;
	set_reg(DEVICE_STATUS, 2, 0x0101);
	set_reg(DEVICE_STATUS, 4, 1);
	set_reg(QUEUE_SIZE, 1, 8);
	set_reg(QUEUE_SIZE + 1, 1, 0);
	set_reg(QUEUE_DESC + 2, 4, UINT32_MAX);
	set_reg(NUM_QUEUES, 2, 9);
	set_reg(0x3c, 4, UINT32_MAX);
	set_reg(0xffc, 8, UINT64_MAX);
	set_reg(VIRTIO_PCI_ISR, 4, UINT32_MAX);
	assert_int_equal(reg(DEVICE_STATUS, 1), 0);
	assert_int_equal(reg(QUEUE_SIZE, 2), VQ_SIZE_MAX);
	assert_int_equal(reg(QUEUE_DESC, 8), 0);
	assert_int_equal(reg(0x38, 4), 0);
	assert_int_equal(reg(0x3a, 4), 0);
	assert_int_equal(reg(0xffc, 8), 0);
	assert_int_equal(reg(VIRTIO_PCI_NOTIFY, 4), 0);
	/* any read that is inside shows bytes */
	assert_int_equal(reg(CONFIG_VECTOR, 4), CARD_QUEUES << 16 | 0xffff);
	assert_int_equal(reg(NUM_QUEUES, 1), CARD_QUEUES);
}

static void configuration_has_bounds(void **state)
{
	(void)state;
	assert_int_equal(reg(VIRTIO_PCI_CONFIG + 8, 4), 0xcbcac9c8);
	assert_int_equal(reg(VIRTIO_PCI_CONFIG + 10, 4), 0xcbca);
	assert_int_equal(reg(VIRTIO_PCI_CONFIG + 12, 4), 0);
	assert_int_equal(reg(VIRTIO_PCI_CONFIG + 0xffc, 8), 0);
	set_reg(VIRTIO_PCI_CONFIG + 10, 4, 0);
	set_reg(VIRTIO_PCI_CONFIG + 12, 1, 0);
	set_reg(VIRTIO_PCI_CONFIG + 8, 2, 0x1234);
	assert_int_equal(reg(VIRTIO_PCI_CONFIG + 8, 4), 0xcbca1234);
}

static void set_window(uint8_t bar, uint32_t offset, uint32_t size)
{
	uint32_t cap = find_part(5);

	config_write(CARD_SLOT, cap + 4, 1, bar);
	config_write(CARD_SLOT, cap + 8, 4, offset);
	config_write(CARD_SLOT, cap + 12, 4, size);
}

static void window_reaches_the_bar(void **state)
{
	uint32_t data = find_part(5) + 16;

	(void)state;
	set_window(VIRTIO_PCI_BAR, VIRTIO_PCI_CONFIG + 4, 4);
	assert_int_equal(config_read(CARD_SLOT, data, 4), 0xc7c6c5c4);
	assert_int_equal(config_read(CARD_SLOT, data, 1), 0xc4);
	set_window(VIRTIO_PCI_BAR, DEVICE_STATUS, 1);
	config_write(CARD_SLOT, data, 4, 0xffffff03);
	assert_int_equal(reg(DEVICE_STATUS, 1), 3);
	assert_int_equal(config_read(CARD_SLOT, data, 4), 3);
	config_write(CARD_SLOT, data, 1, 0);
	assert_int_equal(card_resets, 1);
	/* less than the window */
	set_window(VIRTIO_PCI_BAR, VIRTIO_PCI_CONFIG, 4);
	config_write(CARD_SLOT, data, 2, 0);
	assert_int_equal(card_config[0], 0xc0);
	/* served from configuration space */
	card_drive();
	set_window(VIRTIO_PCI_BAR, VIRTIO_PCI_NOTIFY + 4, 2);
	config_write(CARD_SLOT, data, 2, 1);
	assert_int_equal(card_serves, 1);
}

static void window_has_bounds(void **state)
{
	static const struct {
		uint8_t bar;
		uint32_t offset, size;
	} bad[] = {
		{ 0, 0, 4 },
		{ 1, 0, 4 },
		{ 255, 0, 4 },
		{ VIRTIO_PCI_BAR, VIRTIO_PCI_CONFIG, 0 },
		{ VIRTIO_PCI_BAR, VIRTIO_PCI_CONFIG, 3 },
		{ VIRTIO_PCI_BAR, VIRTIO_PCI_CONFIG, 8 },
		{ VIRTIO_PCI_BAR, VIRTIO_PCI_CONFIG, UINT32_MAX },
		{ VIRTIO_PCI_BAR, VIRTIO_PCI_CONFIG + 2, 4 },
		{ VIRTIO_PCI_BAR, VIRTIO_PCI_BAR_SIZE, 4 },
		{ VIRTIO_PCI_BAR, UINT32_MAX - 3, 4 },
	};
	uint32_t data = find_part(5) + 16;

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(bad); i++) {
		set_window(bad[i].bar, bad[i].offset, bad[i].size);
		config_write(CARD_SLOT, data, 4, UINT32_MAX);
		assert_int_equal(config_read(CARD_SLOT, data, 4), 0);
	}
	set_window(VIRTIO_PCI_BAR, VIRTIO_PCI_BAR_SIZE - 4, 4);
	config_write(CARD_SLOT, data, 4, UINT32_MAX);
	assert_int_equal(config_read(CARD_SLOT, data, 4), 0);
}

static void refuses_what_does_not_fit(void **state)
{
	struct virtio_device other = { .ops = &card_ops,
				       .vm = &fake_vm,
				       .queue_count = VIRTIO_QUEUES_MAX + 1 };

	(void)state;
	assert_int_equal(virtio_pci_attach(&other), -EINVAL);
	other.queue_count = VIRTIO_QUEUES_MAX;
	other.config_size = 4097;
	assert_int_equal(virtio_pci_attach(&other), -EINVAL);
	other.config_size = 0;
	assert_int_equal(virtio_pci_attach(&other), 0);
	assert_int_equal(config_read(2, 0, 4), 0x10441af4);
	virtio_pci_detach(&other);
	assert_int_equal(config_read(2, 0, 4), 0xffffffff);
	virtio_pci_detach(&other);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(is_a_modern_device),
		CASE(says_where_its_parts_are),
		CASE(offers_features),
		CASE(refuses_features),
		CASE(status_only_grows),
		CASE(has_queues),
		CASE(keeps_what_a_queue_is_told),
		CASE(vectors_read_back),
		CASE(enables_queues_once_features_are),
		CASE(refuses_rings_outside_memory),
		CASE(says_once_what_it_refuses),
		CASE(odd_accesses_do_nothing),
		CASE(configuration_has_bounds),
		CASE(window_reaches_the_bar),
		CASE(window_has_bounds),
		CASE(refuses_what_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
