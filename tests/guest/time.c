/* The TSC as a clock: its rate is what the hypervisor says, or, on the bare
 * machine, what the 8254 says. */
#include "tests/guest/guest.h"

#define PIT_HZ	     1193182
#define PIT_CHANNEL2 0x42
#define PIT_COMMAND  0x43
#define PORT_B	     0x61
#define SAMPLE	     59659 /* 50 ms */

static uint64_t measure(void)
{
	uint64_t start;

	out8(PORT_B, (uint8_t)((in8(PORT_B) & ~3) | 1));
	out8(PIT_COMMAND, 0xb0); /* channel 2, both bytes, mode 0 */
	out8(PIT_CHANNEL2, SAMPLE & 0xff);
	out8(PIT_CHANNEL2, SAMPLE >> 8);
	start = rdtsc();
	while (!(in8(PORT_B) & BIT(5)))
		pause();
	return (rdtsc() - start) * PIT_HZ / SAMPLE;
}

uint64_t tsc_hz(void)
{
	static uint64_t hz;

	if (!hz)
		hz = is_guest() && cpuid(0x40000000, 0).eax >= 0x40000010
			     ? cpuid(0x40000010, 0).eax * 1000UL
			     : measure();
	return hz;
}

bool is_over(uint64_t start, uint64_t us)
{
	return rdtsc() - start >= tsc_hz() / 1000 * us / 1000;
}

void delay_us(uint64_t us)
{
	uint64_t start = rdtsc();

	while (!is_over(start, us))
		pause();
}
