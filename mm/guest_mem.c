/* Guest memory: slots, images, faults of the CPU, the end. */
#include "mm/guest_mem.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/string.h"
#include "mm/frame.h"
#include "mm/guest_touch.h"

#define LEVELS	   4
#define GUEST_SIZE BIT(48) /* what LEVELS levels can map */

int guest_mem_init(struct guest_mem *gm, const struct pt_format *format,
		   uint8_t leaf_level_max, uint32_t node)
{
	memset(gm, 0, sizeof(*gm));
	gm->lock = (struct spinlock)SPINLOCK_INIT(LOCK_RANK_GUEST_MEM);
	list_init(&gm->pins);
	gm->table.node = node;
	return pgtable_init(&gm->table, format, LEVELS, leaf_level_max);
}

/* The frame behind @leaf, which may be a piece of it, is freed with its first
 * piece: nobody looks any more. */
static void free_frame(const struct pt_leaf *leaf)
{
	uint64_t level = FIELD_GET(PT_SOFT_SPLIT, leaf->entry);
	uint64_t size = leaf->size;

	if (level)
		size = pgtable_level_size((unsigned int)level);
	if (is_aligned(leaf->hpa.value, size))
		frame_free(leaf->hpa,
			   (unsigned int)__builtin_ctzl(size) - PAGE_SHIFT);
}

bool guest_mem_drain(struct guest_mem *gm, uint32_t count)
{
	struct pt_leaf leaf;

	CHECK(list_is_empty(&gm->pins));
	for (; count; count--) {
		if (gm->drained == GUEST_SIZE ||
		    !pgtable_next_used(&gm->table, gm->drained, &leaf))
			return false;
		if (!(leaf.entry & PT_SOFT_FOREIGN))
			free_frame(&leaf);
		gm->drained = leaf.virt + leaf.size;
	}
	return true;
}

void guest_mem_fini(struct guest_mem *gm)
{
	while (guest_mem_drain(gm, UINT32_MAX))
		;
	gm->drained = 0;
	pgtable_destroy(&gm->table);
	gm->slot_count = 0;
	gm->own_size = gm->foreign_size = 0;
}

int guest_mem_add(struct guest_mem *gm, enum guest_slot_kind kind, gpa_t base,
		  uint64_t size)
{
	uint32_t at = gm->slot_count;

	if (!size || !is_aligned(base.value | size, PAGE_SIZE) ||
	    !range_fits(base.value, size, GUEST_SIZE))
		return -EINVAL;
	for (uint32_t i = 0; i < gm->slot_count; i++) {
		if (range_overlaps(base.value, size, gm->slots[i].base,
				   gm->slots[i].size))
			return -EINVAL;
	}
	if (gm->slot_count == GUEST_SLOTS_MAX)
		return -ENOSPC;
	for (; at && gm->slots[at - 1].base > base.value; at--)
		gm->slots[at] = gm->slots[at - 1];
	gm->slots[at] = (struct guest_slot){ base.value, size, (uint8_t)kind };
	gm->slot_count++;
	return 0;
}

static int share_locked(struct guest_mem *gm, uint64_t base, hpa_t hpa,
			uint64_t size)
{
	struct pt_leaf leaf;
	int err;

	if (pgtable_next_used(&gm->table, base, &leaf) &&
	    leaf.virt < base + size)
		return -EEXIST;
	err = pgtable_map_soft(&gm->table, base, hpa, size,
			       gm->is_code_small ? PT_READ : PT_EXECUTE,
			       PT_SOFT_FOREIGN);
	if (err) {
		pgtable_unmap(&gm->table, base, size);
		guest_touch_count_change(gm);
		return err;
	}
	gm->foreign_size += size;
	return 0;
}

int guest_mem_share(struct guest_mem *gm, gpa_t base, hpa_t hpa, uint64_t size)
{
	const struct guest_slot *slot = guest_touch_slot(gm, base.value);
	int err;

	if (!slot || !size ||
	    !is_aligned(base.value | hpa.value | size, PAGE_SIZE) ||
	    !range_fits(base.value - slot->base, size, slot->size))
		return -EINVAL;
	spin_lock(&gm->lock);
	err = share_locked(gm, base.value, hpa, size);
	spin_unlock(&gm->lock);
	return err;
}

enum guest_fault guest_mem_fault(struct guest_mem *gm, gpa_t gpa,
				 uint32_t access)
{
	const struct guest_slot *slot = guest_touch_slot(gm, gpa.value);
	bool is_write = access & PT_WRITE; /* flags are as ACCESS_* */

	if (!slot)
		return GUEST_FAULT_DEVICE;
	if (is_write && slot->kind != GUEST_RAM)
		return GUEST_FAULT_READ_ONLY;
	if (guest_touch_step(gm, slot, gpa.value, is_write))
		return GUEST_FAULT_NO_MEMORY;
	if (gm->is_code_small && (access & PT_EXECUTE) &&
	    guest_touch_execute(gm, slot, gpa.value))
		return GUEST_FAULT_NO_MEMORY;
	return GUEST_FAULT_DONE;
}

bool guest_mem_has(const struct guest_mem *gm, gpa_t gpa)
{
	return guest_touch_slot(gm, gpa.value) != NULL;
}

uint64_t guest_mem_table_size(struct guest_mem *gm)
{
	uint64_t tables;

	spin_lock(&gm->lock);
	tables = gm->table.tables;
	spin_unlock(&gm->lock);
	return tables * PAGE_SIZE;
}

static void hide_locked(struct guest_mem *gm, uint64_t gpa)
{
	uint64_t page = align_down(gpa, PAGE_SIZE);
	struct pt_entry entry = pgtable_look(&gm->table, page);
	uint64_t present = gm->table.format->present_mask;

	if (!(entry.value & present))
		return;
	/* first split, so that the value is that of the page */
	if (pgtable_split(&gm->table, &entry, page, 1))
		return;
	if (!pgtable_replace(&gm->table, &entry, page, 1,
			     (entry.value & ~present) | PT_SOFT_HIDDEN))
		guest_touch_count_change(gm);
}

void guest_mem_hide(struct guest_mem *gm, gpa_t gpa)
{
	if (!guest_mem_has(gm, gpa))
		return;
	spin_lock(&gm->lock);
	hide_locked(gm, gpa.value);
	spin_unlock(&gm->lock);
}
