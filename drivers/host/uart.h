/* A 16550 UART in port space, for output and input. */
#ifndef DRIVERS_HOST_UART_H
#define DRIVERS_HOST_UART_H

#include <stdbool.h>
#include <stdint.h>

struct uart {
	uint16_t port;
	bool is_stuck; /* it stopped taking bytes: give up on each after one
			  look */
};

/* 8 data bits, no parity, 1 stop bit, FIFOs on, no interrupts. False: nothing
 * at @port behaves like a UART. */
bool uart_init(struct uart *uart, uint16_t port, uint32_t baud);

/* Wait for room, at most about a character's time at 300 baud, then send or
 * lose @byte. */
void uart_write(struct uart *uart, uint8_t byte);

/* Interrupt when a byte has come. */
void uart_enable_input(const struct uart *uart);

/* A byte that has come. False: none. */
bool uart_read(const struct uart *uart, uint8_t *byte);

#endif
