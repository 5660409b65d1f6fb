/* A current VMCS that breaks no rule, in each mode of a guest; and which rules
 * have been seen broken. Included after cmocka.h. */
#ifndef VMX_CHECK_VMCS_H
#define VMX_CHECK_VMCS_H

#include <string.h>

#include "vmx/vmx_check_rules.h"

enum mode { LONG, PROTECTED, PAE, RESTRICTED, REAL, VM86, MODE_COUNT };

#define LIN  48
#define PHYS 46
#define PDG  (CR0_PE | CR0_PG)
#define PROC (VMCS_PROC_SECONDARY | VMCS_PROC_TPR_SHADOW | VMCS_PROC_MSR_BITMAP)
#define LOAD \
	(VMCS_ENTRY_LOAD_DEBUG | VMCS_ENTRY_LOAD_PAT | VMCS_ENTRY_LOAD_EFER)
#define HOST (VMCS_EXIT_HOST_64 | VMCS_EXIT_LOAD_PAT | VMCS_EXIT_LOAD_EFER)
#define DPL3 SEGMENT_DPL
#define PATS 0x0007040600070406

#define CS_SELECTOR   0x0802
#define SS_SELECTOR   0x0804
#define ES_SELECTOR   VMCS_GUEST_ES_SELECTOR
#define LDTR_SELECTOR 0x080c
#define TR_SELECTOR   VMCS_GUEST_TR_SELECTOR
#define ES_LIMIT      VMCS_GUEST_ES_LIMIT
#define ES_RIGHTS     VMCS_GUEST_ES_RIGHTS
#define ES_BASE	      VMCS_GUEST_ES_BASE
#define CS_BASE	      0x6808
#define SS_BASE	      0x680a
#define DS_BASE	      0x680c
#define DS_SELECTOR   0x0806
#define DS_LIMIT      0x4806
#define DS_RIGHTS     0x481a
#define TR_LIMIT      0x480e
#define LDTR_LIMIT    0x480c
#define TR_RIGHTS     0x4822
#define LDTR_RIGHTS   0x4820
#define CS_RIGHTS     VMCS_GUEST_CS_RIGHTS
#define SS_RIGHTS     VMCS_GUEST_SS_RIGHTS
#define ACTIVITY      VMCS_GUEST_ACTIVITY
#define BLOCKING      VMCS_GUEST_INTERRUPTIBILITY
#define PENDING	      VMCS_GUEST_PENDING_DEBUG
#define EVENT	      VMCS_ENTRY_EVENT

/* Events to inject */
#define INTERRUPT  0x80000020
#define NMI	   0x80000202
#define PAGE_FAULT 0x80000b0e
#define SOFT	   0x80000603

static struct vmx_check_limits limits;

/* Bits that turn a sound state into another: a field, its bits, and so on; what
 * is left out flips no bit of VPID. */
struct row {
	enum mode mode;
	const char *text;
	uint64_t flips[8];
};

static inline void flip(uint64_t field, uint64_t bits)
{
	fake_vmcs[field] ^= bits;
}

static inline void set_segment(uint32_t name, uint64_t selector, uint64_t limit,
			       uint64_t rights)
{
	fake_vmcs[VMCS_GUEST_ES_SELECTOR + name * 2] = selector;
	fake_vmcs[VMCS_GUEST_ES_BASE + name * 2] = 0;
	fake_vmcs[VMCS_GUEST_ES_LIMIT + name * 2] = limit;
	fake_vmcs[VMCS_GUEST_ES_RIGHTS + name * 2] = rights;
}

static inline void set_segments(uint64_t limit, uint64_t code, uint64_t data)
{
	for (uint32_t name = SEGMENT_ES; name <= SEGMENT_GS; name++)
		set_segment(name, 0x10, limit, data);
	fake_vmcs[CS_RIGHTS] = code;
	set_segment(SEGMENT_TR, 0x20, 0x67, 0x8b);
	set_segment(SEGMENT_LDTR, 0x28, 0xffff, 0x82);
}

static inline void set_mode(enum mode mode)
{
	bool is_long = mode == LONG;

	fake_vmcs[VMCS_GUEST_CR0] =
		CR0_NE | CR0_ET | CR0_WP | (mode == REAL ? 0 : PDG);
	fake_vmcs[VMCS_GUEST_CR4] =
		CR4_VMXE | (is_long || mode == PAE ? CR4_PAE : 0);
	fake_vmcs[VMCS_GUEST_EFER] =
		EFER_SCE | (is_long ? EFER_LMA | EFER_LME : 0);
	fake_vmcs[VMCS_ENTRY_CONTROLS] =
		LOAD | (is_long ? VMCS_ENTRY_GUEST_64 : 0);
	fake_vmcs[VMCS_GUEST_RFLAGS] =
		RFLAGS_FIXED | (mode == VM86 ? RFLAGS_VM : 0);
	if (mode == RESTRICTED)
		flip(VMCS_PROC2_CONTROLS, VMCS_PROC2_UNRESTRICTED);
	if (mode == REAL)
		set_segments(0xffff, 0x93, 0x93);
	else if (mode == VM86)
		set_segments(0xffff, 0xf3, 0xf3);
	else
		set_segments(0xffffffff, is_long ? 0xa09b : 0xc09b, 0xc093);
	for (uint32_t name = 0; mode == VM86 && name <= SEGMENT_GS; name++)
		fake_vmcs[VMCS_GUEST_ES_BASE + name * 2] = 0x100;
}

static inline void set_controls(void)
{
	fake_vmcs[VMCS_PIN_CONTROLS] = VMCS_PIN_NMI | VMCS_PIN_VIRTUAL_NMI;
	fake_vmcs[VMCS_PROC_CONTROLS] = PROC;
	fake_vmcs[VMCS_PROC2_CONTROLS] =
		VMCS_PROC2_EPT | VMCS_PROC2_UNRESTRICTED;
	fake_vmcs[VMCS_EXIT_CONTROLS] = HOST;
	fake_vmcs[VMCS_EPTP] = 0x1000 | 3 << 3 | 6;
	fake_vmcs[VMCS_MSR_BITMAP] = 0x2000;
	fake_vmcs[VMCS_VIRTUAL_APIC_PAGE] = 0x3000;
}

static inline void set_host(void)
{
	for (uint32_t field = VMCS_HOST_ES_SELECTOR;
	     field <= VMCS_HOST_TR_SELECTOR; field += 2)
		fake_vmcs[field] = 0x18;
	fake_vmcs[VMCS_HOST_CR0] = PDG | CR0_NE | CR0_WP;
	fake_vmcs[VMCS_HOST_CR4] = CR4_VMXE | CR4_PAE;
	fake_vmcs[VMCS_HOST_PAT] = PATS;
	fake_vmcs[VMCS_HOST_EFER] = EFER_LMA | EFER_LME;
	fake_vmcs[VMCS_HOST_RIP] = 0xffffffff80000000;
}

static inline void make_sound(enum mode mode)
{
	memset(fake_vmcs, 0, sizeof(fake_vmcs));
	limits = (struct vmx_check_limits){
		.physical_width = PHYS,
		.linear_width = LIN,
		.cr0_fixed0 = PDG | CR0_NE,
		.cr0_fixed1 = 0xffffffff,
		.cr4_fixed0 = CR4_VMXE,
		.cr4_fixed1 = 0xfff7ff,
		.misc = BITS(8, 6),
	};
	set_controls();
	set_host();
	set_mode(mode);
	fake_vmcs[VMCS_GUEST_PAT] = PATS;
	fake_vmcs[VMCS_GUEST_GDTR_LIMIT] = 0xffff;
	fake_vmcs[VMCS_LINK_POINTER] = ~0UL;
	for (uint32_t i = 0; mode == PAE && i < 4; i++)
		fake_vmcs[VMCS_GUEST_PDPTE0 + i * 2] = 0x4001;
}

static inline void make_row(const struct row *row)
{
	make_sound(row->mode);
	for (size_t i = 0; i < ARRAY_SIZE(row->flips); i += 2)
		flip(row->flips[i], row->flips[i + 1]);
}

static const char *seen[1024];
static size_t seen_count;

static inline void expect(const char *found, const char *text)
{
	if (!found || strcmp(found, text))
		fail_msg("found \"%s\" for \"%s\"", found ? found : "", text);
	assert_true(seen_count < ARRAY_SIZE(seen));
	seen[seen_count++] = found;
}

static inline void expect_sound(void)
{
	const char *found = vmx_check_guest_state(&limits);

	if (!found)
		found = vmx_check_controls(&limits);
	if (found)
		fail_msg("found \"%s\" in a sound state", found);
}

static inline void break_guest(const struct row *row)
{
	make_row(row);
	expect(vmx_check_guest_state(&limits), row->text);
}

/* The first flip's bits break the rule each by itself, and no other bit of the
 * field does. The other flips are made too. */
static inline void break_bits(
	const struct row *row,
	const char *(*check)(const struct vmx_check_limits *limits))
{
	for (unsigned int bit = 0; bit < 64; bit++) {
		const char *found;

		make_row(row);
		flip(row->flips[0], row->flips[1] ^ BIT(bit));
		found = check(&limits);
		if (row->flips[1] & BIT(bit))
			expect(found, row->text);
		else if (found && !strcmp(found, row->text))
			fail_msg("bit %u: %s", bit, found);
	}
}

/* Every rule of @table must have been seen. */
static inline void expect_seen(const struct vmx_check_table *table)
{
	for (size_t at = 0; at < table->count; at++) {
		size_t i = 0;

		while (i < seen_count && seen[i] != table->rules[at].text)
			i++;
		if (i == seen_count)
			fail_msg("not seen: %s", table->rules[at].text);
	}
}

#endif
