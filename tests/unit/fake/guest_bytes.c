#include "guest_bytes.h"

#include <string.h>

const struct guest_slot guest_bytes_layout[GUEST_BYTES_SLOTS] = {
	{ 0, 640 * KIB, GUEST_RAM },
	{ 768 * KIB, 256 * KIB, GUEST_ROM },
	{ 1 * MIB, 6 * MIB, GUEST_RAM },
	{ BIT(48) - LARGE_PAGE_SIZE, LARGE_PAGE_SIZE, GUEST_RAM },
};

#define BYTES_SIZE (640 * KIB + 256 * KIB + 6 * MIB + LARGE_PAGE_SIZE)

static char bytes[BYTES_SIZE]; /* of all slots, one after the other */

void guest_bytes_reset(void)
{
	memset(bytes, 0, sizeof(bytes));
}

const struct guest_slot *guest_bytes_slot(uint64_t gpa)
{
	for (size_t i = 0; i < GUEST_BYTES_SLOTS; i++) {
		if (gpa >= guest_bytes_layout[i].base &&
		    gpa < guest_bytes_layout[i].base +
				    guest_bytes_layout[i].size)
			return &guest_bytes_layout[i];
	}
	return NULL;
}

char *guest_bytes_at(uint64_t gpa)
{
	char *start = bytes;

	for (const struct guest_slot *slot = guest_bytes_layout;
	     slot != guest_bytes_slot(gpa); slot++)
		start += slot->size;
	return start + (gpa - guest_bytes_slot(gpa)->base);
}

bool guest_bytes_cover(uint64_t gpa, uint64_t size, bool is_ram)
{
	uint64_t last = gpa + size - 1;

	for (uint64_t at = align_down(gpa, PAGE_SIZE); size; at += PAGE_SIZE) {
		const struct guest_slot *slot = guest_bytes_slot(at);

		if (!slot || (is_ram && slot->kind != GUEST_RAM))
			return false;
		if (at == align_down(last, PAGE_SIZE))
			break;
	}
	return true;
}

/* Slots that follow each other here do so in the model: one piece. */
void guest_bytes_get(uint64_t gpa, void *to, uint64_t size)
{
	if (size)
		memcpy(to, guest_bytes_at(gpa), size);
}

void guest_bytes_put(uint64_t gpa, const void *from, uint64_t size)
{
	if (size)
		memcpy(guest_bytes_at(gpa), from, size);
}
