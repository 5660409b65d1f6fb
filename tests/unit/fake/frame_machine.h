/* A machine for tests of what lies on the frame allocator. Needs ram.c. */
#ifndef FAKE_FRAME_MACHINE_H
#define FAKE_FRAME_MACHINE_H

#include <string.h>

#include "fake.h"
#include "mm/frame.h"

/* The call panics, with @text in the line. */
#define PANICS(call, text)                                        \
	do {                                                      \
		if (!setjmp(fake_panic_jump)) {                   \
			fake_panic_expected = true;               \
			call;                                     \
			fail_msg("did not panic");                \
		}                                                 \
		assert_non_null(strstr(fake_panic_text, (text))); \
	} while (0)

/* A set-up function of cmocka: forget all RAM, be a CPU of node 0. */
int frame_machine_reset(void **state);

/* RAM of @node. */
void frame_machine_add(uint64_t base, uint64_t size, uint32_t node);

/* Start the allocator: boot's page tables come off the RAM below 4 GiB. */
void frame_machine_start(uint32_t node_count, bool has_huge_pages);

/* The same on a machine with @size bytes from 0. */
void frame_machine_start_simple(uint64_t size);

/* Bytes that are neither free nor the allocator's own. */
uint64_t frame_machine_allocated(uint32_t node);

#endif
