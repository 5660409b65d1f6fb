/* Checking the address space against its rules. */
#include "mm/host_audit.h"

#include "kernel/lib/panic.h"
#include "mm/host_space.h"

/* SDM 3A 4.5.4 "Linear-Address Translation with 4-Level Paging" */
#define PTE_WRITE BIT(1)
#define PTE_USER  BIT(2)
#define PTE_NX	  BIT(63)

/* Is some frame of @text (an executable leaf) writable by another leaf? */
static bool is_writable_elsewhere(const struct pt_leaf *text)
{
	const struct pgtable *space = host_space_tables();
	struct pt_leaf leaf;

	for (uint64_t at = 0; pgtable_next(space, at, &leaf);
	     at = leaf.virt + leaf.size) {
		if ((leaf.entry & PTE_WRITE) &&
		    range_overlaps(leaf.hpa.value, leaf.size, text->hpa.value,
				   text->size))
			return true;
		if (leaf.virt + leaf.size == 0)
			break;
	}
	return false;
}

void host_audit(void)
{
	const struct pgtable *space = host_space_tables();
	struct pt_leaf leaf;

	for (uint64_t at = 0; pgtable_next(space, at, &leaf);
	     at = leaf.virt + leaf.size) {
		bool is_writable = leaf.entry & PTE_WRITE;
		bool is_executable = !(leaf.entry & PTE_NX);

		CHECK(!(leaf.entry & PTE_USER));
		CHECK(!(is_writable && is_executable));
		CHECK(!is_executable || !is_writable_elsewhere(&leaf));
		if (leaf.virt + leaf.size == 0)
			break;
	}
}
