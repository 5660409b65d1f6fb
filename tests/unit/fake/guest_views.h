/* What a CPU may have in its TLB of a guest's memory, and since when. */
#ifndef FAKE_GUEST_VIEWS_H
#define FAKE_GUEST_VIEWS_H

#include "mm/guest_mem.h"

void guest_views_reset(void);

/* A CPU used the page of @gpa by @leaf; the last 64 are kept. */
void guest_views_add(const struct guest_mem *gm, uint64_t gpa,
		     const struct pt_leaf *leaf);

/* Is each of them still right, or was a flush asked for since? */
bool guest_views_hold(const struct guest_mem *gm);

bool guest_views_is_writable(const struct pt_leaf *leaf);

#endif
