/* A 16550 UART: PC16550D data sheet, section 8 "Registers". */
#include "drivers/host/uart.h"

#include "kernel/cpu/x86_asm.h"

enum uart_register {
	UART_DATA = 0,		   /* divisor low with LCR_DIVISOR */
	UART_INTERRUPT_ENABLE = 1, /* divisor high with LCR_DIVISOR */
	UART_FIFO_CONTROL = 2,
	UART_LINE_CONTROL = 3,
	UART_MODEM_CONTROL = 4,
	UART_LINE_STATUS = 5,
	UART_SCRATCH = 7,
};

#define LCR_8N1	      0x03
#define LCR_DIVISOR   0x80
#define FCR_ENABLE    0x07 /* and clear both */
#define MCR_DTR_RTS   0x03
#define MCR_OUT2      0x08 /* lets the interrupt out, on PCs */
#define IER_RECEIVED  0x01
#define LSR_RECEIVED  0x01
#define LSR_THR_EMPTY 0x20
#define LSR_IDLE      0x40
#define UART_CLOCK    115200U
#define WAIT_POLLS    40000U

/* Until everything has left the wire: setting up anew would lose it. */
static void drain(uint16_t port)
{
	for (uint32_t i = 0; i < WAIT_POLLS; i++) {
		if (x86_inb(port + UART_LINE_STATUS) & LSR_IDLE)
			return;
	}
}

bool uart_init(struct uart *uart, uint16_t port, uint32_t baud)
{
	uint32_t divisor = UART_CLOCK / baud;

	uart->port = port;
	uart->is_stuck = false;
	x86_outb(port + UART_SCRATCH, 0x5a);
	if (x86_inb(port + UART_SCRATCH) != 0x5a)
		return false;
	drain(port);
	x86_outb(port + UART_INTERRUPT_ENABLE, 0);
	x86_outb(port + UART_LINE_CONTROL, LCR_DIVISOR);
	x86_outb(port + UART_DATA, (uint8_t)divisor);
	x86_outb(port + UART_INTERRUPT_ENABLE, (uint8_t)(divisor >> 8));
	x86_outb(port + UART_LINE_CONTROL, LCR_8N1);
	x86_outb(port + UART_FIFO_CONTROL, FCR_ENABLE);
	x86_outb(port + UART_MODEM_CONTROL, MCR_DTR_RTS);
	return true;
}

static bool has_room(const struct uart *uart)
{
	return x86_inb(uart->port + UART_LINE_STATUS) & LSR_THR_EMPTY;
}

void uart_write(struct uart *uart, uint8_t byte)
{
	uint32_t polls = uart->is_stuck ? 1 : WAIT_POLLS;

	while (polls && !has_room(uart))
		polls--;
	uart->is_stuck = polls == 0;
	if (polls)
		x86_outb(uart->port + UART_DATA, byte);
}

void uart_enable_input(const struct uart *uart)
{
	x86_outb(uart->port + UART_MODEM_CONTROL, MCR_DTR_RTS | MCR_OUT2);
	x86_outb(uart->port + UART_INTERRUPT_ENABLE, IER_RECEIVED);
}

bool uart_read(const struct uart *uart, uint8_t *byte)
{
	if (!(x86_inb(uart->port + UART_LINE_STATUS) & LSR_RECEIVED))
		return false;
	*byte = x86_inb(uart->port + UART_DATA);
	return true;
}
