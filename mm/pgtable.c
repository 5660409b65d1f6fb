/*
 * The radix walker.
 *
 *	root (level 4 or 5) -> … -> level 3 -> level 2 -> level 1
 *	                              | leaf     | leaf     | leaf
 *	                              1 GiB      2 MiB      4 KiB
 */
#include "mm/pgtable.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/panic.h"
#include "mm/phys.h"

#define PTE_PRESENT  BIT(0)
#define PTE_WRITE    BIT(1)
#define PTE_PWT	     BIT(3) /* with PCD: index into the PAT, see cpu.c */
#define PTE_PCD	     BIT(4)
#define PTE_ACCESSED BIT(5)
#define PTE_DIRTY    BIT(6)
#define PTE_LARGE    BIT(7)
#define PTE_GLOBAL   BIT(8)
#define PTE_NX	     BIT(63)

/* Accessed and dirty are preset: the CPU then never writes to a table of ours.
 */
#define HOST_LEAF (PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY | PTE_GLOBAL)

const struct pt_format pt_format_host = {
	.present_mask = PTE_PRESENT,
	.address_mask = BITS(51, 12),
	.table_bits = PTE_PRESENT | PTE_WRITE | PTE_ACCESSED,
	.large_bit = PTE_LARGE,
	.leaf_bits = {
		[PT_READ] = HOST_LEAF | PTE_NX,
		[PT_WRITE] = HOST_LEAF | PTE_NX | PTE_WRITE,
		[PT_EXECUTE] = HOST_LEAF,
		[PT_UNCACHED] = HOST_LEAF | PTE_NX | PTE_PCD | PTE_PWT,
		[PT_WRITE | PT_UNCACHED] =
			HOST_LEAF | PTE_NX | PTE_WRITE | PTE_PCD | PTE_PWT,
		[PT_WRITE | PT_WRITE_COMBINING] =
			HOST_LEAF | PTE_NX | PTE_WRITE | PTE_PWT,
	},
};

static unsigned int level_shift(unsigned int level)
{
	return PAGE_SHIFT + 9 * (level - 1);
}

static uint64_t level_size(unsigned int level)
{
	return BIT(level_shift(level));
}

/* The 4-level canonical form: bits above 47 (56) repeat it. */
static uint64_t canonical(const struct pgtable *pt, uint64_t virt)
{
	unsigned int unused = 64 - level_shift(pt->levels + 1U);

	return (uint64_t)((int64_t)(virt << unused) >> unused);
}

static uint64_t *entry_at(hpa_t table, uint64_t virt, unsigned int level)
{
	uint64_t *entries = phys_to_virt(table);

	return &entries[virt >> level_shift(level) & (PT_ENTRIES - 1)];
}

static bool is_present(const struct pgtable *pt, uint64_t entry)
{
	return (entry & pt->format->present_mask) != 0;
}

static bool is_leaf(const struct pgtable *pt, uint64_t entry,
		    unsigned int level)
{
	return level == 1 || (entry & pt->format->large_bit);
}

static hpa_t entry_address(const struct pgtable *pt, uint64_t entry)
{
	return HPA(entry & pt->format->address_mask);
}

int pgtable_init(struct pgtable *pt, const struct pt_format *format,
		 uint8_t levels, uint8_t leaf_level_max)
{
	pt->format = format;
	pt->levels = levels;
	pt->leaf_level_max = leaf_level_max;
	pt->root = pgtable_page_alloc(pt);
	return hpa_equals(pt->root, HPA_NONE) ? -ENOMEM : 0;
}

/* Go from @table at @level to the table below it for @virt, making it if need
 * be. */
static int descend(struct pgtable *pt, hpa_t *table, uint64_t virt,
		   unsigned int level)
{
	uint64_t *entry = entry_at(*table, virt, level);
	hpa_t below;

	if (!is_present(pt, *entry)) {
		below = pgtable_page_alloc(pt);
		if (hpa_equals(below, HPA_NONE))
			return -ENOMEM;
		/* release: the table's zeroes are seen before the way to it is
		 */
		__atomic_store_n(entry, below.value | pt->format->table_bits,
				 __ATOMIC_RELEASE);
	} else if (is_leaf(pt, *entry, level)) {
		return -EEXIST;
	}
	*table = entry_address(pt, *entry);
	return 0;
}

/*
 * Set one leaf for @virt, at @level_max or, where a table is already there,
 * below it. *level is where it went.
 */
static int map_one(struct pgtable *pt, uint64_t virt, hpa_t hpa,
		   unsigned int level_max, uint64_t bits, unsigned int *level)
{
	hpa_t table = pt->root;
	uint64_t *entry;
	int err;

	for (*level = pt->levels;; (*level)--) {
		entry = entry_at(table, virt, *level);
		if (*level <= level_max && !is_present(pt, *entry))
			break;
		if (*level == 1)
			return -EEXIST;
		err = descend(pt, &table, virt, *level);
		if (err)
			return err;
	}
	if (*level > 1)
		bits |= pt->format->large_bit;
	__atomic_store_n(entry, hpa.value | bits, __ATOMIC_RELEASE);
	return 0;
}

static unsigned int largest_level(const struct pgtable *pt, uint64_t virt,
				  hpa_t hpa, uint64_t size)
{
	unsigned int level = pt->leaf_level_max;

	while (level > 1 && (!is_aligned(virt | hpa.value, level_size(level)) ||
			     size < level_size(level)))
		level--;
	return level;
}

int pgtable_map(struct pgtable *pt, uint64_t virt, hpa_t hpa, uint64_t size,
		uint32_t flags)
{
	uint64_t bits = pt->format->leaf_bits[flags];

	CHECK(bits && is_aligned(virt | hpa.value | size, PAGE_SIZE));
	while (size) {
		unsigned int level;
		int err = map_one(pt, virt, hpa,
				  largest_level(pt, virt, hpa, size), bits,
				  &level);

		if (err)
			return err;
		virt += level_size(level);
		hpa = hpa_add(hpa, level_size(level));
		size -= level_size(level);
	}
	return 0;
}

/*
 * Walk down for @virt until a leaf or a hole. *level is where it ended; the
 * entry there is returned.
 */
static uint64_t *walk(const struct pgtable *pt, uint64_t virt,
		      unsigned int *level)
{
	hpa_t table = pt->root;

	for (*level = pt->levels;; (*level)--) {
		uint64_t *entry = entry_at(table, virt, *level);

		if (!is_present(pt, *entry) || is_leaf(pt, *entry, *level))
			return entry;
		table = entry_address(pt, *entry);
	}
}

void pgtable_unmap(struct pgtable *pt, uint64_t virt, uint64_t size)
{
	uint64_t end = virt + size;

	CHECK(is_aligned(virt | size, PAGE_SIZE));
	while (virt != end) {
		unsigned int level;
		uint64_t *entry = walk(pt, virt, &level);
		uint64_t next =
			align_down(virt, level_size(level)) + level_size(level);

		if (is_present(pt, *entry)) {
			CHECK(is_aligned(virt, level_size(level)) &&
			      end - virt >= level_size(level));
			__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
		}
		virt = end - virt < next - virt ? end : next;
	}
}

bool pgtable_find(const struct pgtable *pt, uint64_t virt, struct pt_leaf *leaf)
{
	unsigned int level;
	uint64_t entry = *walk(pt, virt, &level);

	if (!is_present(pt, entry))
		return false;
	leaf->size = level_size(level);
	leaf->virt = canonical(pt, align_down(virt, leaf->size));
	leaf->hpa = HPA(align_down(entry_address(pt, entry).value, leaf->size));
	leaf->entry = entry;
	return true;
}

bool pgtable_next(const struct pgtable *pt, uint64_t virt, struct pt_leaf *leaf)
{
	uint64_t space = BIT(level_shift(pt->levels + 1U));
	uint64_t at = virt & (space - 1);

	while (at < space) {
		unsigned int level;

		if (pgtable_find(pt, at, leaf))
			return true;
		walk(pt, at, &level);
		at = align_down(at, level_size(level)) + level_size(level);
	}
	return false;
}
