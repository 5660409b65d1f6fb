/* How a page of guest memory comes to be there. For mm/guest_*.c only. [pure] */
#ifndef MM_GUEST_TOUCH_H
#define MM_GUEST_TOUCH_H

#include "mm/guest_mem.h"

/* The slot of @gpa; NULL: no memory. */
const struct guest_slot *guest_touch_slot(const struct guest_mem *gm,
					  uint64_t gpa);

/* Does the range lie wholly in slots, of RAM if @is_ram? */
bool guest_touch_covers(const struct guest_mem *gm, uint64_t gpa, uint64_t size,
			bool is_ram);

/* An entry that the CPU may have used has changed. */
void guest_touch_count_change(struct guest_mem *gm);

/* The bytes at an address, and how many follow it in one piece. */
struct guest_span {
	char *at; /* NULL: absent, all zero */
	uint64_t size;
};

/* What is there now. */
struct guest_span guest_touch_look(const struct guest_mem *gm, uint64_t gpa);

/* What is there once it is there and, if @is_own, the guest's own: only that may
 * be written. @gpa is in a slot. at is NULL: no memory. */
struct guest_span guest_touch(struct guest_mem *gm, uint64_t gpa, bool is_own);

/* One step towards that, and to the CPU's being able to use it. 0 (done, or
 * another CPU was first) or -ENOMEM. */
int guest_touch_step(struct guest_mem *gm, const struct guest_slot *slot,
		     uint64_t gpa, bool is_own);

/* Let the CPU execute the page of @gpa, which is there. 0 or -ENOMEM. */
int guest_touch_execute(struct guest_mem *gm, const struct guest_slot *slot,
			uint64_t gpa);

#endif
