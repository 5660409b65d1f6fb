/* A guest's memory as an array of bytes: the model of guest_model.c. */
#ifndef FAKE_GUEST_BYTES_H
#define FAKE_GUEST_BYTES_H

#include "mm/guest_mem.h"

/* Below 1 MiB as on a PC; 2 MiB blocks whole and cut; the last 2 MiB there are. */
#define GUEST_BYTES_SLOTS 4
extern const struct guest_slot guest_bytes_layout[GUEST_BYTES_SLOTS];

void guest_bytes_reset(void);

/* NULL: no memory. */
const struct guest_slot *guest_bytes_slot(uint64_t gpa);

/* Where the model keeps the byte at @gpa, which is in a slot; slots that follow
 * each other do so here too. */
char *guest_bytes_at(uint64_t gpa);

/* Does the range lie in slots, of RAM if @is_ram? */
bool guest_bytes_cover(uint64_t gpa, uint64_t size, bool is_ram);

/* Of a range that does. */
void guest_bytes_get(uint64_t gpa, void *to, uint64_t size);
void guest_bytes_put(uint64_t gpa, const void *from, uint64_t size);

#endif
