#include "kernel/loader_start.h"

#include "kernel/cpu/x86_regs.h"

/* SDM 3A 3.4.5.1 "Code- and Data-Segment Descriptor Types", accessed. */
#define TYPE_DATA 3
#define TYPE_CODE 11
/* SDM 3A 3.5 "System Descriptor Types": VM entry takes no other. */
#define TYPE_TSS_BUSY 11

#define FLAT (SEGMENT_S | SEGMENT_P | SEGMENT_G)

#define RFLAGS_RESERVED BIT(1)
#define DR6_RESET	0xffff0ff0UL /* SDM 3A table 9-1 */
#define DR7_RESET	0x400UL

static struct segment make_flat(uint16_t selector, uint64_t attributes)
{
	return (struct segment){
		.selector = selector,
		.attributes = (uint16_t)(FLAT | attributes),
		.limit = UINT32_MAX,
	};
}

static void set_common(struct loader_start *start, uint64_t code_size)
{
	struct segment *segments = start->state.segments;

	for (int i = SEGMENT_ES; i <= SEGMENT_GS; i++)
		segments[i] = make_flat(LOADER_DS, TYPE_DATA | SEGMENT_DB);
	segments[SEGMENT_CS] = make_flat(LOADER_CS, TYPE_CODE | code_size);
	/* base 0, limit 0x67: as PVH's contract has it, and good for the rest */
	segments[SEGMENT_TR] = (struct segment){
		.attributes = TYPE_TSS_BUSY | SEGMENT_P,
		.limit = 0x67,
	};
	start->regs.rflags = RFLAGS_RESERVED;
	start->state.cr0 = CR0_PE | CR0_ET;
	start->state.dr6 = DR6_RESET;
	start->state.dr7 = DR7_RESET;
}

void loader_start_long_mode(struct loader_start *start, uint64_t entry,
			    gpa_t gdt, gpa_t cr3)
{
	set_common(start, SEGMENT_L);
	start->regs.rip = entry;
	start->state.gdtr.base = gdt.value;
	start->state.gdtr.limit = LOADER_GDT_ENTRIES * sizeof(uint64_t) - 1;
	start->state.cr0 |= CR0_PG;
	start->state.cr3 = cr3.value;
	start->state.cr4 = CR4_PAE;
	start->state.efer = EFER_LME | EFER_LMA;
}

/* SDM 3A figure 3-8 "Segment Descriptor"; base 0, limit 4 GiB. */
static uint64_t make_descriptor(uint64_t attributes)
{
	return 0x000f00000000ffffUL | (FLAT | attributes) >> 8 << 52 |
	       ((FLAT | attributes) & 0xff) << 40;
}

void loader_start_gdt(uint64_t gdt[LOADER_GDT_ENTRIES])
{
	gdt[0] = 0;
	gdt[1] = 0;
	gdt[LOADER_CS / 8] = make_descriptor(TYPE_CODE | SEGMENT_L);
	gdt[LOADER_DS / 8] = make_descriptor(TYPE_DATA | SEGMENT_DB);
}

void loader_start_flat32(struct loader_start *start, uint32_t entry)
{
	set_common(start, SEGMENT_DB);
	start->regs.rip = entry;
}
