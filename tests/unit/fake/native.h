/*
 * Executing an instruction on this machine's CPU, with all registers given: the
 * judge of the emulator.
 */
#ifndef FAKE_NATIVE_H
#define FAKE_NATIVE_H

#include "kernel/vcpu.h"

struct native {
	uint64_t gpr[16];
	uint64_t rflags; /* arithmetic flags and DF */
	uint64_t signal; /* 0, or that of the fault */
	struct xmm xmm[16];
	uint64_t has_branched; /* went to the landing, not behind it */
};

#define NATIVE_LANDING 64 /* bytes behind the beginning of the code */

/* Memory at addresses of one's choice; a page each way is not mapped. */
void *native_map(uint64_t address, uint64_t size, bool is_code);

/* Execute @size (at most 15) bytes of code at @code, which native_map gave. */
void native_run(struct native *native, uint8_t *code, const uint8_t *bytes,
		unsigned int size);

#endif
