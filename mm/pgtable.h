/*
 * One radix walker for every kind of page table: 512 entries of 8 bytes a
 * table, 9 address bits a level. [pure]
 *
 * What differs between the kinds is data: struct pt_format. Level 1 maps 4 KiB,
 * level 2 2 MiB, level 3 1 GiB. No locking here: the owner of a struct pgtable
 * serialises changes, and flushes TLBs after taking anything away. Looking needs
 * no lock: an entry changes in one step, a table is complete before the way to
 * it is there, and tables stay until pgtable_destroy.
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

/*
 * Bits of an entry that are the owner's: every kind of CPU ignores them in every
 * kind of entry. In an entry that is not present, it ignores all others too.
 */
#define PT_SOFT_FOREIGN BIT(52) /* the memory is not freed with it */
#define PT_SOFT_HIDDEN	BIT(53) /* a leaf, less its present bits */
#define PT_SOFT_SPLIT \
	BITS(55, 54) /* level it had when it was mapped, if a
					larger one than now; kept here */

/* Bits of an entry, per kind of table. */
struct pt_format {
	bool is_signed;	       /* addresses repeat their highest bit */
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
	uint32_t node;	 /* (set by the owner) tables come from here first */
	uint64_t tables; /* how many there are */
};

/* The entry that decides about an address: a leaf, or a hole. */
struct pt_entry {
	uint64_t *at;
	uint64_t value; /* when it was read */
	unsigned int level;
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

static inline uint64_t pgtable_level_size(unsigned int level)
{
	return BIT(PAGE_SHIFT + 9 * (level - 1));
}

/* A zeroed frame for a table of @pt, or HPA_NONE; and back. Supplied by
 * host_space.c, which gives its own table frames from a stock. */
hpa_t pgtable_page_alloc(const struct pgtable *pt);
void pgtable_page_free(const struct pgtable *pt, hpa_t page);

/* An empty tree; pt->node is set. -ENOMEM. */
int pgtable_init(struct pgtable *pt, const struct pt_format *format,
		 uint8_t levels, uint8_t leaf_level_max);

/*
 * Map [virt, virt + size) to @hpa on, all multiples of 4 KiB, in the largest
 * leaves that fit. -EEXIST: something in the range is mapped; what was mapped
 * before it in this call stays. -ENOMEM likewise.
 */
int pgtable_map(struct pgtable *pt, uint64_t virt, hpa_t hpa, uint64_t size,
		uint32_t flags);

/* The same; the leaves get the bits @soft (PT_SOFT_*) too. */
int pgtable_map_soft(struct pgtable *pt, uint64_t virt, hpa_t hpa,
		     uint64_t size, uint32_t flags, uint64_t soft);

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

/* The same, hidden leaves too. */
bool pgtable_next_used(const struct pgtable *pt, uint64_t virt,
		       struct pt_leaf *leaf);

/* The entry that decides about @virt now. */
struct pt_entry pgtable_look(const struct pgtable *pt, uint64_t virt);

/* The machine address of @virt, by its leaf @entry, present or hidden. */
hpa_t pgtable_address(const struct pgtable *pt, const struct pt_entry *entry,
		      uint64_t virt);

/* What an entry of @level holds that maps @hpa. */
uint64_t pgtable_leaf(const struct pgtable *pt, unsigned int level, hpa_t hpa,
		      uint32_t flags);

/*
 * Let an entry of @level, at most that of @entry, decide about @virt: a larger
 * hole or leaf gives way to a table that means the same. *entry is the new one.
 * -EAGAIN: it is no longer as *entry says; look again. -ENOMEM.
 */
int pgtable_split(struct pgtable *pt, struct pt_entry *entry, uint64_t virt,
		  unsigned int level);

/* The same, and it is @value from now on. After an error what is mapped is what
 * was, but may have been split. */
int pgtable_replace(struct pgtable *pt, struct pt_entry *entry, uint64_t virt,
		    unsigned int level, uint64_t value);

/* Free all tables. Nobody looks any more. */
void pgtable_destroy(struct pgtable *pt);

#endif
