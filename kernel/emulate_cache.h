/* What a vCPU keeps between the instructions that are emulated for it. [pure] */
#ifndef KERNEL_EMULATE_CACHE_H
#define KERNEL_EMULATE_CACHE_H

#include "kernel/guest_window.h"
#include "kernel/insn.h"

#define EMULATE_DECODED_BITS 3
#define EMULATE_DECODED_MAX  BIT(EMULATE_DECODED_BITS)

/* An instruction that was decoded before: guests touch a device's register from
 * few places. It is found by its bytes, so it is never out of date. */
struct emulate_decoded {
	uint64_t bytes[2]; /* 0 to 7, 7 to 14 */
	uint8_t code_size; /* 0: none */
	struct insn insn;
};

/* All zero: nothing known. */
struct emulate_cache {
	struct guest_windows windows;
	struct emulate_decoded decoded[EMULATE_DECODED_MAX];
};

#endif
