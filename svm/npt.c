/*
 * The second-level page tables of AMD's nested paging: those of long mode (APM 2
 * 5.3 "Long-Mode Page Translation"), walked as user accesses at every level (APM
 * 2 15.25 "Nested Paging"), so U/S is set everywhere.
 */
#include "svm/npt.h"

#define NPTE_PRESENT  BIT(0)
#define NPTE_WRITE    BIT(1)
#define NPTE_USER     BIT(2)
#define NPTE_ACCESSED BIT(5)
#define NPTE_DIRTY    BIT(6)
#define NPTE_LARGE    BIT(7)
#define NPTE_NX	      BIT(63)

#define NPT_TABLE (NPTE_PRESENT | NPTE_WRITE | NPTE_USER | NPTE_ACCESSED)
/* Accessed and dirty are preset: the CPU then never writes to a table. Memory
 * type: PAT entry 0, write-back. */
#define NPT_LEAF (NPTE_PRESENT | NPTE_USER | NPTE_ACCESSED | NPTE_DIRTY)

const struct pt_format pt_format_npt = {
	.present_mask = NPTE_PRESENT,
	.address_mask = BITS(51, 12),
	.table_bits = NPT_TABLE,
	.large_bit = NPTE_LARGE,
	.leaf_bits = {
		[PT_READ] = NPT_LEAF | NPTE_NX,
		[PT_WRITE] = NPT_LEAF | NPTE_NX | NPTE_WRITE,
		[PT_EXECUTE] = NPT_LEAF,
		[PT_WRITE | PT_EXECUTE] = NPT_LEAF | NPTE_WRITE,
	},
};
