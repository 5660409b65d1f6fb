/*
 * Pages of guest memory that a vCPU read last, and where they are; and the last
 * walks of its page tables: what one exit needs is mostly what the last one
 * needed. [pure]
 *
 * A window is as good as a pointer of guest_pointer as long as no translation of
 * guest memory has changed (guest_mem_flush_generation): a frame that has left
 * since is freed only after this CPU's next scheduling point, and behind that
 * the generation is looked at again (guest_window_refresh).
 */
#ifndef KERNEL_GUEST_WINDOW_H
#define KERNEL_GUEST_WINDOW_H

#include "kernel/vmexit.h"
#include "mm/guest_mem.h"

/* Windows 1 to 5: tables of that level; the others: code, by page number. */
#define GUEST_WINDOW_CODE 6
#define GUEST_WINDOWS	  (GUEST_WINDOW_CODE + 4)

/*
 * A walk, with the entries that it read. It is a function of them and of what
 * else is noted here, so while they all are what they were, its result is too:
 * no invalidation is needed.
 */
struct guest_walked {
	uint64_t page; /* linear, with bit 0: known */
	uint64_t cr0, cr3, cr4, efer;
	uint32_t access;
	uint32_t count;
	uint64_t gpa; /* of the page */
	const uint64_t *at[PT_LEVELS_MAX];
	uint64_t entries[PT_LEVELS_MAX];
};

#define GUEST_WALKED 8 /* a power of two */

/* All zero: nothing known. */
struct guest_windows {
	uint64_t generation;
	struct guest_walked walked[GUEST_WALKED];
	struct {
		uint64_t page; /* gpa, with bit 0: known */
		const char *at;
	} windows[GUEST_WINDOWS];
};

/* Forget all that is no longer true. Before use behind a scheduling point. */
static inline void guest_window_refresh(struct guest_windows *windows,
					const struct guest_mem *gm)
{
	uint64_t generation = guest_mem_flush_generation(gm);

	if (windows->generation != generation)
		*windows = (struct guest_windows){ .generation = generation };
}

/* The window for code at @gpa. */
static inline unsigned int guest_window_code(uint64_t gpa)
{
	return GUEST_WINDOW_CODE + (gpa >> PAGE_SHIFT & 3);
}

/* Pointer to the byte @offset of the page at @page, for reading, good to the end
 * of the page. NULL: no memory. @number: guest_window_code(), or a level. */
static inline const void *guest_window_at(struct guest_windows *windows,
					  struct guest_mem *gm,
					  unsigned int number, uint64_t page,
					  uint64_t offset)
{
	if (windows->windows[number].page != (page | 1)) {
		const char *at =
			guest_pointer(gm, (gpa_t){ page }, ACCESS_READ);

		if (!at)
			return NULL;
		windows->windows[number].page = page | 1;
		windows->windows[number].at = at;
	}
	return windows->windows[number].at + offset;
}

#endif
