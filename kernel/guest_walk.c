/*
 * A walk collects what all levels allow, then judges once, then sets accessed
 * and dirty bits where they are missing. An entry that changed between is the
 * guest racing with itself: the walk begins again, a few times.
 *
 * Memory that is not there reads as ones: an entry with reserved bits.
 */
#include "kernel/guest_walk.h"

#include "kernel/cpu/x86_regs.h"
#include "kernel/exit_cpuid.h"
#include "kernel/vm.h"

#define ENTRY_PRESENT  BIT(0)
#define ENTRY_WRITE    BIT(1)
#define ENTRY_USER     BIT(2)
#define ENTRY_ACCESSED BIT(5)
#define ENTRY_DIRTY    BIT(6)
#define ENTRY_LARGE    BIT(7)
#define ENTRY_PAT_12   BIT(12) /* of a large leaf */
#define ENTRY_NX       BIT(63)
#define ENTRY_ADDRESS  BITS(51, 12)

/* SDM 3A 4.7 "Page-Fault Exceptions" */
#define FAULT_PRESENT  BIT(0)
#define FAULT_WRITE    BIT(1)
#define FAULT_USER     BIT(2)
#define FAULT_RESERVED BIT(3)
#define FAULT_FETCH    BIT(4)

#define CR4_PSE BIT(4)

#define WALK_TRIES_MAX 8

struct walk {
	struct vcpu *vcpu;
	const struct cpu_mode *mode;
	uint64_t address;
	uint64_t rights; /* WRITE, USER of all levels; PRESENT: ACCESSED of
			      all */
	bool is_execute_disabled;
	bool is_accessed;		     /* at every level */
	uint64_t reserved;		     /* bits, of every entry */
	uint8_t entry_size;		     /* 4 or 8 */
	uint8_t top, bottom;		     /* levels */
	uint64_t entries[PT_LEVELS_MAX + 1]; /* by level */
	uint64_t places[PT_LEVELS_MAX + 1];
};

static uint64_t read_entry(struct walk *w, uint64_t place)
{
	void *pointer = guest_pointer(&w->vcpu->vm->memory, (gpa_t){ place },
				      ACCESS_READ);

	if (!pointer)
		return w->entry_size == 8 ? ~0UL : UINT32_MAX;
	if (w->entry_size == 8)
		return __atomic_load_n((uint64_t *)pointer, __ATOMIC_RELAXED);
	return __atomic_load_n((uint32_t *)pointer, __ATOMIC_RELAXED);
}

/* Does @entry map a page of @level? The four entries of PAE's top level cannot;
 * 1 GiB pages need 4 levels. */
static bool is_leaf(const struct walk *w, uint64_t entry, uint8_t level)
{
	if (level == 1)
		return true;
	if (!(entry & ENTRY_LARGE))
		return false;
	if (w->entry_size == 4)
		return w->mode->cr4 & CR4_PSE;
	return level == 2 || (level == 3 && w->top > 3);
}

/* SDM 3A tables 4-4 to 4-20, the rows "Reserved (must be 0)". */
static uint64_t reserved_bits(const struct walk *w, uint64_t entry,
			      uint8_t level)
{
	if (w->entry_size == 4)
		/* bits 20:13 hold bits 39:32 of the address */
		return level == 2 && is_leaf(w, entry, 2) ? BIT(21) : 0;
	if (w->top == 3 && level == 3)
		return w->reserved | ENTRY_NX | BITS(8, 5) | BITS(2, 1);
	if (level >= 4)
		return w->reserved | ENTRY_LARGE;
	if (level == 1 || !(entry & ENTRY_LARGE))
		return w->reserved;
	return w->reserved | (BITS(12 + 9 * (level - 1U) - 1, 13));
}

static unsigned int level_shift(const struct walk *w, uint8_t level)
{
	return 12 + (w->entry_size == 8 ? 9U : 10U) * (level - 1U);
}

static uint64_t entry_place(const struct walk *w, uint64_t table, uint8_t level)
{
	uint64_t index = w->address >> level_shift(w, level);

	if (w->entry_size == 4)
		return table + (index & 1023) * 4;
	return table + (index & (w->top == 3 && level == 3 ? 3 : 511)) * 8;
}

static void start(struct walk *w, uint64_t *table)
{
	const struct cpu_mode *mode = w->mode;
	uint8_t address_bits = cpuid_address_bits(w->vcpu->vm->cpuid);

	w->reserved = ENTRY_ADDRESS & ~(BIT(address_bits) - 1);
	if (!(mode->efer & EFER_NXE))
		w->reserved |= ENTRY_NX;
	w->entry_size = mode->cr4 & CR4_PAE ? 8 : 4;
	w->rights = ENTRY_WRITE | ENTRY_USER;
	w->is_execute_disabled = false;
	w->is_accessed = true;
	*table = mode->cr3 & ENTRY_ADDRESS;
	if (mode->efer & EFER_LMA) {
		w->top = mode->cr4 & CR4_LA57 ? 5 : 4;
		return;
	}
	w->top = w->entry_size == 8 ? 3 : 2;
	*table = mode->cr3 & (w->top == 3 ? 0xffffffe0UL : 0xfffff000UL);
	if (w->top == 3) /* PAE: bits 62:52 too */
		w->reserved |= BITS(62, 52);
}

/* Down to the leaf. False: *error_code. */
static bool descend(struct walk *w, uint32_t *error_code)
{
	uint64_t table, entry;
	uint8_t level;

	start(w, &table);
	for (level = w->top;; level--) {
		w->places[level] = entry_place(w, table, level);
		entry = w->entries[level] = read_entry(w, w->places[level]);
		if (!(entry & ENTRY_PRESENT)) {
			*error_code = 0;
			return false;
		}
		if (entry & reserved_bits(w, entry, level)) {
			*error_code = FAULT_PRESENT | FAULT_RESERVED;
			return false;
		}
		table = entry & ENTRY_ADDRESS;
		/* PAE's top entries have neither rights nor accessed bits */
		if (level == 3 && w->top == 3)
			continue;
		w->rights &= entry;
		w->is_execute_disabled |= entry >> 63;
		w->is_accessed &= (entry & ENTRY_ACCESSED) != 0;
		if (is_leaf(w, entry, level))
			break;
	}
	w->bottom = level;
	return true;
}

/* SDM 3A 4.6.1 "Determination of Access Rights". */
static bool is_allowed(const struct walk *w, uint32_t access)
{
	const struct cpu_mode *mode = w->mode;
	bool is_user_page = w->rights & ENTRY_USER;

	if (access & ACCESS_EXECUTE && w->is_execute_disabled)
		return false;
	if (access & WALK_USER)
		return is_user_page &&
		       (!(access & ACCESS_WRITE) || w->rights & ENTRY_WRITE);
	if (access & ACCESS_WRITE && !(w->rights & ENTRY_WRITE) &&
	    mode->cr0 & CR0_WP)
		return false;
	if (!is_user_page)
		return true;
	if (access & ACCESS_EXECUTE)
		return !(mode->cr4 & CR4_SMEP);
	return !(mode->cr4 & CR4_SMAP) ||
	       (w->vcpu->regs.rflags & RFLAGS_AC && !(access & WALK_IMPLICIT));
}

/* False: the entry is not what it was. Tables in ROM stay as they are. */
static bool set_bits(struct walk *w, uint8_t level, uint64_t bits)
{
	uint64_t expected = w->entries[level];

	if ((expected & bits) == bits)
		return true;
	if (guest_compare_exchange(&w->vcpu->vm->memory,
				   (gpa_t){ w->places[level] }, w->entry_size,
				   &expected, expected | bits))
		return true;
	return expected == w->entries[level];
}

static bool set_accessed(struct walk *w, uint32_t access)
{
	uint64_t dirty = access & ACCESS_WRITE ? ENTRY_DIRTY : 0;

	if (w->is_accessed && (w->entries[w->bottom] & dirty) == dirty)
		return true;
	for (uint8_t level = w->top; level > w->bottom; level--) {
		if (level == 3 && w->top == 3)
			continue;
		if (!set_bits(w, level, ENTRY_ACCESSED))
			return false;
	}
	return set_bits(w, w->bottom, ENTRY_ACCESSED | dirty);
}

static uint64_t leaf_address(const struct walk *w)
{
	uint64_t entry = w->entries[w->bottom];
	uint64_t offset = BIT(level_shift(w, w->bottom)) - 1;
	uint64_t base = entry & ENTRY_ADDRESS & ~offset;

	if (w->entry_size == 4 && w->bottom == 2)
		base = (entry & 0xffc00000UL) | (entry >> 13 & 0xff) << 32;
	return base | (w->address & offset);
}

static uint32_t fault_bits(const struct cpu_mode *mode, uint32_t access)
{
	uint32_t bits = 0;

	if (access & ACCESS_WRITE)
		bits |= FAULT_WRITE;
	if (access & WALK_USER)
		bits |= FAULT_USER;
	if (access & ACCESS_EXECUTE &&
	    (mode->cr4 & CR4_SMEP ||
	     (mode->cr4 & CR4_PAE && mode->efer & EFER_NXE)))
		bits |= FAULT_FETCH;
	return bits;
}

bool guest_walk(struct vcpu *vcpu, const struct cpu_mode *mode, gva_t address,
		uint32_t access, gpa_t *gpa, uint32_t *error_code)
{
	struct walk w;

	if (!(mode->cr0 & CR0_PG)) {
		gpa->value = (uint32_t)address.value;
		return true;
	}
	w.vcpu = vcpu;
	w.mode = mode;
	w.address = address.value;
	for (unsigned int i = 0; i < WALK_TRIES_MAX; i++) {
		bool is_found = descend(&w, error_code);

		if (is_found && !is_allowed(&w, access)) {
			*error_code = FAULT_PRESENT;
			is_found = false;
		}
		if (!is_found) {
			*error_code |= fault_bits(mode, access);
			return false;
		}
		if (set_accessed(&w, access))
			break;
	}
	gpa->value = leaf_address(&w);
	return true;
}
