/* The i8042 without a keyboard, and port 0x92. */
#include "drivers/pc/vi8042.h"

#define STATUS_OUTPUT_FULL BIT(0)
#define STATUS_SYSTEM	   BIT(2) /* the self-test was passed */
#define STATUS_COMMAND	   BIT(3) /* the last write was to the command port */
#define STATUS_UNLOCKED	   BIT(4)
#define STATUS_TIMEOUT	   BIT(6)

enum vi8042_command {
	COMMAND_READ_RAM = 0x20,  /* to 0x3f */
	COMMAND_WRITE_RAM = 0x60, /* to 0x7f */
	COMMAND_DISABLE_MOUSE = 0xa7,
	COMMAND_ENABLE_MOUSE = 0xa8,
	COMMAND_TEST_MOUSE = 0xa9,
	COMMAND_SELF_TEST = 0xaa,
	COMMAND_TEST_KEYBOARD = 0xab,
	COMMAND_DISABLE_KEYBOARD = 0xad,
	COMMAND_ENABLE_KEYBOARD = 0xae,
	COMMAND_READ_INPUT_PORT = 0xc0,
	COMMAND_READ_OUTPUT_PORT = 0xd0,
	COMMAND_WRITE_OUTPUT_PORT = 0xd1,
	COMMAND_KEYBOARD_LOOP = 0xd2,
	COMMAND_MOUSE_LOOP = 0xd3,
	COMMAND_WRITE_MOUSE = 0xd4,
	COMMAND_DISABLE_A20 = 0xdd,
	COMMAND_ENABLE_A20 = 0xdf,
	COMMAND_PULSE = 0xf0, /* to 0xff: output lines whose bit is 0 */
};

#define RAM_MASK BITS(4, 0)

/* Command byte */
#define MODE_KEYBOARD_INTERRUPT BIT(0)
#define MODE_SYSTEM		BIT(2)
#define MODE_NO_KEYBOARD	BIT(4)
#define MODE_NO_MOUSE		BIT(5)
#define MODE_TRANSLATE		BIT(6)

/* Output port */
#define OUTPUT_NO_RESET BIT(0)
#define OUTPUT_A20	BIT(1)
/* Port 0x92: Intel, "ICH9 Family Datasheet", 13.7.3 "PORT92". */
#define FAST_RESET BIT(0)
#define FAST_A20   BIT(1)

#define ANSWER_SELF_TEST 0x55
#define ANSWER_TEST_GOOD 0x00
#define ANSWER_CLOCK_LOW 0x01 /* of an interface without a device */
#define ANSWER_NOBODY	 0xfe

static void settle(struct vi8042 *i8042)
{
	bool is_high = (i8042->status & STATUS_OUTPUT_FULL) &&
		       (i8042->ram[0] & MODE_KEYBOARD_INTERRUPT);

	if (is_high != i8042->is_irq_high)
		vm_set_irq(i8042->vm, VI8042_GSI, is_high);
	i8042->is_irq_high = is_high;
}

static void answer(struct vi8042 *i8042, uint8_t value)
{
	i8042->output = value;
	i8042->status &= (uint8_t)~STATUS_TIMEOUT;
	i8042->status |= STATUS_OUTPUT_FULL;
}

static void answer_nobody(struct vi8042 *i8042)
{
	answer(i8042, ANSWER_NOBODY);
	i8042->status |= STATUS_TIMEOUT;
}

static void set_a20(struct vi8042 *i8042, bool is_on)
{
	i8042->output_port &= (uint8_t)~OUTPUT_A20;
	i8042->output_port |= is_on ? OUTPUT_A20 : 0;
}

static void write_output_port(struct vi8042 *i8042, uint8_t value)
{
	if (!(value & OUTPUT_NO_RESET)) {
		vm_end(i8042->vm, VM_END_RESET);
		return;
	}
	i8042->output_port = value;
}

static void self_test(struct vi8042 *i8042)
{
	i8042->status |= STATUS_SYSTEM;
	i8042->ram[0] |= MODE_SYSTEM;
	answer(i8042, ANSWER_SELF_TEST);
}

/* Commands that are done at once. */
static void run_simple(struct vi8042 *i8042, uint8_t command)
{
	uint8_t *mode = &i8042->ram[0];

	switch (command) {
	case COMMAND_DISABLE_MOUSE: *mode |= MODE_NO_MOUSE; break;
	case COMMAND_ENABLE_MOUSE: *mode &= (uint8_t)~MODE_NO_MOUSE; break;
	case COMMAND_TEST_MOUSE: answer(i8042, ANSWER_CLOCK_LOW); break;
	case COMMAND_SELF_TEST: self_test(i8042); break;
	case COMMAND_TEST_KEYBOARD: answer(i8042, ANSWER_TEST_GOOD); break;
	case COMMAND_DISABLE_KEYBOARD: *mode |= MODE_NO_KEYBOARD; break;
	case COMMAND_ENABLE_KEYBOARD:
		*mode &= (uint8_t)~MODE_NO_KEYBOARD;
		break;
	case COMMAND_READ_INPUT_PORT: answer(i8042, 0); break;
	case COMMAND_READ_OUTPUT_PORT: answer(i8042, i8042->output_port); break;
	case COMMAND_DISABLE_A20: set_a20(i8042, false); break;
	case COMMAND_ENABLE_A20: set_a20(i8042, true); break;
	default: break; /* unknown ones are ignored */
	}
}

static void write_command(struct vi8042 *i8042, uint8_t command)
{
	i8042->status |= STATUS_COMMAND;
	i8042->command = 0;
	if (command >= COMMAND_READ_RAM &&
	    command < COMMAND_READ_RAM + VI8042_RAM_SIZE)
		answer(i8042, i8042->ram[command & RAM_MASK]);
	else if (command >= COMMAND_PULSE && !(command & OUTPUT_NO_RESET))
		vm_end(i8042->vm, VM_END_RESET);
	else if ((command >= COMMAND_WRITE_RAM &&
		  command < COMMAND_WRITE_RAM + VI8042_RAM_SIZE) ||
		 (command >= COMMAND_WRITE_OUTPUT_PORT &&
		  command <= COMMAND_WRITE_MOUSE))
		i8042->command = command;
	else
		run_simple(i8042, command);
}

/* A byte for the keyboard, or the argument of a command. */
static void write_data(struct vi8042 *i8042, uint8_t value)
{
	uint8_t command = i8042->command;

	i8042->status &= (uint8_t)~STATUS_COMMAND;
	i8042->command = 0;
	switch (command) {
	case 0:
	case COMMAND_WRITE_MOUSE: answer_nobody(i8042); break;
	case COMMAND_WRITE_OUTPUT_PORT: write_output_port(i8042, value); break;
	case COMMAND_KEYBOARD_LOOP:
	/* without the bit that says "from the mouse": there is no such port */
	case COMMAND_MOUSE_LOOP: answer(i8042, value); break;
	default: i8042->ram[command & RAM_MASK] = value; break;
	}
}

static uint64_t data_read(void *device, uint64_t offset, unsigned int size)
{
	struct vi8042 *i8042 = device;

	(void)offset;
	(void)size;
	i8042->status &= (uint8_t) ~(STATUS_OUTPUT_FULL | STATUS_TIMEOUT);
	settle(i8042);
	return i8042->output;
}

static void data_write(void *device, uint64_t offset, unsigned int size,
		       uint64_t value)
{
	(void)offset;
	(void)size;
	write_data(device, (uint8_t)value);
	settle(device);
}

static uint64_t status_read(void *device, uint64_t offset, unsigned int size)
{
	const struct vi8042 *i8042 = device;

	(void)offset;
	(void)size;
	return i8042->status;
}

static void command_write(void *device, uint64_t offset, unsigned int size,
			  uint64_t value)
{
	(void)offset;
	(void)size;
	write_command(device, (uint8_t)value);
	settle(device);
}

static uint64_t fast_read(void *device, uint64_t offset, unsigned int size)
{
	const struct vi8042 *i8042 = device;

	(void)offset;
	(void)size;
	return i8042->output_port & OUTPUT_A20 ? FAST_A20 : 0;
}

static void fast_write(void *device, uint64_t offset, unsigned int size,
		       uint64_t value)
{
	struct vi8042 *i8042 = device;

	(void)offset;
	(void)size;
	set_a20(i8042, value & FAST_A20);
	if (value & FAST_RESET)
		vm_end(i8042->vm, VM_END_RESET);
}

static const struct io_ops data_ops = { data_read, data_write };
static const struct io_ops command_ops = { status_read, command_write };
static const struct io_ops fast_ops = { fast_read, fast_write };

int vi8042_init(struct vi8042 *i8042, struct vm *vm)
{
	const struct io_region regions[] = {
		{ VI8042_DATA_PORT, 1, &data_ops, i8042, false },
		{ VI8042_COMMAND_PORT, 1, &command_ops, i8042, false },
		{ VI8042_FAST_PORT, 1, &fast_ops, i8042, false },
	};
	int error = 0;

	i8042->vm = vm;
	i8042->status = STATUS_SYSTEM | STATUS_UNLOCKED;
	i8042->output_port = OUTPUT_NO_RESET | OUTPUT_A20;
	i8042->ram[0] = MODE_SYSTEM | MODE_NO_MOUSE | MODE_TRANSLATE;
	for (size_t i = 0; i < ARRAY_SIZE(regions) && !error; i++)
		error = io_add(&vm->ports, &regions[i]);
	return error;
}
