/* Real mode, entered from 64-bit code: vectors, exceptions, exits. */
#include "tests/guest/guest.h"

uint32_t real_run(uint32_t what); /* real.asm */

/* INT through the vector table twice, #DE, #UD, and segments. */
void case_real_mode(void)
{
	for (int i = 0; i < 20; i++) {
		CHECK_EQ(real_run(0), 0x11102);
		/* and all is as it was */
		trap_clear();
		asm volatile(TRY("ud2"));
		CHECK_EQ(trap_taken().vector, VECTOR_UD);
	}
}

void case_real_mode_exits(void)
{
	for (int i = 0; i < 20; i++)
		CHECK_EQ(real_run(1) & 0xf, 4);
}
