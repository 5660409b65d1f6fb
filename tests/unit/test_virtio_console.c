/* The virtio console: output, input, control messages; who gets what is typed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "drivers/pc/pc_state.h"
#include "drivers/pci/pci.h"
#include "drivers/virtio/virtio_console.h"
#include "drivers/virtio/virtio_pci.h"
#include "frame_machine.h"
#include "mm/heap.h"
#include "virtio_rest.h"
#include "vm_machine.h"
#include "vq_driver.h"

#define RINGS 0x10000UL
#define DATA  0x100000UL
#define W     VQ_DESC_WRITE

enum { IN, OUT, CONTROL_IN, CONTROL_OUT };
enum {
	DEVICE_READY,
	PORT_ADD,
	PORT_READY = 3,
	CONSOLE_PORT,
	PORT_OPEN = 6,
	PORT_NAME
};

static struct virtio_device *console;
static struct vq_driver drivers[4];

static void start(uint64_t features)
{
	for (uint32_t i = 0; i < 4; i++) {
		if (vq_driver_start(&drivers[i], &console->queues[i],
				    RINGS + i * 0x10000, 8, features))
			abort();
	}
	console->status = VIRTIO_STATUS_DRIVER_OK;
}

static int set_up(void **state)
{
	(void)state;
	fake_vm_reset(1, 4 * MIB);
	heap_init();
	if (pci_create(&fake_vm))
		abort();
	fake_vm.pc = heap_alloc(sizeof(*fake_vm.pc));
	fake_vm.pc->serial.vm = &fake_vm;
	if (virtio_console_create(&fake_vm))
		abort();
	console = fake_vm.pc->console;
	start(0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pci_destroy(&fake_vm);
	assert_null(fake_vm.pc->console);
	heap_free(fake_vm.pc);
	guest_mem_fini(&fake_vm.memory);
	return 0;
}

static void put_guest(uint64_t gpa, const void *from, uint64_t size)
{
	if (guest_write(&fake_vm.memory, (gpa_t){ gpa }, from, size))
		abort();
}

static void serve(uint16_t index)
{
	virtio_kick(console, index);
}

static void write_out(const char *text, uint32_t size)
{
	struct vq_buffer buffer = { DATA, size, 0 };
	uint32_t written;
	uint16_t id;

	put_guest(DATA, text, size);
	vq_driver_add(&drivers[OUT], &buffer, 1);
	serve(OUT);
	assert_true(vq_driver_take(&drivers[OUT], &id, &written));
}

static void post(uint16_t index, uint32_t size)
{
	struct vq_buffer buffer = { DATA + 0x1000 + index * 0x1000UL, size, W };

	vq_driver_add(&drivers[index], &buffer, 1);
}

/* What came into the next buffer of @index. "": nothing. */
static const char *take(uint16_t index)
{
	static char text[0x1000];
	uint32_t written;
	uint16_t id;

	memset(text, 0, sizeof(text));
	if (vq_driver_take(&drivers[index], &id, &written))
		guest_read(&fake_vm.memory,
			   (gpa_t){ DATA + 0x1000 + index * 0x1000UL }, text,
			   written);
	return text;
}

static void type(const char *text)
{
	pc_console_input(&fake_vm, text, (uint32_t)strlen(text));
}

static void tells_what_it_is(void **state)
{
	uint32_t config[3];

	(void)state;
	assert_int_equal(console->ops->type, 3);
	assert_int_equal(console->queue_count, 4);
	assert_int_equal(console->features, BIT(1) | BIT(2));
	assert_int_equal(console->config_size, 12);
	console->ops->config_read(console, 0, config, 12);
	assert_int_equal(config[1], 1);
}

static void writes(void **state)
{
	char text[1000];

	(void)state;
	write_out("hello", 5);
	assert_int_equal(fake_console_size, 5);
	assert_memory_equal(fake_console, "hello", 5);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 7 + i / 256);
	write_out(text, sizeof(text));
	assert_int_equal(fake_console_size, 1005);
	assert_memory_equal(fake_console + 5, text, sizeof(text));
}

static void writes_in_emergencies(void **state)
{
	uint32_t c = 'x';

	(void)state;
	console->status = 0;
	console->ops->config_write(console, 8, &c, 4);
	console->ops->config_write(console, 4, &c, 4);
	assert_int_equal(fake_console_size, 1);
	assert_int_equal(fake_console[0], 'x');
}

static bool take_interrupt(void)
{
	struct virtio_pci *transport = console->transport;

	return __atomic_exchange_n(&transport->isr, 0, __ATOMIC_SEQ_CST);
}

static void read_typed(uint64_t features)
{
	start(features);
	write_out("$ ", 2);
	post(IN, 100);
	post(IN, 4);
	take_interrupt();
	type("ls");
	assert_string_equal(take(IN), "ls");
	assert_true(take_interrupt());
	type("123456");
	assert_string_equal(take(IN), "1234");
	assert_string_equal(take(IN), "");
	/* the rest waits for a buffer, and the driver is asked to tell */
	type("78");
	post(IN, 100);
	assert_true(vq_driver_must_kick(&drivers[IN]));
	serve(IN);
	assert_string_equal(take(IN), "5678");
}

static void reads_what_is_typed(void **state)
{
	static const uint64_t rings[] = {
		0,
		VIRTIO_F_EVENT_IDX,
		VIRTIO_F_RING_PACKED,
		VIRTIO_F_RING_PACKED | VIRTIO_F_EVENT_IDX,
	};

	for (size_t i = 0; i < ARRAY_SIZE(rings); i++) {
		tear_down(state);
		set_up(state);
		read_typed(rings[i]);
	}
}

static void keeps_some_input(void **state)
{
	char text[300];
	uint32_t got = 0;

	(void)state;
	write_out("$ ", 2);
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 300; i++)
			text[i] = (char)('a' + (i + round) % 26);
		pc_console_input(&fake_vm, text, 100);
		pc_console_input(&fake_vm, text + 100, 200);
		for (got = 0;;) {
			const char *part;

			post(IN, 100);
			serve(IN);
			part = take(IN);
			if (!*part)
				break;
			assert_memory_equal(part, text + got, strlen(part));
			got += (uint32_t)strlen(part);
		}
		assert_int_equal(got, CONSOLE_INPUT_MAX);
		console->ops->reset(console);
		start(round == 0 ? VIRTIO_F_RING_PACKED : VIRTIO_F_EVENT_IDX);
	}
}

/* The serial port has it until the guest writes to the console, and again when
 * it writes there. */
static void follows_the_guest(void **state)
{
	struct pc *pc = fake_vm.pc;
	struct vserial *serial = &pc->serial;

	(void)state;
	post(IN, 10);
	post(IN, 10);
	type("a");
	assert_int_equal(serial->input_count, 1);
	write_out("x", 1);
	type("b");
	assert_int_equal(serial->input_count, 1);
	assert_string_equal(take(IN), "b");
	serial->has_sent = true;
	type("c");
	assert_int_equal(serial->input_count, 2);
	write_out("x", 1);
	type("d");
	assert_string_equal(take(IN), "d");
	/* no driver there any more */
	console->status = 0;
	type("e");
	assert_int_equal(serial->input_count, 3);
	/* no devices at all */
	fake_vm.pc = NULL;
	type("f");
	fake_vm.pc = pc;
	assert_int_equal(serial->input_count, 3);
}

static void forgets_on_reset(void **state)
{
	(void)state;
	write_out("x", 1);
	type("old");
	console->ops->reset(console);
	start(0);
	post(IN, 10);
	type("new");
	assert_string_equal(take(IN), "new");
}

struct message {
	uint32_t id;
	uint16_t event, value;
};

static void tell(uint32_t id, uint16_t event, uint16_t value)
{
	struct message message = { id, event, value };
	struct vq_buffer buffer = { DATA, sizeof(message), 0 };
	uint32_t written;
	uint16_t id_used;

	put_guest(DATA, &message, sizeof(message));
	vq_driver_add(&drivers[CONTROL_OUT], &buffer, 1);
	serve(CONTROL_OUT);
	assert_true(vq_driver_take(&drivers[CONTROL_OUT], &id_used, &written));
}

static void assert_told(uint16_t event, const char *more)
{
	struct message expected = { 0, event, 1 };
	const char *text = take(CONTROL_IN);

	assert_memory_equal(text, &expected, sizeof(expected));
	assert_string_equal(text + sizeof(expected), more);
}

static void introduces_its_port(void **state)
{
	(void)state;
	post(CONTROL_IN, 100);
	tell(0, DEVICE_READY, 0);
	assert_string_equal(take(CONTROL_IN) + 4, "");
	tell(~0U, DEVICE_READY, 1);
	assert_told(PORT_ADD, "");
	tell(1, PORT_READY, 1);
	tell(~0U, PORT_READY, 1);
	tell(0, PORT_READY, 0);
	post(CONTROL_IN, 100);
	serve(CONTROL_IN);
	assert_string_equal(take(CONTROL_IN) + 4, "");
	tell(0, PORT_READY, 1);
	assert_told(CONSOLE_PORT, "");
	/* the others when there is a buffer */
	post(CONTROL_IN, 100);
	assert_true(vq_driver_must_kick(&drivers[CONTROL_IN]));
	serve(CONTROL_IN);
	assert_told(PORT_OPEN, "");
	post(CONTROL_IN, 100);
	serve(CONTROL_IN);
	assert_told(PORT_NAME, "org.basalt.console");
	post(CONTROL_IN, 100);
	serve(CONTROL_IN);
	assert_string_equal(take(CONTROL_IN) + 4, "");
}

static bool is_failed(void)
{
	return console->status & VIRTIO_STATUS_NEEDS_RESET;
}

static void misuse_fails(void **state)
{
	const struct vq_buffer nowhere = { 4 * MIB, 100, 0 };
	const struct vq_buffer nowhere_in = { 4 * MIB, 100, W };
	const struct vq_buffer not_writable = { DATA, 100, 0 };

	(void)state;
	vq_driver_add(&drivers[OUT], &nowhere, 1);
	serve(OUT);
	assert_true(is_failed());
	start(0);
	vq_driver_add(&drivers[CONTROL_OUT], &nowhere, 1);
	serve(CONTROL_OUT);
	assert_true(is_failed());
	start(0);
	write_out("x", 1);
	vq_driver_add(&drivers[IN], &nowhere_in, 1);
	type("y");
	assert_true(is_failed());
	console->ops->reset(console);
	start(0);
	vq_driver_add(&drivers[IN], &not_writable, 1);
	type("y");
	assert_true(is_failed());
	console->ops->reset(console);
	start(0);
	post(CONTROL_IN, 4);
	tell(0, DEVICE_READY, 1);
	assert_true(is_failed());
}

static void stops_when_nobody_is_there(void **state)
{
	struct vq_buffer buffer = { DATA, 1000, 0 };
	uint32_t written;
	uint16_t id;

	(void)state;
	vq_driver_add(&drivers[OUT], &buffer, 1);
	fake_vm.end = VM_END_STOPPED;
	virtio_kick(console, OUT);
	assert_int_equal(fake_console_size, 0);
	assert_false(vq_driver_take(&drivers[OUT], &id, &written));
	fake_vm.end = VM_END_NONE;
}

/* A console without room: the output comes later, all of it. */
static void waits_for_room(void **state)
{
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof(text));
	fake_console_is_full = true;
	write_out(text, sizeof(text));
	assert_int_equal(fake_console_waits, 1);
	assert_int_equal(fake_console_size, 1000);
}

/* A device that was reset has no rings to ask whether they want an interrupt. */
static void no_signal_after_reset(void **state)
{
	(void)state;
	console->queues[IN].unsignalled = 1;
	console->status = 0;
	virtio_console_input(console, "x", 1);
	assert_int_equal(console->queues[IN].unsignalled, 1);
}

static void siblings_cannot_keep_the_server(void **state)
{
	const struct vq_buffer text = { DATA, 100, 0 };
	const struct vq_buffer message = { DATA, 8, 0 };

	(void)state;
	rest_check(console, OUT,
		   (struct rest_request){ &drivers[OUT], &text, 1 }, 4000,
		   REST_REQUESTS_MAX);
	rest_check(console, CONTROL_OUT,
		   (struct rest_request){ &drivers[CONTROL_OUT], &message, 1 },
		   4000, REST_REQUESTS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(tells_what_it_is),
		TEST(writes),
		TEST(writes_in_emergencies),
		TEST(reads_what_is_typed),
		TEST(keeps_some_input),
		TEST(follows_the_guest),
		TEST(forgets_on_reset),
		TEST(introduces_its_port),
		TEST(misuse_fails),
		TEST(stops_when_nobody_is_there),
		TEST(waits_for_room),
		TEST(no_signal_after_reset),
		TEST(siblings_cannot_keep_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
