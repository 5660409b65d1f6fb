/*
 * One radix walker for every kind of page table: 512 entries of 8 bytes a
 * table, 9 address bits a level. [pure]
 *
 * What differs between the kinds is data: struct pt_format. Level 1 maps 4 KiB,
 * level 2 2 MiB, level 3 1 GiB. No locking here: the owner of a struct pgtable
 * serialises changes, and flushes TLBs after taking anything away.
 */
#ifndef MM_PGTABLE_H
#define MM_PGTABLE_H

#include "mm/addr.h"

#define PT_ENTRIES    512
#define PT_LEVELS_MAX 5

/* Permission and memory type of a leaf. */
#define PT_READ		   0U
#define PT_WRITE	   BIT(0)
#define PT_EXECUTE	   BIT(1)
#define PT_WRITE_BACK	   0U
#define PT_WRITE_COMBINING BIT(2)
#define PT_UNCACHED	   BIT(3)
#define PT_FLAGS_COUNT	   16

/* Bits of an entry, per kind of table. */
struct pt_format {
	uint64_t present_mask; /* any of these: the entry is in use */
	uint64_t address_mask; /* machine address, of a table or a leaf */
	uint64_t table_bits;   /* of an entry that leads to a table */
	uint64_t large_bit;    /* of a leaf above level 1 */
	uint64_t leaf_bits[PT_FLAGS_COUNT]; /* of a leaf, by flags; 0: not
					       available */
};

struct pgtable {
	const struct pt_format *format;
	hpa_t root;
	uint8_t levels;		/* of the root: 4 or 5 */
	uint8_t leaf_level_max; /* 1, 2 or 3 */
};

/* A mapping as found: [virt, virt + size) -> hpa. */
struct pt_leaf {
	uint64_t virt;
	uint64_t size;
	hpa_t hpa;
	uint64_t entry;
};

/* The hypervisor's own format (SDM 3A 4.5 "4-Level Paging and 5-Level Paging").
 */
extern const struct pt_format pt_format_host;

/* A zeroed frame for a table of @pt, or HPA_NONE. Supplied by the owner of the
 * tables (host_space.c). */
hpa_t pgtable_page_alloc(const struct pgtable *pt);

/* An empty tree. -ENOMEM. */
int pgtable_init(struct pgtable *pt, const struct pt_format *format,
		 uint8_t levels, uint8_t leaf_level_max);

/*
 * Map [virt, virt + size) to @hpa on, all multiples of 4 KiB, in the largest
 * leaves that fit. -EEXIST: something in the range is mapped; what was mapped
 * before it in this call stays. -ENOMEM likewise.
 */
int pgtable_map(struct pgtable *pt, uint64_t virt, hpa_t hpa, uint64_t size,
		uint32_t flags);

/*
 * Take away whatever is mapped in the range; its ends must not cut a leaf
 * (checked). Tables stay, for the next mapping.
 */
void pgtable_unmap(struct pgtable *pt, uint64_t virt, uint64_t size);

/* The leaf that maps @virt. False: none. */
bool pgtable_find(const struct pgtable *pt, uint64_t virt,
		  struct pt_leaf *leaf);

/* The first leaf at or after @virt, in the order of addresses as the CPU sees
 * them. False: no more. */
bool pgtable_next(const struct pgtable *pt, uint64_t virt,
		  struct pt_leaf *leaf);

#endif
