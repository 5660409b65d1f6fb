/* Linear address to bytes, for the CPU's own accesses. */
#include "kernel/guest_linear.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/vm.h"

static bool translate(struct vcpu *vcpu, const struct cpu_mode *mode,
		      uint64_t address, uint32_t access, uint64_t *gpa,
		      struct guest_linear_fault *fault)
{
	gpa_t found;

	fault->address = address;
	if (!guest_walk(vcpu, mode, (gva_t){ address }, access, &found,
			&fault->error_code))
		return false;
	*gpa = found.value;
	return true;
}

bool guest_linear_open(struct vcpu *vcpu, uint64_t address, uint32_t size,
		       uint32_t access, struct guest_linear *linear,
		       struct guest_linear_fault *fault)
{
	uint32_t first = (uint32_t)address;
	uint64_t room = PAGE_SIZE - (first & (PAGE_SIZE - 1));
	struct cpu_mode mode;

	vcpu_ops->read_mode(vcpu, &mode);
	linear->first_size = (uint32_t)min_u64(size, room);
	if (!translate(vcpu, &mode, first, access, &linear->gpa[0], fault))
		return false;
	first += linear->first_size;
	return size == linear->first_size ||
	       translate(vcpu, &mode, first, access, &linear->gpa[1], fault);
}

/* Where byte @offset is. */
static gpa_t gpa_at(const struct guest_linear *linear, uint32_t offset)
{
	if (offset < linear->first_size)
		return (gpa_t){ linear->gpa[0] + offset };
	return (gpa_t){ linear->gpa[1] + offset - linear->first_size };
}

/* How many of @size bytes at @offset lie in one page. */
static uint32_t run_at(const struct guest_linear *linear, uint32_t offset,
		       uint32_t size)
{
	if (offset >= linear->first_size)
		return size;
	return (uint32_t)min_u64(size, linear->first_size - offset);
}

void guest_linear_read(struct vcpu *vcpu, const struct guest_linear *linear,
		       uint32_t offset, void *to, uint32_t size)
{
	char *at = to;

	for (uint32_t run; size; offset += run, at += run, size -= run) {
		run = run_at(linear, offset, size);
		if (guest_read(&vcpu->vm->memory, gpa_at(linear, offset), at,
			       run))
			memset(at, 0xff, run);
	}
}

static void check_full(struct vcpu *vcpu, int error, gpa_t gpa)
{
	if (error == -ENOMEM)
		vm_fault(vcpu->vm, "no memory for its address %#lx", gpa.value);
}

void guest_linear_write(struct vcpu *vcpu, const struct guest_linear *linear,
			uint32_t offset, const void *from, uint32_t size)
{
	const char *at = from;

	for (uint32_t run; size; offset += run, at += run, size -= run) {
		gpa_t gpa = gpa_at(linear, offset);

		run = run_at(linear, offset, size);
		check_full(vcpu, guest_write(&vcpu->vm->memory, gpa, at, run),
			   gpa);
	}
}

bool guest_linear_replace(struct vcpu *vcpu, const struct guest_linear *linear,
			  uint32_t offset, uint8_t old, uint8_t value)
{
	gpa_t gpa = gpa_at(linear, offset);
	uint64_t expected = old;

	check_full(vcpu,
		   guest_compare_exchange(&vcpu->vm->memory, gpa, 1, &expected,
					  value),
		   gpa);
	return expected == old;
}
