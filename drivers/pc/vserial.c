/* A 16550A. */
#include "drivers/pc/vserial.h"

enum vserial_register {
	SERIAL_DATA = 0, /* RBR and THR; with DLAB: DLL */
	SERIAL_IER = 1,	 /* with DLAB: DLM */
	SERIAL_IIR = 2,	 /* written: FCR */
	SERIAL_LCR = 3,
	SERIAL_MCR = 4,
	SERIAL_LSR = 5,
	SERIAL_MSR = 6,
	SERIAL_SCR = 7,
	SERIAL_SIZE = 8,
};

#define IER_RECEIVED BIT(0)
#define IER_EMPTY    BIT(1)
#define IER_LINE     BIT(2)
#define IER_MODEM    BIT(3)
#define IER_WRITABLE BITS(3, 0)

/* Table "Interrupt Control Functions" */
#define IIR_NONE     0x01
#define IIR_MODEM    0x00
#define IIR_EMPTY    0x02
#define IIR_RECEIVED 0x04
#define IIR_LINE     0x06
#define IIR_TIMEOUT  0x0c /* characters wait below the trigger level */
#define IIR_FIFOS    0xc0

#define FCR_ENABLE   BIT(0)
#define FCR_CLEAR_RX BIT(1)
#define FCR_TRIGGER  BITS(7, 6)

#define LCR_DLAB BIT(7)

#define MCR_DTR	     BIT(0)
#define MCR_RTS	     BIT(1)
#define MCR_OUT1     BIT(2)
#define MCR_OUT2     BIT(3)
#define MCR_LOOP     BIT(4)
#define MCR_WRITABLE BITS(4, 0)

#define LSR_RECEIVED BIT(0)
#define LSR_OVERRUN  BIT(1)
#define LSR_EMPTY    (BIT(5) | BIT(6)) /* holding register, transmitter */

#define MSR_CTS BIT(4)
#define MSR_DSR BIT(5)
#define MSR_RI	BIT(6)
#define MSR_DCD BIT(7)

/* Levels of the modem's lines: of a modem that is there and ready or, in loop
 * mode, of the port's own outputs. */
static uint8_t modem_lines(uint8_t mcr)
{
	if (!(mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	return (uint8_t)((mcr & MCR_RTS ? MSR_CTS : 0) |
			 (mcr & MCR_DTR ? MSR_DSR : 0) |
			 (mcr & MCR_OUT1 ? MSR_RI : 0) |
			 (mcr & MCR_OUT2 ? MSR_DCD : 0));
}

/* What interrupts with received characters, or none. */
static uint8_t received_cause(const struct vserial *serial)
{
	static const uint8_t triggers[] = { 1, 4, 8, 14 };
	unsigned int level = triggers[FIELD_GET(FCR_TRIGGER, serial->fcr)];

	if (serial->input_count == 0)
		return IIR_NONE;
	if (!(serial->fcr & FCR_ENABLE) || serial->input_count >= level)
		return IIR_RECEIVED;
	return IIR_TIMEOUT;
}

/* A full console holds the transmitter up: drivers wait for it, as for a slow
 * line. There is room for a whole FIFO when it looks empty, because that is what
 * drivers then send. */
static bool is_empty(const struct vserial *serial)
{
	return (serial->mcr & MCR_LOOP) || vm_console_has_room(serial->vm);
}

/* The enabled cause of highest priority. */
static uint8_t cause(const struct vserial *serial)
{
	if ((serial->ier & IER_LINE) && serial->is_overrun)
		return IIR_LINE;
	if ((serial->ier & IER_RECEIVED) && serial->input_count)
		return received_cause(serial);
	if ((serial->ier & IER_EMPTY) && serial->is_empty_pending &&
	    is_empty(serial))
		return IIR_EMPTY;
	if ((serial->ier & IER_MODEM) && serial->msr_delta)
		return IIR_MODEM;
	return IIR_NONE;
}

/* MCR's OUT2 is not asked, though it gates the line on a PC's card: guests that
 * were only ever tried on emulators leave it clear. */
void vserial_settle(struct vserial *serial)
{
	bool is_high = cause(serial) != IIR_NONE;

	if (is_high != serial->is_irq_high)
		vm_set_irq(serial->vm, VSERIAL_GSI, is_high);
	serial->is_irq_high = is_high;
}

static void receive(struct vserial *serial, char c)
{
	unsigned int at =
		(unsigned int)serial->input_head + serial->input_count;

	if (serial->input_count == VSERIAL_INPUT_MAX) {
		serial->is_overrun = true;
		return;
	}
	serial->input[at % VSERIAL_INPUT_MAX] = c;
	serial->input_count++;
}

void vserial_input(struct vserial *serial, const char *data, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		receive(serial, data[i]);
	vserial_settle(serial);
}

static uint8_t take_received(struct vserial *serial)
{
	uint8_t c = (uint8_t)serial->input[serial->input_head];

	if (serial->input_count == 0)
		return 0;
	serial->input_count--;
	serial->input_head =
		(uint16_t)((serial->input_head + 1) % VSERIAL_INPUT_MAX);
	return c;
}

static void send(struct vserial *serial, char c)
{
	__atomic_store_n(&serial->has_sent, true, __ATOMIC_RELAXED);
	vm_console_write(serial->vm, &c, 1);
}

static void transmit(struct vserial *serial, char c)
{
	/* the interrupt goes away and comes back: an edge-triggered input must
	 * see that */
	serial->is_empty_pending = false;
	vserial_settle(serial);
	if (serial->mcr & MCR_LOOP)
		receive(serial, c);
	else
		send(serial, c);
	serial->is_empty_pending = true;
}

static uint8_t read_iir(struct vserial *serial)
{
	uint8_t value = cause(serial);

	if (value == IIR_EMPTY)
		serial->is_empty_pending = false;
	return value | (serial->fcr & FCR_ENABLE ? IIR_FIFOS : 0);
}

static uint8_t read_lsr(struct vserial *serial)
{
	uint8_t value = is_empty(serial) ? LSR_EMPTY : 0;

	if (serial->input_count)
		value |= LSR_RECEIVED;
	if (serial->is_overrun)
		value |= LSR_OVERRUN;
	serial->is_overrun = false;
	return value;
}

static uint8_t read_msr(struct vserial *serial)
{
	uint8_t value = modem_lines(serial->mcr) | serial->msr_delta;

	serial->msr_delta = 0;
	return value;
}

static uint8_t read_register(struct vserial *serial, uint64_t offset)
{
	bool is_divisor = serial->lcr & LCR_DLAB;

	switch (offset) {
	case SERIAL_DATA:
		return is_divisor ? serial->divisor[0] : take_received(serial);
	case SERIAL_IER: return is_divisor ? serial->divisor[1] : serial->ier;
	case SERIAL_IIR: return read_iir(serial);
	case SERIAL_LCR: return serial->lcr;
	case SERIAL_MCR: return serial->mcr;
	case SERIAL_LSR: return read_lsr(serial);
	case SERIAL_MSR: return read_msr(serial);
	default: return serial->scr;
	}
}

/* Setting its enable bit raises the THR-empty interrupt anew: 8.6.5 "Interrupt
 * Enable Register" and what drivers rely on. */
static void write_ier(struct vserial *serial, uint8_t value)
{
	if ((value & IER_EMPTY) && !(serial->ier & IER_EMPTY))
		serial->is_empty_pending = true;
	serial->ier = value & IER_WRITABLE;
}

static void write_fcr(struct vserial *serial, uint8_t value)
{
	bool is_switched = (value ^ serial->fcr) & FCR_ENABLE;

	if (is_switched || (value & FCR_CLEAR_RX))
		serial->input_count = 0;
	serial->fcr = value & (FCR_ENABLE | FCR_TRIGGER);
}

/* Deltas: of RI only its fall counts. */
static void write_mcr(struct vserial *serial, uint8_t value)
{
	uint8_t before = modem_lines(serial->mcr);
	uint8_t after = modem_lines(value);
	uint8_t changed = before ^ after;

	changed &= (uint8_t) ~(after & MSR_RI);
	serial->msr_delta |= changed >> 4;
	serial->mcr = value & MCR_WRITABLE;
}

static void write_register(struct vserial *serial, uint64_t offset,
			   uint8_t value)
{
	bool is_divisor = serial->lcr & LCR_DLAB;

	switch (offset) {
	case SERIAL_DATA:
		if (is_divisor)
			serial->divisor[0] = value;
		else
			transmit(serial, (char)value);
		break;
	case SERIAL_IER:
		if (is_divisor)
			serial->divisor[1] = value;
		else
			write_ier(serial, value);
		break;
	case SERIAL_IIR: write_fcr(serial, value); break;
	case SERIAL_LCR: serial->lcr = value; break;
	case SERIAL_MCR: write_mcr(serial, value); break;
	case SERIAL_SCR: serial->scr = value; break;
	default: break; /* LSR, MSR: read-only */
	}
}

static uint64_t serial_read(void *device, uint64_t offset, unsigned int size)
{
	struct vserial *serial = device;
	uint64_t value = 0;

	for (unsigned int i = 0; i < size; i++)
		value |= (uint64_t)read_register(serial, offset + i) << (8 * i);
	vserial_settle(serial);
	return value;
}

static void serial_write(void *device, uint64_t offset, unsigned int size,
			 uint64_t value)
{
	struct vserial *serial = device;

	for (unsigned int i = 0; i < size; i++)
		write_register(serial, offset + i, (uint8_t)(value >> (8 * i)));
	vserial_settle(serial);
}

static const struct io_ops serial_ops = { serial_read, serial_write };

int vserial_init(struct vserial *serial, struct vm *vm)
{
	const struct io_region ports = { VSERIAL_PORT, SERIAL_SIZE, &serial_ops,
					 serial, false };

	serial->vm = vm;
	serial->divisor[0] = 12; /* 9600 */
	return io_add(&vm->ports, &ports);
}
