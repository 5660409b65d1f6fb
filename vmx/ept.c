/* The second-level page tables of Intel's EPT: SDM 3C 29.3.2 "EPT Translation
 * Mechanism", the tables of entry formats there. */
#include "vmx/ept.h"

#define EPT_READ    BIT(0)
#define EPT_WRITE   BIT(1)
#define EPT_EXECUTE BIT(2)
#define EPT_WRITE_BACK \
	FIELD_PUT(BITS(5, 3), 6) /* without bit 6: the guest's
						   PAT counts too */
#define EPT_LARGE    BIT(7)
#define EPT_ACCESSED BIT(8)
#define EPT_DIRTY    BIT(9)

#define EPT_TABLE (EPT_READ | EPT_WRITE | EPT_EXECUTE | EPT_ACCESSED)
/* Accessed and dirty are preset: the CPU then never writes to a table, whether
 * EPTP turns these flags on or not. */
#define EPT_LEAF (EPT_READ | EPT_WRITE_BACK | EPT_ACCESSED | EPT_DIRTY)

const struct pt_format pt_format_ept = {
	.present_mask = EPT_READ | EPT_WRITE | EPT_EXECUTE,
	.address_mask = BITS(51, 12),
	.table_bits = EPT_TABLE,
	.large_bit = EPT_LARGE,
	.leaf_bits = {
		[PT_READ] = EPT_LEAF,
		[PT_WRITE] = EPT_LEAF | EPT_WRITE,
		[PT_EXECUTE] = EPT_LEAF | EPT_EXECUTE,
		[PT_WRITE | PT_EXECUTE] = EPT_LEAF | EPT_WRITE | EPT_EXECUTE,
	},
};
