/*
 * How a page of guest memory comes to be there.
 *
 *	entry		for reading		for writing
 *	0		fill			fill
 *	present		-			-
 *	foreign		-			private copy
 *	hidden		reveal (CPU only)	reveal (CPU only)
 *
 * Where is_code_small is set, large leaves are not executable, and a page in one that
 * is executed gets a leaf of its own.
 *
 * Each step looks without the lock, prepares what takes long, and then replaces
 * the entry if it is still the one it saw. Who loses has nothing left to do:
 * entries go from 0 to foreign or own, from foreign to own, and stay there, but
 * for being hidden and revealed.
 */
#include "mm/guest_touch.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "mm/frame.h"
#include "mm/phys.h"

const struct guest_slot *guest_touch_slot(const struct guest_mem *gm,
					  uint64_t gpa)
{
	for (uint32_t i = 0; i < gm->slot_count; i++) {
		const struct guest_slot *slot = &gm->slots[i];

		if (gpa - slot->base < slot->size)
			return slot;
	}
	return NULL;
}

bool guest_touch_covers(const struct guest_mem *gm, uint64_t gpa, uint64_t size,
			bool is_ram)
{
	while (size) {
		const struct guest_slot *slot = guest_touch_slot(gm, gpa);
		uint64_t there;

		if (!slot || (is_ram && slot->kind != GUEST_RAM))
			return false;
		there = min_u64(slot->base + slot->size - gpa, size);
		gpa += there;
		size -= there;
	}
	return true;
}

void guest_touch_count_change(struct guest_mem *gm)
{
	/* seq_cst: pairs with guest_mem_flush_generation. Who sees the new
	 * number sees the entry; who does not has VCPU_INSIDE set */
	__atomic_fetch_add(&gm->flush_generation, 1, __ATOMIC_SEQ_CST);
}

static unsigned int order_of(unsigned int level)
{
	return 9 * (level - 1);
}

/* The largest leaf around @gpa that lies in RAM of the slot and in the hole. */
static unsigned int largest_level(const struct guest_mem *gm,
				  const struct guest_slot *slot, uint64_t gpa,
				  const struct pt_entry *hole)
{
	unsigned int level = gm->table.leaf_level_max;

	if (slot->kind != GUEST_RAM)
		return 1;
	if (level > hole->level)
		level = hole->level;
	for (; level > 1; level--) {
		uint64_t size = pgtable_level_size(level);
		uint64_t offset = align_down(gpa, size) - slot->base;

		if (range_fits(offset, size, slot->size))
			break;
	}
	return level;
}

static uint32_t flags_of(const struct guest_mem *gm,
			 const struct guest_slot *slot, unsigned int level)
{
	uint32_t flags = gm->is_code_small && level > 1 ? 0 : PT_EXECUTE;

	return slot->kind == GUEST_RAM ? flags | PT_WRITE : flags;
}

/*
 * Let own memory @frame, ready to be seen, be at @gpa instead of what @entry
 * says; free it if that is no longer so.
 */
static int put_frame(struct guest_mem *gm, const struct guest_slot *slot,
		     uint64_t gpa, struct pt_entry *entry, unsigned int level,
		     hpa_t frame)
{
	bool is_hole = entry->value == 0;
	uint64_t leaf = pgtable_leaf(&gm->table, level, frame,
				     flags_of(gm, slot, level));
	int err;

	spin_lock(&gm->lock);
	err = pgtable_replace(&gm->table, entry, gpa, level, leaf);
	if (!err)
		gm->own_size += pgtable_level_size(level);
	if (!err && !is_hole) {
		gm->foreign_size -= PAGE_SIZE;
		guest_touch_count_change(gm);
	}
	spin_unlock(&gm->lock);
	if (err)
		frame_free(frame, order_of(level));
	return err == -EAGAIN ? 0 : err;
}

static int fill(struct guest_mem *gm, const struct guest_slot *slot,
		uint64_t gpa, struct pt_entry *hole)
{
	unsigned int level = largest_level(gm, slot, gpa, hole);
	hpa_t frame;

	for (;; level--) {
		frame = frame_alloc_zeroed(order_of(level), gm->table.node);
		if (!hpa_equals(frame, HPA_NONE))
			break;
		if (level == 1)
			return -ENOMEM;
	}
	return put_frame(gm, slot, gpa, hole, level, frame);
}

static int make_own(struct guest_mem *gm, const struct guest_slot *slot,
		    uint64_t gpa, struct pt_entry *foreign)
{
	uint64_t page = align_down(gpa, PAGE_SIZE);
	hpa_t from = pgtable_address(&gm->table, foreign, page);
	hpa_t frame = frame_alloc(0, gm->table.node);

	if (hpa_equals(frame, HPA_NONE))
		return -ENOMEM;
	memcpy(phys_to_virt(frame), phys_to_virt(from), PAGE_SIZE);
	return put_frame(gm, slot, gpa, foreign, 1, frame);
}

/* The page of @gpa, which an entry of its own decides about by now, with all that
 * it may: nothing is hidden, and code can be executed. */
static void allow(struct guest_mem *gm, const struct guest_slot *slot,
		  uint64_t gpa, struct pt_entry *entry)
{
	uint64_t soft = entry->value & (PT_SOFT_FOREIGN | PT_SOFT_SPLIT);
	uint32_t flags =
		soft & PT_SOFT_FOREIGN ? PT_EXECUTE : flags_of(gm, slot, 1);
	hpa_t frame =
		pgtable_address(&gm->table, entry, align_down(gpa, PAGE_SIZE));

	pgtable_replace(&gm->table, entry, gpa, 1,
			pgtable_leaf(&gm->table, 1, frame, flags) | soft);
}

/* Hidden leaves are of 4 KiB. */
static void reveal(struct guest_mem *gm, const struct guest_slot *slot,
		   uint64_t gpa, struct pt_entry *hidden)
{
	spin_lock(&gm->lock);
	allow(gm, slot, gpa, hidden);
	spin_unlock(&gm->lock);
}

/* No flush: nothing moves, and the CPU has just dropped the translation that did
 * not allow it (SDM 3C 29.4.3.1 "Operations that Invalidate Cached Mappings"). */
int guest_touch_execute(struct guest_mem *gm, const struct guest_slot *slot,
			uint64_t gpa)
{
	struct pt_entry entry;
	int err;

	spin_lock(&gm->lock);
	entry = pgtable_look(&gm->table, gpa);
	err = pgtable_split(&gm->table, &entry, gpa, 1);
	if (!err && entry.value)
		allow(gm, slot, gpa, &entry);
	spin_unlock(&gm->lock);
	return err == -EAGAIN ? 0 : err;
}

int guest_touch_step(struct guest_mem *gm, const struct guest_slot *slot,
		     uint64_t gpa, bool is_own)
{
	struct pt_entry entry = pgtable_look(&gm->table, gpa);

	if (!entry.value)
		return fill(gm, slot, gpa, &entry);
	if (is_own && entry.value & PT_SOFT_FOREIGN)
		return make_own(gm, slot, gpa, &entry);
	if (entry.value & PT_SOFT_HIDDEN)
		reveal(gm, slot, gpa, &entry);
	return 0;
}

static struct guest_span span_of(const struct guest_mem *gm, uint64_t gpa,
				 const struct pt_entry *entry)
{
	uint64_t size = pgtable_level_size(entry->level);
	struct guest_span span = { NULL, size - (gpa & (size - 1)) };

	if (entry->value)
		span.at = phys_to_virt(pgtable_address(&gm->table, entry, gpa));
	return span;
}

struct guest_span guest_touch_look(const struct guest_mem *gm, uint64_t gpa)
{
	struct pt_entry entry = pgtable_look(&gm->table, gpa);

	return span_of(gm, gpa, &entry);
}

struct guest_span guest_touch(struct guest_mem *gm, uint64_t gpa, bool is_own)
{
	/* One step does it, unless another CPU is first; the entry is then
	 * further on its way, so this ends. */
	for (;;) {
		struct pt_entry entry = pgtable_look(&gm->table, gpa);

		if (entry.value && !(is_own && entry.value & PT_SOFT_FOREIGN))
			return span_of(gm, gpa, &entry);
		if (guest_touch_step(gm, guest_touch_slot(gm, gpa), gpa,
				     is_own))
			return (struct guest_span){ NULL, 0 };
	}
}
