/* Guest memory: pointers into it, for a moment or for long. */
#include "kernel/lib/errno.h"
#include "mm/guest_touch.h"

void *guest_pointer(struct guest_mem *gm, gpa_t gpa, uint32_t access)
{
	bool is_write = access & PT_WRITE; /* has the value of ACCESS_WRITE */

	if (!guest_touch_covers(gm, gpa.value, 1, is_write))
		return NULL;
	return guest_touch(gm, gpa.value, is_write).at;
}

int guest_pin(struct guest_mem *gm, struct guest_pin *pin, gpa_t base,
	      uint64_t size, uint32_t access)
{
	uint64_t first = align_down(base.value, PAGE_SIZE);
	uint64_t offset = base.value - first;

	if (!size || !range_fits(offset, size, GUEST_PIN_PAGES_MAX * PAGE_SIZE))
		return -EINVAL;
	if (!guest_touch_covers(gm, base.value, size, access & PT_WRITE))
		return -EFAULT;
	for (uint64_t at = 0; at < offset + size; at += PAGE_SIZE) {
		char *page = guest_touch(gm, first + at, true).at;

		if (!page)
			return -ENOMEM;
		pin->pages[at >> PAGE_SHIFT] = page;
	}
	pin->base = base.value;
	pin->size = size;
	spin_lock(&gm->lock);
	list_push_back(&gm->pins, &pin->link);
	spin_unlock(&gm->lock);
	return 0;
}

void guest_unpin(struct guest_mem *gm, struct guest_pin *pin)
{
	if (!pin->size)
		return;
	spin_lock(&gm->lock);
	list_remove(&pin->link);
	spin_unlock(&gm->lock);
	pin->size = 0;
}
