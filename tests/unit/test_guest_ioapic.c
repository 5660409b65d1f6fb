/* The I/O APIC of a guest: registers, edges, levels, EOI. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "drivers/pc/vioapic.h"
#include "kernel/lib/errno.h"
#include "lapic_fixture.h"

#define MASKED	   BIT(16)
#define LEVEL	   BIT(15)
#define REMOTE_IRR BIT(14)
#define TO(number) ((uint64_t)(number) << 56)

static struct vioapic ioapic;

static int setup(void **state)
{
	(void)state;
	start(3);
	enable_all(enable_xapic);
	assert_int_equal(vioapic_init(&ioapic, &fake_vm), 0);
	return 0;
}

static void write_at(uint64_t offset, uint32_t value)
{
	io_write(&fake_vm, &fake_vm.mmio, VM_IOAPIC_BASE + offset, 4, value);
}

static uint32_t read_reg(uint8_t reg)
{
	write_at(0, reg);
	return (uint32_t)io_read(&fake_vm, &fake_vm.mmio, VM_IOAPIC_BASE + 0x10,
				 4);
}

static void write_reg(uint8_t reg, uint32_t value)
{
	write_at(0, reg);
	write_at(0x10, value);
}

static uint64_t read_pin(unsigned int pin)
{
	uint8_t reg = (uint8_t)(0x10 + 2 * pin);

	return read_reg(reg) | (uint64_t)read_reg((uint8_t)(reg + 1)) << 32;
}

static void write_pin(unsigned int pin, uint64_t entry)
{
	uint8_t reg = (uint8_t)(0x10 + 2 * pin);

	write_reg((uint8_t)(reg + 1), (uint32_t)(entry >> 32));
	write_reg(reg, (uint32_t)entry);
}

static void pulse(uint32_t gsi)
{
	vioapic_set_line(&ioapic, gsi, true);
	vioapic_set_line(&ioapic, gsi, false);
}

/* The vector that vCPU @number takes and ends, for the I/O APIC to hear. */
static int serve(uint32_t number)
{
	int vector = inject(number);

	if (vector >= 0) {
		lapic_of(number)->svr |= SVR_NO_EOI_BROADCAST;
		poke(number, 0xb0, 0);
		if (peek(number, 0x180 + (uint32_t)vector / 32 * 16) &
		    BIT(vector % 32))
			vioapic_eoi(&ioapic, (uint8_t)vector);
	}
	return vector;
}

static void resets_masked(void **state)
{
	(void)state;
	assert_int_equal(read_reg(0), 0);
	assert_int_equal(read_reg(1), 0x00170020);
	for (unsigned int pin = 0; pin < 24; pin++)
		assert_int_equal(read_pin(pin), MASKED);
	for (uint8_t gsi = 0; gsi < 24; gsi++)
		pulse(gsi);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(serve(i), LAPIC_NONE);
	assert_int_equal(vioapic_init(&ioapic, &fake_vm), -EEXIST);
}

static void registers_keep_what_can_be_set(void **state)
{
	(void)state;
	write_reg(0, 0xffffffff);
	assert_int_equal(read_reg(0), 0x0f000000);
	assert_int_equal(read_reg(2), 0x0f000000);
	write_reg(1, 0);
	assert_int_equal(read_reg(1), 0x00170020);
	write_pin(23, ~0UL);
	assert_int_equal(read_pin(23), 0xfffe00000001afff);
	write_pin(23, 0);
	assert_int_equal(read_pin(23), 0);
	/* behind the last pin, and between the registers */
	write_reg(0x40, 0xffffffff);
	assert_int_equal(read_reg(0x40), 0);
	write_reg(0xff, 0xffffffff);
	assert_int_equal(read_reg(0xff), 0);
	write_at(0, 0x10);
	assert_int_equal(io_read(&fake_vm, &fake_vm.mmio, VM_IOAPIC_BASE, 1),
			 0x10);
	io_write(&fake_vm, &fake_vm.mmio, VM_IOAPIC_BASE + 0x10, 1, 0);
	assert_int_equal(read_pin(0), MASKED);
	assert_int_equal(
		io_read(&fake_vm, &fake_vm.mmio, VM_IOAPIC_BASE + 0x20, 4), 0);
}

static void edges_interrupt_once(void **state)
{
	(void)state;
	write_pin(4, TO(1) | 0x44);
	vioapic_set_line(&ioapic, 4, true);
	assert_int_equal(serve(1), 0x44);
	vioapic_set_line(&ioapic, 4, true);
	assert_int_equal(serve(1), LAPIC_NONE);
	vioapic_set_line(&ioapic, 4, false);
	assert_int_equal(serve(1), LAPIC_NONE);
	pulse(4);
	assert_int_equal(serve(1), 0x44);
	assert_int_equal(read_pin(4), TO(1) | 0x44);
	/* lost while masked */
	write_pin(4, TO(1) | MASKED | 0x44);
	vioapic_set_line(&ioapic, 4, true);
	write_pin(4, TO(1) | 0x44);
	assert_int_equal(serve(1), LAPIC_NONE);
}

static void levels_interrupt_until_they_go(void **state)
{
	(void)state;
	write_pin(20, TO(2) | LEVEL | 0x66);
	vioapic_set_line(&ioapic, 20, true);
	assert_int_equal(read_pin(20), TO(2) | LEVEL | REMOTE_IRR | 0x66);
	/* one at a time */
	assert_int_equal(inject(2), 0x66);
	vioapic_set_line(&ioapic, 20, true);
	write_pin(20, TO(2) | LEVEL | 0x66);
	assert_int_equal(inject(2), LAPIC_NONE);
	lapic_of(2)->svr |= SVR_NO_EOI_BROADCAST;
	poke(2, 0xb0, 0);
	vioapic_eoi(&ioapic, 0x66);
	assert_int_equal(read_pin(20), TO(2) | LEVEL | REMOTE_IRR | 0x66);
	assert_int_equal(serve(2), 0x66);
	vioapic_set_line(&ioapic, 20, false);
	assert_int_equal(serve(2), 0x66);
	assert_int_equal(read_pin(20), TO(2) | LEVEL | 0x66);
	assert_int_equal(serve(2), LAPIC_NONE);
}

static void levels_wait_behind_the_mask(void **state)
{
	(void)state;
	write_pin(20, TO(2) | LEVEL | MASKED | 0x66);
	vioapic_set_line(&ioapic, 20, true);
	assert_int_equal(serve(2), LAPIC_NONE);
	write_pin(20, TO(2) | LEVEL | 0x66);
	/* masked while in service: the EOI does not raise it again */
	write_pin(20, TO(2) | LEVEL | MASKED | 0x66);
	assert_int_equal(read_pin(20),
			 TO(2) | LEVEL | REMOTE_IRR | MASKED | 0x66);
	assert_int_equal(serve(2), 0x66);
	assert_int_equal(serve(2), LAPIC_NONE);
	write_pin(20, TO(2) | LEVEL | 0x66);
	vioapic_set_line(&ioapic, 20, false);
	assert_int_equal(serve(2), 0x66);
	assert_int_equal(serve(2), LAPIC_NONE);
}

static void eoi_is_for_its_vector(void **state)
{
	(void)state;
	write_pin(20, TO(2) | LEVEL | 0x66);
	write_pin(21, TO(2) | LEVEL | 0x77);
	write_pin(22, TO(2) | LEVEL | 0x77);
	for (uint32_t gsi = 20; gsi < 23; gsi++)
		vioapic_set_line(&ioapic, gsi, true);
	for (uint32_t gsi = 20; gsi < 23; gsi++)
		vioapic_set_line(&ioapic, gsi, false);
	vioapic_eoi(&ioapic, 0x77);
	assert_true(read_pin(20) & REMOTE_IRR);
	assert_false(read_pin(21) & REMOTE_IRR);
	assert_false(read_pin(22) & REMOTE_IRR);
	/* the register does the same */
	write_at(0x40, 0x67);
	assert_true(read_pin(20) & REMOTE_IRR);
	write_at(0x40, 0x66);
	assert_false(read_pin(20) & REMOTE_IRR);
}

/* How kernels end an interrupt where there is no EOI register. */
static void turning_to_edge_drops_remote_irr(void **state)
{
	(void)state;
	write_pin(20, TO(2) | LEVEL | 0x66);
	vioapic_set_line(&ioapic, 20, true);
	vioapic_set_line(&ioapic, 20, false);
	write_pin(20, TO(2) | MASKED | 0x66);
	assert_int_equal(read_pin(20), TO(2) | MASKED | 0x66);
	write_pin(20, TO(2) | LEVEL | 0x66);
	assert_int_equal(read_pin(20), TO(2) | LEVEL | 0x66);
}

static void isa_timer_comes_in_at_pin_2(void **state)
{
	(void)state;
	for (unsigned int pin = 0; pin < 24; pin++)
		write_pin(pin, TO(1) | (0x30 + pin));
	pulse(0);
	assert_int_equal(serve(1), 0x32);
	assert_int_equal(serve(1), LAPIC_NONE);
	pulse(2);
	pulse(24);
	pulse(0xffffffff);
	assert_int_equal(serve(1), LAPIC_NONE);
	for (uint32_t gsi = 3; gsi < 24; gsi++) {
		pulse(gsi);
		assert_int_equal(serve(1), 0x30 + gsi);
	}
}

static void a_level_nobody_took_is_tried_again(void **state)
{
	(void)state;
	write_pin(20, TO(9) | LEVEL | 0x66);
	vioapic_set_line(&ioapic, 20, true);
	assert_false(read_pin(20) & REMOTE_IRR);
	write_pin(20, TO(1) | LEVEL | 0x66);
	assert_true(read_pin(20) & REMOTE_IRR);
	assert_int_equal(serve(1), 0x66);
	/* the local APIC is there, but takes no interrupts */
	poke(0, 0xf0, 0xff);
	write_pin(21, LEVEL | 0x77);
	vioapic_set_line(&ioapic, 21, true);
	assert_false(read_pin(21) & REMOTE_IRR);
}

static void nmi_is_an_edge_whatever_it_says(void **state)
{
	(void)state;
	write_pin(3, TO(1) | LEVEL | 0x400);
	vioapic_set_line(&ioapic, 3, true);
	assert_int_equal(take_requests(1), REQUEST_NMI);
	assert_false(read_pin(3) & REMOTE_IRR);
	write_pin(3, TO(1) | LEVEL | 0x400);
	assert_int_equal(take_requests(1), 0);
}

static void logical_destinations_reach_all(void **state)
{
	(void)state;
	poke(0, 0xd0, 0x01000000);
	poke(1, 0xd0, 0x02000000);
	poke(2, 0xd0, 0x04000000);
	write_pin(5, 0x05UL << 56 | BIT(11) | 0x55);
	pulse(5);
	assert_int_equal(serve(0), 0x55);
	assert_int_equal(serve(1), LAPIC_NONE);
	assert_int_equal(serve(2), 0x55);
	/* ids above 255: nobody has one */
	write_pin(5, TO(1) | BIT(49) | 0x55);
	pulse(5);
	assert_int_equal(serve(1), LAPIC_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(resets_masked),
		TEST(registers_keep_what_can_be_set),
		TEST(edges_interrupt_once),
		TEST(levels_interrupt_until_they_go),
		TEST(levels_wait_behind_the_mask),
		TEST(eoi_is_for_its_vector),
		TEST(turning_to_edge_drops_remote_irr),
		TEST(isa_timer_comes_in_at_pin_2),
		TEST(a_level_nobody_took_is_tried_again),
		TEST(nmi_is_an_edge_whatever_it_says),
		TEST(logical_destinations_reach_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
