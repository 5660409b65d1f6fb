#include "guest_views.h"

#define VIEWS 64

struct view {
	uint64_t gpa; /* of the page */
	hpa_t frame;
	bool is_writable;
	uint64_t generation;
};

static struct view views[VIEWS];
static uint32_t view_count;

void guest_views_reset(void)
{
	view_count = 0;
}

bool guest_views_is_writable(const struct pt_leaf *leaf)
{
	return leaf->entry & BIT(1); /* in both formats */
}

static hpa_t frame_of(uint64_t page, const struct pt_leaf *leaf)
{
	return hpa_add(leaf->hpa, page - leaf->virt);
}

void guest_views_add(const struct guest_mem *gm, uint64_t gpa,
		     const struct pt_leaf *leaf)
{
	uint64_t page = align_down(gpa, PAGE_SIZE);

	views[view_count++ % VIEWS] = (struct view){
		page,
		frame_of(page, leaf),
		guest_views_is_writable(leaf),
		guest_mem_flush_generation(gm),
	};
}

static bool holds(const struct guest_mem *gm, const struct view *view)
{
	struct pt_leaf leaf;

	return pgtable_find(&gm->table, view->gpa, &leaf) &&
	       hpa_equals(frame_of(view->gpa, &leaf), view->frame) &&
	       (guest_views_is_writable(&leaf) || !view->is_writable);
}

bool guest_views_hold(const struct guest_mem *gm)
{
	for (uint32_t i = 0; i < VIEWS && i < view_count; i++) {
		if (views[i].generation == guest_mem_flush_generation(gm) &&
		    !holds(gm, &views[i]))
			return false;
	}
	return true;
}
