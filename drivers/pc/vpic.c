/*
 * Two 8259As.
 *
 *	lines -> IRR -> (not masked, above what is in service) -> INTR
 *	                                  INTA: IRR -> ISR -> EOI: out
 *
 * The slave's output sets the master's request 2, which stays set like any edge:
 * a slave's request that goes away before INTA is a spurious IRQ 15.
 */
#include "drivers/pc/vpic.h"

#include "drivers/pc/lapic.h"

#define PORT_MASTER 0x20
#define PORT_SLAVE  0xa0
#define PORT_ELCR   0x4d0

#define CASCADE	    2
#define SPURIOUS_IR 7
#define NONE	    8 /* rank of no bits */

/* ICW1 and ICW4. */
#define ICW1_NEEDS_ICW4	    BIT(0)
#define ICW1_SINGLE	    BIT(1)
#define ICW1_IS		    BIT(4)
#define ICW4_AUTO_EOI	    BIT(1)
#define ICW4_SPECIAL_NESTED BIT(4)

/* OCW2 and OCW3, both at the command port. */
#define OCW2_IR		      BITS(2, 0)
#define OCW2_OPERATION	      BITS(7, 5)
#define OCW3_IS		      BIT(3)
#define OCW3_READ_ISR	      BIT(0)
#define OCW3_READ	      BIT(1)
#define OCW3_POLL	      BIT(2)
#define OCW3_SPECIAL_MASK     BIT(5)
#define OCW3_SET_SPECIAL_MASK BIT(6)

enum ocw2_operation {
	OCW2_ROTATE_AUTO_CLEAR = 0,
	OCW2_EOI = 1,
	OCW2_SPECIFIC_EOI = 3,
	OCW2_ROTATE_AUTO_SET = 4,
	OCW2_ROTATE_EOI = 5,
	OCW2_SET_PRIORITY = 6,
	OCW2_ROTATE_SPECIFIC_EOI = 7,
};

#define POLL_INTERRUPT BIT(7)

/* IRs that may be level-triggered: not the timer, keyboard and cascade, and not
 * the clock and the coprocessor. */
static const uint8_t elcr_settable[VPIC_CHIPS] = { 0xf8, 0xde };

static bool is_master(const struct vpic_chip *chip)
{
	return chip == &chip->pic->chips[VPIC_MASTER];
}

static uint8_t ir_bit(unsigned int ir)
{
	return (uint8_t)(1U << (ir & 7));
}

/* Priority of the first of @bits: 0 the highest, NONE if there are no bits. */
static unsigned int rank_of(const struct vpic_chip *chip, uint8_t bits)
{
	unsigned int rotated = (bits | (unsigned int)bits << 8) >> chip->first;

	return bits ? (unsigned int)__builtin_ctz(rotated) : NONE;
}

static unsigned int ir_of(const struct vpic_chip *chip, unsigned int rank)
{
	return (rank + chip->first) & 7;
}

/*
 * What the chip wants to interrupt with: IR 0 to 7, -1: nothing. In special mask
 * mode what is in service and masked holds nothing back; in special fully nested
 * mode the slave may interrupt above its own interrupt.
 */
static int find_request(const struct vpic_chip *chip)
{
	uint8_t holding = chip->isr;
	unsigned int request, service;

	if (chip->next_icw)
		return -1;
	if (chip->is_special_mask)
		holding &= (uint8_t)~chip->imr;
	request = rank_of(chip, chip->irr & (uint8_t)~chip->imr);
	service = rank_of(chip, holding);
	if (request < service)
		return (int)ir_of(chip, request);
	if (request == service && request != NONE && chip->is_special_nested &&
	    is_master(chip) && ir_of(chip, request) == CASCADE)
		return CASCADE;
	return -1;
}

bool vpic_has_interrupt(const struct vpic *pic)
{
	return __atomic_load_n(&pic->has_interrupt, __ATOMIC_ACQUIRE);
}

/* Drive the outputs anew. vCPU 0 need only hear of a rise: it looks again
 * by itself while it waits to take one. */
static void update(struct vpic *pic)
{
	struct vpic_chip *master = &pic->chips[VPIC_MASTER];
	struct vcpu *vcpu;
	bool before = pic->has_interrupt;
	bool now;

	if (find_request(&pic->chips[VPIC_SLAVE]) >= 0)
		master->irr |= ir_bit(CASCADE);
	now = find_request(master) >= 0;
	__atomic_store_n(&pic->has_interrupt, now, __ATOMIC_RELEASE);
	if (!now || before)
		return;
	vcpu = pic->vm->vcpus[0];
	if (lapic_takes_extint(vcpu->lapic))
		vcpu_request(vcpu, REQUEST_EVENT);
}

void vpic_set_line(struct vpic *pic, uint32_t irq, bool level)
{
	struct vpic_chip *chip;
	uint8_t bit = ir_bit(irq);

	if (irq >= VPIC_LINES || irq == CASCADE)
		return;
	chip = &pic->chips[irq / 8];
	if (chip->elcr & bit)
		chip->irr &= (uint8_t)~bit;
	if (level && (chip->elcr & bit || !(chip->lines & bit)))
		chip->irr |= bit;
	chip->lines &= (uint8_t)~bit;
	if (level)
		chip->lines |= bit;
	update(pic);
}

/* One INTA cycle of a chip. -1: no request was left. */
static int acknowledge(struct vpic_chip *chip)
{
	int ir = find_request(chip);
	uint8_t bit;

	if (ir < 0)
		return -1;
	bit = ir_bit((unsigned int)ir);
	if (!(chip->elcr & bit))
		chip->irr &= (uint8_t)~bit;
	if (!chip->is_auto_eoi)
		chip->isr |= bit;
	else if (chip->is_auto_rotating)
		chip->first = (uint8_t)((ir + 1) & 7);
	return ir;
}

static uint8_t vector_of(const struct vpic_chip *chip, int ir)
{
	return (uint8_t)(chip->base + (ir < 0 ? SPURIOUS_IR : ir));
}

/* The output drops with INTA, so what is left makes a new rise. */
uint8_t vpic_acknowledge(struct vpic *pic)
{
	struct vpic_chip *master = &pic->chips[VPIC_MASTER];
	struct vpic_chip *slave = &pic->chips[VPIC_SLAVE];
	int ir = acknowledge(master);
	uint8_t vector = vector_of(master, ir);

	if (ir == CASCADE)
		vector = vector_of(slave, acknowledge(slave));
	pic->has_interrupt = false;
	update(pic);
	return vector;
}

/* Poll command: the read is the INTA. The slave's request to the master goes with
 * it, for nobody will ask the master. */
static uint8_t poll(struct vpic_chip *chip)
{
	int ir = acknowledge(chip);

	chip->is_polling = false;
	if (ir < 0)
		return 0;
	if (!is_master(chip))
		chip->pic->chips[VPIC_MASTER].irr &= (uint8_t)~ir_bit(CASCADE);
	update(chip->pic);
	return (uint8_t)(POLL_INTERRUPT | (unsigned int)ir);
}

/* ICW1: edges that came before are forgotten, levels are still there. */
static void start_init(struct vpic_chip *chip, uint8_t icw1)
{
	*chip = (struct vpic_chip){
		.pic = chip->pic,
		.lines = chip->lines,
		.irr = chip->lines & chip->elcr,
		.elcr = chip->elcr,
		.base = chip->base,
		.next_icw = 2,
		.has_icw4 = icw1 & ICW1_NEEDS_ICW4,
		.is_single = icw1 & ICW1_SINGLE,
	};
}

/* Which of 2, 3, 4 comes after @icw; 0: none. ICW3 is as the chips are wired. */
static uint8_t icw_after(const struct vpic_chip *chip, uint8_t icw)
{
	if (icw == 2 && !chip->is_single)
		return 3;
	return icw < 4 && chip->has_icw4 ? 4 : 0;
}

static void write_data(struct vpic_chip *chip, uint8_t value)
{
	switch (chip->next_icw) {
	case 0: chip->imr = value; return;
	case 2: chip->base = value & 0xf8; break;
	case 4:
		chip->is_auto_eoi = value & ICW4_AUTO_EOI;
		chip->is_special_nested = value & ICW4_SPECIAL_NESTED;
		break;
	default: break;
	}
	chip->next_icw = icw_after(chip, chip->next_icw);
}

/* Out of service: @bits; and the last of them gets the lowest priority. */
static void end(struct vpic_chip *chip, unsigned int ir, bool is_rotating)
{
	chip->isr &= (uint8_t)~ir_bit(ir);
	if (is_rotating)
		chip->first = (uint8_t)((ir + 1) & 7);
}

/* A non-specific EOI passes over what special mask mode has masked. */
static void end_highest(struct vpic_chip *chip, bool is_rotating)
{
	uint8_t bits = chip->isr;

	if (chip->is_special_mask)
		bits &= (uint8_t)~chip->imr;
	if (bits)
		end(chip, ir_of(chip, rank_of(chip, bits)), is_rotating);
}

static void write_ocw2(struct vpic_chip *chip, uint8_t value)
{
	unsigned int ir = value & OCW2_IR;

	switch ((enum ocw2_operation)FIELD_GET(OCW2_OPERATION,
					       (uint64_t)value)) {
	case OCW2_ROTATE_AUTO_CLEAR: chip->is_auto_rotating = false; break;
	case OCW2_ROTATE_AUTO_SET: chip->is_auto_rotating = true; break;
	case OCW2_EOI: end_highest(chip, false); break;
	case OCW2_ROTATE_EOI: end_highest(chip, true); break;
	case OCW2_SPECIFIC_EOI: end(chip, ir, false); break;
	case OCW2_ROTATE_SPECIFIC_EOI: end(chip, ir, true); break;
	case OCW2_SET_PRIORITY: chip->first = (uint8_t)((ir + 1) & 7); break;
	default: break;
	}
}

static void write_ocw3(struct vpic_chip *chip, uint8_t value)
{
	if (value & OCW3_POLL)
		chip->is_polling = true;
	else if (value & OCW3_READ)
		chip->is_reading_isr = value & OCW3_READ_ISR;
	if (value & OCW3_SET_SPECIAL_MASK)
		chip->is_special_mask = value & OCW3_SPECIAL_MASK;
}

static void write_command(struct vpic_chip *chip, uint8_t value)
{
	if (value & ICW1_IS)
		start_init(chip, value);
	else if (value & OCW3_IS)
		write_ocw3(chip, value);
	else
		write_ocw2(chip, value);
}

static uint8_t read_port(struct vpic_chip *chip, bool is_data)
{
	if (chip->is_polling)
		return poll(chip);
	if (is_data)
		return chip->imr;
	return chip->is_reading_isr ? chip->isr : chip->irr;
}

/* An access of two bytes is one to each port, as the bus splits it. */
static uint64_t vpic_read(void *device, uint64_t offset, unsigned int size)
{
	uint64_t value = read_port(device, offset);

	if (size == 2)
		value |= (uint64_t)read_port(device, true) << 8;
	return value;
}

static void write_port(struct vpic_chip *chip, bool is_data, uint8_t value)
{
	if (is_data)
		write_data(chip, value);
	else
		write_command(chip, value);
	update(chip->pic);
}

static void vpic_write(void *device, uint64_t offset, unsigned int size,
		       uint64_t value)
{
	write_port(device, offset, (uint8_t)value);
	if (size == 2)
		write_port(device, true, (uint8_t)(value >> 8));
}

const struct io_ops vpic_ops = {
	.read = vpic_read,
	.write = vpic_write,
};

static uint64_t elcr_read(void *device, uint64_t offset, unsigned int size)
{
	const struct vpic *pic = device;
	uint64_t both = pic->chips[VPIC_MASTER].elcr |
			(uint64_t)pic->chips[VPIC_SLAVE].elcr << 8;

	both >>= 8 * offset;
	return size == 1 ? both & 0xff : both;
}

/* An input whose kind changes requests if it is active and now level. */
static void set_elcr(struct vpic_chip *chip, uint8_t value)
{
	uint8_t changed = chip->elcr ^ value;

	chip->elcr = value;
	chip->irr = (uint8_t)((chip->irr & ~changed) |
			      (chip->lines & value & changed));
}

static void elcr_write(void *device, uint64_t offset, unsigned int size,
		       uint64_t value)
{
	struct vpic *pic = device;

	for (uint64_t i = offset; i < offset + size; i++) {
		set_elcr(&pic->chips[i], elcr_settable[i] & (uint8_t)value);
		value >>= 8;
	}
	update(pic);
}

const struct io_ops vpic_elcr_ops = {
	.read = elcr_read,
	.write = elcr_write,
};

int vpic_init(struct vpic *pic, struct vm *vm)
{
	const struct io_region regions[] = {
		{ PORT_MASTER, 2, &vpic_ops, &pic->chips[VPIC_MASTER], false },
		{ PORT_SLAVE, 2, &vpic_ops, &pic->chips[VPIC_SLAVE], false },
		{ PORT_ELCR, 2, &vpic_elcr_ops, pic, false },
	};
	int err = 0;

	*pic = (struct vpic){ .vm = vm };
	for (unsigned int i = 0; i < VPIC_CHIPS; i++)
		pic->chips[i] = (struct vpic_chip){ .pic = pic, .imr = 0xff };
	for (unsigned int i = 0; i < ARRAY_SIZE(regions) && !err; i++)
		err = io_add(&vm->ports, &regions[i]);
	return err;
}
