/* Segment and offset to linear address: SDM 3A chapter 5 "Protection", 5.3 "Limit
 * Checking", 5.4 "Type Checking"; SDM 1 3.3.7.1 "Canonical Addressing". */
#include "kernel/cpu/x86_regs.h"
#include "kernel/emulate_context.h"
#include "kernel/lib/bits.h"

#define TYPE_CODE	 BIT(3)
#define TYPE_EXPAND_DOWN BIT(2) /* of data */
#define TYPE_READ_WRITE	 BIT(1) /* writable data, readable code */

void emulate_raise_segment(struct emulation *em, uint8_t segment)
{
	event_raise_error(em->vcpu,
			  segment == SEGMENT_SS ? VECTOR_SS : VECTOR_GP, 0);
}

static bool is_canonical(const struct emulation *em, uint64_t address)
{
	unsigned int shift = em->mode.cr4 & CR4_LA57 ? 64 - 57 : 64 - 48;

	return (uint64_t)((int64_t)(address << shift) >> shift) == address;
}

/* 64-bit code: the base of FS or GS, and canonical from end to end. */
static bool linear_64(struct emulation *em, uint8_t segment, uint64_t offset,
		      unsigned int size, uint64_t *linear)
{
	struct segment found;

	if (segment == SEGMENT_FS || segment == SEGMENT_GS) {
		vcpu_ops->read_segment(em->vcpu, segment, &found);
		offset += found.base;
	}
	*linear = offset;
	if (is_canonical(em, offset) && is_canonical(em, offset + size - 1))
		return true;
	emulate_raise_segment(em, segment);
	return false;
}

/* Real and virtual-8086 mode do not look at the type. */
static bool has_type(const struct emulation *em, const struct segment *segment,
		     uint32_t access)
{
	uint16_t type = segment->attributes;

	if (!(em->mode.cr0 & CR0_PE) || em->vcpu->regs.rflags & RFLAGS_VM)
		return true;
	if (!(type & SEGMENT_P) || !(type & SEGMENT_S))
		return false;
	if (type & TYPE_CODE)
		return !(access & ACCESS_WRITE) && type & TYPE_READ_WRITE;
	return !(access & ACCESS_WRITE) || type & TYPE_READ_WRITE;
}

bool emulate_is_within(const struct segment *segment, uint64_t offset,
		       unsigned int size)
{
	uint64_t last = offset + size - 1;

	if ((segment->attributes & (TYPE_CODE | TYPE_EXPAND_DOWN)) ==
	    TYPE_EXPAND_DOWN)
		return offset > segment->limit &&
		       last <= (segment->attributes & SEGMENT_DB ? UINT32_MAX
								 : UINT16_MAX);
	return last <= segment->limit;
}

bool emulate_linear(struct emulation *em, uint8_t segment, uint64_t offset,
		    unsigned int size, uint32_t access, uint64_t *linear)
{
	struct segment found;

	if (em->mode.code_size == 8)
		return linear_64(em, segment, offset, size, linear);
	vcpu_ops->read_segment(em->vcpu, segment, &found);
	if (!has_type(em, &found, access) ||
	    !emulate_is_within(&found, offset, size)) {
		emulate_raise_segment(em, segment);
		return false;
	}
	*linear = (uint32_t)(found.base + offset);
	return true;
}

unsigned int emulate_code(struct emulation *em, unsigned int wanted,
			  uint64_t *linear)
{
	uint64_t rip = em->vcpu->regs.rip;
	struct segment cs;

	*linear = rip;
	if (em->mode.code_size == 8)
		return wanted;
	vcpu_ops->read_segment(em->vcpu, SEGMENT_CS, &cs);
	rip = (uint32_t)rip;
	*linear = (uint32_t)(cs.base + rip);
	if (rip > cs.limit)
		return 0;
	return (unsigned int)min_u64(wanted, cs.limit - rip + 1);
}

bool emulate_check_target(struct emulation *em, uint64_t rip)
{
	struct segment cs;
	bool is_good;

	if (em->mode.code_size == 8) {
		is_good = is_canonical(em, rip);
	} else {
		vcpu_ops->read_segment(em->vcpu, SEGMENT_CS, &cs);
		is_good = rip <= cs.limit;
	}
	if (!is_good)
		emulate_raise_segment(em, SEGMENT_CS);
	return is_good;
}
