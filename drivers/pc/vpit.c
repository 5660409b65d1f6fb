/* The 8254: ports, and the interrupt of channel 0. What a channel shows at a
 * given tick is in vpit_channel.c. */
#include "drivers/pc/vpit.h"

#include "drivers/pc/vclock.h"
#include "drivers/pc/vpit_channel.h"

/* Control word: section "Programming the 8254". */
#define CONTROL_OFFSET	 3
#define CONTROL_SELECT	 BITS(7, 6)
#define CONTROL_ACCESS	 BITS(5, 4)
#define CONTROL_MODE	 BITS(3, 1)
#define CONTROL_BCD	 BIT(0)
#define SELECT_READ_BACK 3
/* Read-back command: what is not to be latched, and the channels. */
#define READ_BACK_NO_COUNT  BIT(5)
#define READ_BACK_NO_STATUS BIT(4)
#define READ_BACK_CHANNEL   BIT(1)

/* Port 0x61: Intel, "ICH9 Family Datasheet", 13.7.1 "NMI_SC". */
#define GATE_CHANNEL_2 BIT(0)
#define GATE_WRITABLE  BITS(3, 0)
#define GATE_REFRESH   BIT(4) /* toggles with each refresh of memory */
#define GATE_OUTPUT_2  BIT(5)
#define REFRESH_NS     15085UL

#define PERIOD_MIN_TICKS (VCLOCK_PERIOD_MIN_NS * VPIT_HZ / NS_PER_SEC)

static uint64_t tick_now(const struct vpit *pit)
{
	return vclock_ticks(vm_time(pit->vm), VPIT_HZ);
}

/* Wait for channel 0's first rising edge after tick @from. */
static void arm(struct vpit *pit, uint64_t from)
{
	uint64_t time = TIME_NEVER;

	pit->edge = vpit_channel_next_edge(&pit->channels[0], from);
	if (!pit->is_replaced && pit->edge != VPIT_NO_EDGE)
		time = vclock_ns(pit->edge, VPIT_HZ);
	vclock_arm(pit->vm, VM_TIMER_PIT, time);
}

void vpit_timer_fire(struct vpit *pit)
{
	struct vpit_channel *channel = &pit->channels[0];
	uint64_t now = tick_now(pit);
	uint64_t from = now;

	if (pit->is_replaced)
		return;
	if (now >= pit->edge) {
		/* edges missed meanwhile are lost, as they are with interrupts
		 * off for that long */
		vpit_channel_advance(channel, now);
		if (vpit_channel_is_periodic(channel) &&
		    channel->count < PERIOD_MIN_TICKS)
			from += PERIOD_MIN_TICKS;
		vm_set_irq(pit->vm, VPIT_GSI, false);
		vm_set_irq(pit->vm, VPIT_GSI, true);
	} else {
		from = pit->edge == VPIT_NO_EDGE ? now : pit->edge - 1;
	}
	arm(pit, from);
}

void vpit_set_replaced(struct vpit *pit, bool is_replaced)
{
	if (pit->is_replaced == is_replaced)
		return;
	pit->is_replaced = is_replaced;
	vm_set_irq(pit->vm, VPIT_GSI, false);
	vpit_channel_advance(&pit->channels[0], tick_now(pit));
	arm(pit, tick_now(pit));
}

static void read_back(struct vpit *pit, uint8_t command, uint64_t now)
{
	for (unsigned int i = 0; i < VPIT_CHANNELS; i++) {
		if (!(command & READ_BACK_CHANNEL << i))
			continue;
		if (!(command & READ_BACK_NO_COUNT))
			vpit_channel_latch_count(&pit->channels[i], now);
		if (!(command & READ_BACK_NO_STATUS))
			vpit_channel_latch_status(&pit->channels[i], now);
	}
}

static void write_control(struct vpit *pit, uint8_t value, uint64_t now)
{
	unsigned int select = (unsigned int)FIELD_GET(CONTROL_SELECT, value);
	unsigned int access = (unsigned int)FIELD_GET(CONTROL_ACCESS, value);

	if (select == SELECT_READ_BACK) {
		read_back(pit, value, now);
		return;
	}
	if (access == 0) {
		vpit_channel_latch_count(&pit->channels[select], now);
		return;
	}
	vpit_channel_program(&pit->channels[select], (uint8_t)access,
			     (uint8_t)FIELD_GET(CONTROL_MODE, value),
			     value & CONTROL_BCD);
	if (select == 0) {
		/* low in every mode: the line is driven for its rising edges
		 * only, and a mode's first level is none */
		vm_set_irq(pit->vm, VPIT_GSI, false);
		arm(pit, now);
	}
}

static uint64_t pit_read(void *device, uint64_t offset, unsigned int size)
{
	struct vpit *pit = device;
	uint64_t value = 0;

	for (unsigned int i = 0; i < size; i++, offset++) {
		uint64_t byte = 0; /* the control word cannot be read */

		if (offset < VPIT_CHANNELS)
			byte = vpit_channel_read(&pit->channels[offset],
						 tick_now(pit));
		value |= byte << (8 * i);
	}
	return value;
}

static void write_byte(struct vpit *pit, uint64_t offset, uint8_t value)
{
	uint64_t now = tick_now(pit);

	if (now >= pit->edge)
		vpit_timer_fire(pit); /* it happened before the write */
	if (offset == CONTROL_OFFSET) {
		write_control(pit, value, now);
		return;
	}
	vpit_channel_write(&pit->channels[offset], value, now);
	if (offset == 0)
		arm(pit, now);
}

static void pit_write(void *device, uint64_t offset, unsigned int size,
		      uint64_t value)
{
	for (unsigned int i = 0; i < size; i++)
		write_byte(device, offset + i, (uint8_t)(value >> (8 * i)));
}

static uint64_t gate_read(void *device, uint64_t offset, unsigned int size)
{
	struct vpit *pit = device;
	uint64_t value = pit->gate_port;

	(void)offset;
	(void)size;
	if (vm_time(pit->vm) / REFRESH_NS & 1)
		value |= GATE_REFRESH;
	if (vpit_channel_is_high(&pit->channels[2], tick_now(pit)))
		value |= GATE_OUTPUT_2;
	return value;
}

static void gate_write(void *device, uint64_t offset, unsigned int size,
		       uint64_t value)
{
	struct vpit *pit = device;

	(void)offset;
	(void)size;
	pit->gate_port = value & GATE_WRITABLE;
	vpit_channel_set_gate(&pit->channels[2], value & GATE_CHANNEL_2,
			      tick_now(pit));
}

static const struct io_ops pit_ops = { pit_read, pit_write };
static const struct io_ops gate_ops = { gate_read, gate_write };

int vpit_init(struct vpit *pit, struct vm *vm)
{
	const struct io_region ports = { VPIT_PORT, 4, &pit_ops, pit, false };
	const struct io_region gate = { VPIT_PORT_GATE, 1, &gate_ops, pit,
					false };
	int error;

	pit->vm = vm;
	pit->edge = VPIT_NO_EDGE;
	for (unsigned int i = 0; i < VPIT_CHANNELS; i++)
		vpit_channel_init(&pit->channels[i], i != 2);
	error = io_add(&vm->ports, &ports);
	return error ? error : io_add(&vm->ports, &gate);
}
