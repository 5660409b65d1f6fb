/* Keys typed on the machine's serial console. */
#include "kernel/console_input.h"

#include "drivers/host/console.h"
#include "drivers/host/ioapic.h"
#include "kernel/cpu/apic.h"
#include "kernel/cpu/percpu.h"
#include "kernel/lib/char_ring.h"
#include "kernel/lib/log.h"
#include "kernel/thread.h"
#include "kernel/vm_console.h"

/* MADT flags of an override: ACPI 6.5, 5.2.12.5 "Interrupt Source Override
 * Structure", table 5.24. */
#define FLAGS_ACTIVE_LOW 0x3
#define FLAGS_LEVEL	 0xc

static void *ioapics[PLATFORM_IOAPICS_MAX]; /* registers */
static struct thread *thread;

/* Typed and not handed on. Both sides run on the CPU that the interrupt goes to,
 * with interrupts off: no lock. */
static struct char_ring typed;

void console_input_use_ioapic(uint32_t index, void *registers)
{
	ioapics[index] = registers;
}

static void pump(void *unused)
{
	char text[16];
	uint32_t size;

	(void)unused;
	for (;;) {
		size = char_ring_take(&typed, text, sizeof(text));
		if (size)
			vm_console_type(text, size);
		else
			thread_park();
	}
}

/*
 * Empties the UART's FIFO at once: it is full after 16 characters, 1.4 ms, and the
 * thread may have to wait for longer. Only then does its line fall, so that the
 * next byte raises an edge again.
 */
void console_input_receive(void)
{
	char text[16];
	uint32_t size;

	while ((size = (uint32_t)console_read(text, sizeof(text))))
		char_ring_put(&typed, text, size);
	thread_unpark(thread);
}

static bool route(const struct platform *platform, uint32_t gsi, uint16_t flags)
{
	for (uint32_t i = 0; i < platform->ioapic_count; i++) {
		uint32_t base = platform->ioapics[i].gsi_base;

		if (!ioapics[i] || gsi < base ||
		    gsi - base >= ioapic_pin_count(ioapics[i]))
			continue;
		ioapic_route(ioapics[i], gsi - base, VECTOR_CONSOLE, apic_id(),
			     (flags & FLAGS_LEVEL) == FLAGS_LEVEL,
			     (flags & FLAGS_ACTIVE_LOW) == FLAGS_ACTIVE_LOW);
		return true;
	}
	return false;
}

static bool route_isa(const struct platform *platform, uint32_t irq)
{
	for (uint32_t i = 0; i < platform->override_count; i++) {
		const struct platform_override *o = &platform->overrides[i];

		if (o->irq == irq)
			return route(platform, o->gsi, o->flags);
	}
	return route(platform, irq, 0);
}

void console_input_start(const struct platform *platform)
{
	int irq = console_enable_input();

	if (irq < 0)
		return;
	thread = thread_create(cpu_number(), pump, NULL, "console");
	if (thread && route_isa(platform, (uint32_t)irq))
		console_input_receive(); /* what came before: no edge tells */
	else
		log_warn("console: no input: no memory or no I/O APIC for ISA "
			 "interrupt %d",
			 irq);
}
