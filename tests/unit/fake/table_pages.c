/* Page tables of every format come from the frame allocator. A test with memory
 * of its own for them defines these two itself. */
#include "mm/frame.h"
#include "mm/pgtable.h"

hpa_t pgtable_page_alloc(const struct pgtable *pt)
{
	return frame_alloc_zeroed(0, pt->node);
}

void pgtable_page_free(const struct pgtable *pt, hpa_t page)
{
	(void)pt;
	frame_free(page, 0);
}
