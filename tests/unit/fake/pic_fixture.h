/*
 * The two 8259As of a VM of one vCPU, programmed as PCs do it, for their tests.
 * Include it once in a program, after cmocka.h.
 */
#ifndef FAKE_PIC_FIXTURE_H
#define FAKE_PIC_FIXTURE_H

#include "drivers/pc/vpic.h"
#include "kernel/lib/errno.h"
#include "lapic_fixture.h"

static struct vpic pic;

static inline void out(uint16_t port, uint8_t value)
{
	io_write(&fake_vm, &fake_vm.ports, port, 1, value);
}

static inline uint8_t in(uint16_t port)
{
	return (uint8_t)io_read(&fake_vm, &fake_vm.ports, port, 1);
}

/* Vectors 0x30 and 0x38; nothing masked. */
static inline void program(uint8_t icw4)
{
	out(0x20, 0x11);
	out(0x21, 0x30);
	out(0x21, 0x04);
	out(0x21, icw4);
	out(0xa0, 0x11);
	out(0xa1, 0x38);
	out(0xa1, 0x02);
	out(0xa1, icw4 & 0xef);
}

static inline int setup(void **state)
{
	(void)state;
	start(1);
	assert_int_equal(vpic_init(&pic, &fake_vm), 0);
	program(0x01);
	take_requests(0);
	return 0;
}

static inline void raise(uint32_t irq)
{
	vpic_set_line(&pic, irq, true);
}

static inline void lower(uint32_t irq)
{
	vpic_set_line(&pic, irq, false);
}

static inline void pulse(uint32_t irq)
{
	raise(irq);
	lower(irq);
}

/* The vector taken, or -1. */
static inline int take(void)
{
	return vpic_has_interrupt(&pic) ? vpic_acknowledge(&pic) : -1;
}

#endif
