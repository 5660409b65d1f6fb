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
	.is_signed = true,
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

/* The canonical form, where there is one: bits above 47 (56) repeat it. */
static uint64_t canonical(const struct pgtable *pt, uint64_t virt)
{
	unsigned int unused = 64 - level_shift(pt->levels + 1U);

	if (!pt->format->is_signed)
		return virt;
	return (uint64_t)((int64_t)(virt << unused) >> unused);
}

/* acquire: with the release in change, a table's entries are seen after the way
 * to it */
static uint64_t load(const uint64_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static struct pt_entry entry_at(hpa_t table, uint64_t virt, unsigned int level)
{
	uint64_t *entries = phys_to_virt(table);
	uint64_t *at = &entries[virt >> level_shift(level) & (PT_ENTRIES - 1)];

	return (struct pt_entry){ at, load(at), level };
}

static bool is_present(const struct pgtable *pt, uint64_t entry)
{
	return (entry & pt->format->present_mask) != 0;
}

static bool is_table(const struct pgtable *pt, uint64_t entry,
		     unsigned int level)
{
	return level > 1 && is_present(pt, entry) &&
	       !(entry & pt->format->large_bit);
}

static hpa_t entry_address(const struct pgtable *pt, uint64_t entry)
{
	return HPA(entry & pt->format->address_mask);
}

static hpa_t table_alloc(struct pgtable *pt)
{
	hpa_t table = pgtable_page_alloc(pt);

	if (!hpa_equals(table, HPA_NONE))
		pt->tables++;
	return table;
}

static void table_free(struct pgtable *pt, hpa_t table)
{
	pt->tables--;
	pgtable_page_free(pt, table);
}

int pgtable_init(struct pgtable *pt, const struct pt_format *format,
		 uint8_t levels, uint8_t leaf_level_max)
{
	pt->format = format;
	pt->levels = levels;
	pt->leaf_level_max = leaf_level_max;
	pt->tables = 0;
	pt->root = table_alloc(pt);
	return hpa_equals(pt->root, HPA_NONE) ? -ENOMEM : 0;
}

/* Each fault of a guest walks: the masks stay in registers. */
struct pt_entry pgtable_look(const struct pgtable *pt, uint64_t virt)
{
	uint64_t present_mask = pt->format->present_mask;
	uint64_t address_mask = pt->format->address_mask;
	uint64_t large_bit = pt->format->large_bit;
	unsigned int level = pt->levels;
	unsigned int shift = level_shift(level);
	hpa_t table = pt->root;

	for (;; level--, shift -= 9) {
		uint64_t *entries = phys_to_virt(table);
		uint64_t *at = &entries[virt >> shift & (PT_ENTRIES - 1)];
		uint64_t value = load(at);

		if (level == 1 || !(value & present_mask) ||
		    (value & large_bit))
			return (struct pt_entry){ at, value, level };
		table = HPA(value & address_mask);
	}
}

hpa_t pgtable_address(const struct pgtable *pt, const struct pt_entry *entry,
		      uint64_t virt)
{
	uint64_t size = pgtable_level_size(entry->level);
	uint64_t base = entry_address(pt, entry->value).value;

	return HPA(align_down(base, size) + (virt & (size - 1)));
}

uint64_t pgtable_leaf(const struct pgtable *pt, unsigned int level, hpa_t hpa,
		      uint32_t flags)
{
	uint64_t bits = pt->format->leaf_bits[flags];

	CHECK(bits && is_aligned(hpa.value, pgtable_level_size(level)));
	if (level > 1)
		bits |= pt->format->large_bit;
	return hpa.value | bits;
}

/* False: another CPU was first. */
static bool change(struct pt_entry *entry, uint64_t value)
{
	if (!__atomic_compare_exchange_n(entry->at, &entry->value, value, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return false;
	entry->value = value;
	return true;
}

/* Fill the new @table with the pieces of the leaf @entry. */
static void fill_pieces(const struct pgtable *pt, hpa_t table,
			const struct pt_entry *entry)
{
	uint64_t *pieces = phys_to_virt(table);
	uint64_t piece = entry->value;

	if (!(piece & PT_SOFT_SPLIT))
		piece |= FIELD_PUT(PT_SOFT_SPLIT, entry->level);
	if (entry->level == 2)
		piece &= ~pt->format->large_bit;
	for (unsigned int i = 0; i < PT_ENTRIES; i++)
		pieces[i] = piece + i * pgtable_level_size(entry->level - 1);
}

/* Put a table in the place of the hole or leaf @entry, meaning the same, and go
 * to its entry for @virt. */
static int split(struct pgtable *pt, struct pt_entry *entry, uint64_t virt)
{
	hpa_t table = table_alloc(pt);

	if (hpa_equals(table, HPA_NONE))
		return -ENOMEM;
	if (entry->value)
		fill_pieces(pt, table, entry);
	if (!change(entry, table.value | pt->format->table_bits)) {
		table_free(pt, table);
		return -EAGAIN;
	}
	*entry = entry_at(table, virt, entry->level - 1);
	return 0;
}

int pgtable_split(struct pgtable *pt, struct pt_entry *entry, uint64_t virt,
		  unsigned int level)
{
	while (entry->level > level) {
		int err = split(pt, entry, virt);

		if (err)
			return err;
	}
	return 0;
}

int pgtable_replace(struct pgtable *pt, struct pt_entry *entry, uint64_t virt,
		    unsigned int level, uint64_t value)
{
	if (entry->level > level) {
		int err = pgtable_split(pt, entry, virt, level);

		if (err)
			return err;
	}
	return change(entry, value) ? 0 : -EAGAIN;
}

static unsigned int largest_level(const struct pgtable *pt, uint64_t virt,
				  hpa_t hpa, uint64_t size)
{
	unsigned int level = pt->leaf_level_max;

	while (level > 1 &&
	       (!is_aligned(virt | hpa.value, pgtable_level_size(level)) ||
		size < pgtable_level_size(level)))
		level--;
	return level;
}

int pgtable_map_soft(struct pgtable *pt, uint64_t virt, hpa_t hpa,
		     uint64_t size, uint32_t flags, uint64_t soft)
{
	CHECK(is_aligned(virt | hpa.value | size, PAGE_SIZE));
	while (size) {
		struct pt_entry entry = pgtable_look(pt, virt);
		unsigned int level = largest_level(pt, virt, hpa, size);
		int err;

		if (entry.value)
			return -EEXIST;
		if (level > entry.level)
			level = entry.level;
		err = pgtable_replace(pt, &entry, virt, level,
				      pgtable_leaf(pt, level, hpa, flags) |
					      soft);
		if (err)
			return err;
		virt += pgtable_level_size(level);
		hpa = hpa_add(hpa, pgtable_level_size(level));
		size -= pgtable_level_size(level);
	}
	return 0;
}

int pgtable_map(struct pgtable *pt, uint64_t virt, hpa_t hpa, uint64_t size,
		uint32_t flags)
{
	return pgtable_map_soft(pt, virt, hpa, size, flags, 0);
}

void pgtable_unmap(struct pgtable *pt, uint64_t virt, uint64_t size)
{
	uint64_t end = virt + size;

	CHECK(is_aligned(virt | size, PAGE_SIZE));
	while (virt != end) {
		struct pt_entry entry = pgtable_look(pt, virt);
		uint64_t leaf_size = pgtable_level_size(entry.level);
		uint64_t next = align_down(virt, leaf_size) + leaf_size;

		if (entry.value) {
			CHECK(is_aligned(virt, leaf_size) &&
			      end - virt >= leaf_size);
			__atomic_store_n(entry.at, 0, __ATOMIC_RELEASE);
		}
		virt = end - virt < next - virt ? end : next;
	}
}

static void fill_leaf(const struct pgtable *pt, uint64_t virt,
		      const struct pt_entry *entry, struct pt_leaf *leaf)
{
	leaf->size = pgtable_level_size(entry->level);
	virt = align_down(virt, leaf->size);
	leaf->virt = canonical(pt, virt);
	leaf->hpa = pgtable_address(pt, entry, virt);
	leaf->entry = entry->value;
}

bool pgtable_find(const struct pgtable *pt, uint64_t virt, struct pt_leaf *leaf)
{
	struct pt_entry entry = pgtable_look(pt, virt);

	if (!is_present(pt, entry.value))
		return false;
	fill_leaf(pt, virt, &entry, leaf);
	return true;
}

/* The address behind @entry, and behind the empty entries that follow it in its
 * table. */
static uint64_t skip(uint64_t virt, const struct pt_entry *entry)
{
	uint64_t size = pgtable_level_size(entry->level);
	const uint64_t *at = entry->at;

	do {
		virt = align_down(virt, size) + size;
		at++;
	} while (!is_aligned(virt, size * PT_ENTRIES) && !load(at));
	return virt;
}

/* The first leaf at or after @virt with a bit of @mask. */
static bool next(const struct pgtable *pt, uint64_t virt, uint64_t mask,
		 struct pt_leaf *leaf)
{
	uint64_t space = BIT(level_shift(pt->levels + 1U));
	uint64_t at = virt & (space - 1);

	while (at < space) {
		struct pt_entry entry = pgtable_look(pt, at);

		if (entry.value & mask) {
			fill_leaf(pt, at, &entry, leaf);
			return true;
		}
		at = skip(at, &entry);
	}
	return false;
}

bool pgtable_next(const struct pgtable *pt, uint64_t virt, struct pt_leaf *leaf)
{
	return next(pt, virt, pt->format->present_mask, leaf);
}

bool pgtable_next_used(const struct pgtable *pt, uint64_t virt,
		       struct pt_leaf *leaf)
{
	return next(pt, virt, ~0UL, leaf);
}

/* At most one call deep a level. */
static void destroy(struct pgtable *pt, hpa_t table, unsigned int level)
{
	const uint64_t *entries = phys_to_virt(table);

	for (unsigned int i = 0; level > 1 && i < PT_ENTRIES; i++) {
		if (is_table(pt, entries[i], level))
			destroy(pt, entry_address(pt, entries[i]), level - 1);
	}
	table_free(pt, table);
}

void pgtable_destroy(struct pgtable *pt)
{
	destroy(pt, pt->root, pt->levels);
	pt->root = HPA_NONE;
}
