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
#define ENTRY_NX       BIT(63)
#define ENTRY_ADDRESS  BITS(51, 12)

/* SDM 3A 4.7 "Page-Fault Exceptions" */
#define FAULT_PRESENT  1U
#define FAULT_WRITE    2U
#define FAULT_USER     4U
#define FAULT_RESERVED 8U
#define FAULT_FETCH    16U

#define WALK_AC	       BIT(8) /* RFLAGS.AC is set: part of @access here */
#define WALK_TRIES_MAX 8

/* The three formats; constants to the compiler, which makes a loop of each. */
struct walk_format {
	uint8_t entry_size;
	uint8_t index_bits;
	bool is_pae; /* three levels: the top one is four entries without
			rights, accessed bit or page */
};

struct walk {
	struct vcpu *vcpu;
	const struct cpu_mode *mode;
	uint64_t address;
	uint64_t root;
	uint64_t all, any;   /* bits that all entries have, that one has */
	uint64_t reserved;   /* bits, of every entry */
	uint8_t top, bottom; /* levels */
	struct walk_format format;
	uint64_t entries[PT_LEVELS_MAX + 1]; /* by level */
	const void *at[PT_LEVELS_MAX + 1];   /* NULL: no memory there */
};

static inline unsigned int level_shift(const struct walk_format *format,
				       uint8_t level)
{
	return 12 + format->index_bits * (level - 1U);
}

static inline bool is_pae_top(const struct walk_format *format, uint8_t level)
{
	return format->is_pae && level == 3;
}

/* Offset in its table of the entry for the address. */
static inline uint64_t entry_offset(const struct walk *w,
				    const struct walk_format *format,
				    uint8_t level)
{
	uint64_t index = w->address >> level_shift(format, level);
	uint64_t mask =
		is_pae_top(format, level) ? 3 : BIT(format->index_bits) - 1;

	return (index & mask) * format->entry_size;
}

static inline uint64_t read_entry(struct walk *w,
				  const struct walk_format *format,
				  uint8_t level, uint64_t table)
{
	uint64_t offset = entry_offset(w, format, level);
	const void *from;

	if (is_pae_top(format, level)) {
		offset += table & (PAGE_SIZE - 1);
		table = align_down(table, PAGE_SIZE);
	}
	from = guest_window_at(&w->vcpu->emulate_cache.windows,
			       &w->vcpu->vm->memory, level, table, offset);
	w->at[level] = from;
	if (!from)
		return format->entry_size == 8 ? ~0UL : UINT32_MAX;
	if (format->entry_size == 8)
		return __atomic_load_n((const uint64_t *)from,
				       __ATOMIC_RELAXED);
	return __atomic_load_n((const uint32_t *)from, __ATOMIC_RELAXED);
}

enum entry_kind { ENTRY_TABLE, ENTRY_LEAF, ENTRY_BAD };

/* An entry above level 1 whose bit 7 is set. SDM 3A tables 4-4 to 4-20, the rows
 * "Reserved (must be 0)". */
static enum entry_kind large_kind(const struct walk *w,
				  const struct walk_format *format,
				  uint64_t entry, uint8_t level)
{
	uint64_t reserved;

	if (format->entry_size == 4) {
		if (!(w->mode->cr4 & CR4_PSE))
			return ENTRY_TABLE;
		/* bits 20:13 hold bits 39:32 of the address */
		reserved = BIT(21);
	} else {
		if (level >= 4)
			return ENTRY_BAD;
		reserved = BITS(12 + 9 * (level - 1U) - 1, 13);
	}
	return entry & reserved ? ENTRY_BAD : ENTRY_LEAF;
}

static inline enum entry_kind kind_of(const struct walk *w,
				      const struct walk_format *format,
				      uint64_t entry, uint8_t level)
{
	if (entry & w->reserved)
		return ENTRY_BAD;
	if (is_pae_top(format, level) &&
	    entry & (ENTRY_NX | BITS(8, 5) | BITS(2, 1)))
		return ENTRY_BAD;
	if (level == 1)
		return ENTRY_LEAF;
	if (entry & ENTRY_LARGE)
		return large_kind(w, format, entry, level);
	return ENTRY_TABLE;
}

/* Down to the leaf. False: *error_code. */
static inline __attribute__((always_inline)) bool descend(
	struct walk *w, const struct walk_format format, uint32_t *error_code)
{
	uint64_t all = ~0UL, any = 0;
	uint64_t table = w->root;
	enum entry_kind kind;
	uint64_t entry;
	uint8_t level;

	for (level = w->top;; level--) {
		entry = w->entries[level] =
			read_entry(w, &format, level, table);
		if (!(entry & ENTRY_PRESENT)) {
			*error_code = 0;
			return false;
		}
		kind = kind_of(w, &format, entry, level);
		if (kind == ENTRY_BAD) {
			*error_code = FAULT_PRESENT | FAULT_RESERVED;
			return false;
		}
		table = entry & ENTRY_ADDRESS;
		if (!is_pae_top(&format, level)) {
			all &= entry;
			any |= entry;
		}
		if (kind == ENTRY_LEAF)
			break;
	}
	w->bottom = level;
	w->all = all;
	w->any = any;
	return true;
}

static const struct walk_format long_mode = { 8, 9, false };
static const struct walk_format pae = { 8, 9, true };
static const struct walk_format two_levels = { 4, 10, false };

static void start(struct walk *w)
{
	const struct cpu_mode *mode = w->mode;
	uint8_t address_bits = cpuid_address_bits(w->vcpu->vm->cpuid);

	w->reserved = ENTRY_ADDRESS & ~(BIT(address_bits) - 1);
	if (!(mode->efer & EFER_NXE))
		w->reserved |= ENTRY_NX;
	if (mode->efer & EFER_LMA) {
		w->format = long_mode;
		w->top = mode->cr4 & CR4_LA57 ? 5 : 4;
		w->root = mode->cr3 & ENTRY_ADDRESS;
	} else if (mode->cr4 & CR4_PAE) {
		w->format = pae;
		w->top = 3;
		w->root = mode->cr3 & BITS(31, 5);
		w->reserved |= BITS(62, 52);
	} else {
		w->format = two_levels;
		w->top = 2;
		w->root = mode->cr3 & BITS(31, 12);
		w->reserved = 0;
	}
}

static bool find_leaf(struct walk *w, uint32_t *error_code)
{
	if (w->top > 3)
		return descend(w, long_mode, error_code);
	if (w->top == 3)
		return descend(w, pae, error_code);
	return descend(w, two_levels, error_code);
}

/* SDM 3A 4.6.1 "Determination of Access Rights". */
static bool is_allowed(const struct walk *w, uint32_t access,
		       uint32_t *error_code)
{
	const struct cpu_mode *mode = w->mode;
	bool is_user_page = w->all & ENTRY_USER;

	*error_code = FAULT_PRESENT; /* if not */
	if (access & ACCESS_EXECUTE && w->any & ENTRY_NX)
		return false;
	if (access & WALK_USER)
		return is_user_page &&
		       (!(access & ACCESS_WRITE) || w->all & ENTRY_WRITE);
	if (access & ACCESS_WRITE && !(w->all & ENTRY_WRITE) &&
	    mode->cr0 & CR0_WP)
		return false;
	if (!is_user_page)
		return true;
	if (access & ACCESS_EXECUTE)
		return !(mode->cr4 & CR4_SMEP);
	return !(mode->cr4 & CR4_SMAP) ||
	       (access & WALK_AC && !(access & WALK_IMPLICIT));
}

/* False: the entry is not what it was. Tables in ROM stay as they are. */
static bool set_bits(struct walk *w, uint8_t level, uint64_t bits)
{
	uint64_t expected = w->entries[level];
	gpa_t gpa = { level == w->top ? w->root
				      : w->entries[level + 1] & ENTRY_ADDRESS };

	if ((expected & bits) == bits)
		return true;
	gpa.value += entry_offset(w, &w->format, level);
	if (guest_compare_exchange(&w->vcpu->vm->memory, gpa,
				   w->format.entry_size, &expected,
				   expected | bits))
		return true;
	return expected == w->entries[level];
}

/* Are all accessed and dirty bits there? */
static bool has_bits(const struct walk *w, uint32_t access)
{
	uint64_t dirty = access & ACCESS_WRITE ? ENTRY_DIRTY : 0;

	return w->all & ENTRY_ACCESSED &&
	       (w->entries[w->bottom] & dirty) == dirty;
}

static bool set_accessed(struct walk *w, uint32_t access)
{
	uint64_t dirty = access & ACCESS_WRITE ? ENTRY_DIRTY : 0;

	for (uint8_t level = w->top; level > w->bottom; level--) {
		if (is_pae_top(&w->format, level))
			continue;
		if (!set_bits(w, level, ENTRY_ACCESSED))
			return false;
	}
	return set_bits(w, w->bottom, ENTRY_ACCESSED | dirty);
}

static uint64_t leaf_address(const struct walk *w)
{
	uint64_t entry = w->entries[w->bottom];
	uint64_t offset = BIT(level_shift(&w->format, w->bottom)) - 1;
	uint64_t base = entry & ENTRY_ADDRESS & ~offset;

	if (w->bottom == 2 && w->format.entry_size == 4)
		base = (entry & 0xffc00000UL) | (entry >> 13 & 0xff) << 32;
	return base | (w->address & offset);
}

static uint32_t fault_bits(const struct cpu_mode *mode, uint32_t access)
{
	bool tells_fetch = mode->cr4 & CR4_SMEP ||
			   (mode->cr4 & CR4_PAE && mode->efer & EFER_NXE);

	return (access & ACCESS_WRITE ? FAULT_WRITE : 0U) |
	       (access & WALK_USER ? FAULT_USER : 0U) |
	       (access & ACCESS_EXECUTE && tells_fetch ? FAULT_FETCH : 0U);
}

/* The place for walks like this one: of several processes, to several pages. */
static inline struct guest_walked *walked_of(struct vcpu *vcpu, uint64_t cr3,
					     uint64_t address, uint32_t access)
{
	uint64_t mix = (cr3 ^ address) >> PAGE_SHIFT;

	return &vcpu->emulate_cache.windows
			.walked[(mix ^ mix >> 3 ^ access) % GUEST_WALKED];
}

/* Does what was noted still say where @address is? */
static inline bool recall(const struct guest_walked *walked,
			  const struct cpu_mode *mode, uint64_t address,
			  uint32_t access, gpa_t *gpa)
{
	uint64_t offset = address & (PAGE_SIZE - 1);

	if (walked->page != (address - offset) + 1 ||
	    walked->cr3 != mode->cr3 || walked->access != access ||
	    walked->cr4 != mode->cr4 || walked->cr0 != mode->cr0 ||
	    walked->efer != mode->efer)
		return false;
	for (uint32_t i = 0; i < walked->count; i++) {
		if (__atomic_load_n(walked->at[i], __ATOMIC_RELAXED) !=
		    walked->entries[i])
			return false;
	}
	gpa->value = walked->gpa + offset;
	return true;
}

/* Only a walk that had no bits to set: if the guest takes one back, the entries
 * would be those of before, and the bit would not be set again. */
static void note(const struct walk *w, uint32_t access, uint64_t gpa)
{
	struct guest_walked *walked =
		walked_of(w->vcpu, w->mode->cr3, w->address, access);
	uint32_t count = 0;

	walked->page = 0;
	if (w->format.entry_size != 8)
		return;
	for (uint8_t level = w->top; level >= w->bottom; level--) {
		if (!w->at[level])
			return;
		walked->at[count] = w->at[level];
		walked->entries[count++] = w->entries[level];
	}
	walked->page = align_down(w->address, PAGE_SIZE) + 1;
	walked->cr0 = w->mode->cr0;
	walked->cr3 = w->mode->cr3;
	walked->cr4 = w->mode->cr4;
	walked->efer = w->mode->efer;
	walked->access = access;
	walked->count = count;
	walked->gpa = align_down(gpa, PAGE_SIZE);
}

/* Noinline: what recall answers needs no stack frame of this size. */
static __attribute__((noinline)) bool walk(struct vcpu *vcpu,
					   const struct cpu_mode *mode,
					   uint64_t address, uint32_t access,
					   gpa_t *gpa, uint32_t *error_code)
{
	struct walk w;

	w.vcpu = vcpu;
	w.mode = mode;
	w.address = address;
	start(&w);
	for (unsigned int i = 0; i < WALK_TRIES_MAX; i++) {
		if (!find_leaf(&w, error_code) ||
		    !is_allowed(&w, access, error_code)) {
			*error_code |= fault_bits(mode, access);
			return false;
		}
		if (has_bits(&w, access)) {
			note(&w, access, leaf_address(&w));
			break;
		}
		if (set_accessed(&w, access))
			break;
	}
	gpa->value = leaf_address(&w);
	return true;
}

bool guest_walk(struct vcpu *vcpu, const struct cpu_mode *mode, gva_t address,
		uint32_t access, gpa_t *gpa, uint32_t *error_code)
{
	guest_window_refresh(&vcpu->emulate_cache.windows, &vcpu->vm->memory);
	if (!(mode->cr0 & CR0_PG)) {
		gpa->value = (uint32_t)address.value;
		return true;
	}
	if (vcpu->regs.rflags & RFLAGS_AC)
		access |= WALK_AC;
	if (recall(walked_of(vcpu, mode->cr3, address.value, access), mode,
		   address.value, access, gpa))
		return true;
	return walk(vcpu, mode, address.value, access, gpa, error_code);
}
