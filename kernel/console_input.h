/* Keys typed on the machine's serial console: from the UART's interrupt to a
 * thread, and from there to the VM that has the console's focus. */
#ifndef KERNEL_CONSOLE_INPUT_H
#define KERNEL_CONSOLE_INPUT_H

#include "boot/platform.h"

/* Registers of I/O APIC @index of the platform; NULL: it cannot be reached. */
void console_input_use_ioapic(uint32_t index, void *registers);

/* Route the UART's interrupt to this CPU and start the thread. Without a UART, or
 * an I/O APIC that has its pin, there is no input. */
void console_input_start(const struct platform *platform);

/* Called on VECTOR_CONSOLE. */
void console_input_receive(void);

#endif
