/* What gcc calls where the CPU it compiles for has no instruction: normally
 * libgcc's, which is built for user programs. */
#include <stdint.h>

int __popcountdi2(int64_t value);

int __popcountdi2(int64_t value)
{
	uint64_t v = (uint64_t)value;

	v -= v >> 1 & 0x5555555555555555UL;
	v = (v & 0x3333333333333333UL) + (v >> 2 & 0x3333333333333333UL);
	v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0fUL;
	return (int)(v * 0x0101010101010101UL >> 56);
}
