/* kvm-clock. */
#include "kernel/pv_clock.h"

#include "kernel/cpu/time.h"
#include "kernel/lib/string.h"
#include "kernel/vm.h"

#define CLOCK_ENABLED	 BIT(0)
#define CLOCK_TSC_STABLE BIT(0) /* of flags */

/* Both in guest memory; version is odd while the rest is being written. */
struct clock_page {
	uint32_t version;
	uint32_t reserved;
	uint64_t tsc_timestamp; /* of the guest's TSC */
	uint64_t system_time;	/* ns, then */
	uint32_t multiplier;	/* ns = (ticks << shift) * multiplier >> 32 */
	int8_t shift;
	uint8_t flags;
	uint8_t reserved2[2];
};
_Static_assert(sizeof(struct clock_page) == 32, "pvclock_vcpu_time_info");

struct wall_page {
	uint32_t version;
	uint32_t seconds; /* since 1970, when system_time was 0 */
	uint32_t nanoseconds;
};
_Static_assert(sizeof(struct wall_page) == 12, "pvclock_wall_clock");

/* Factor from ticks at @hz to ns, with all 32 bits of the multiplier used. */
static void set_factor(struct clock_page *page, uint64_t hz)
{
	uint64_t scaled = NS_PER_SEC << 32;
	int8_t shift = 0;

	while (scaled / hz > UINT32_MAX) {
		hz <<= 1;
		shift++;
	}
	while (scaled / hz < BIT(31) && scaled < BIT(63)) {
		scaled <<= 1;
		shift--;
	}
	page->multiplier = (uint32_t)(scaled / hz);
	page->shift = shift;
}

/* One page's line may be used for the TSC of any vCPU (Linux's vDSO does so) only
 * while all TSCs are the same. */
static bool is_stable(const struct vm *vm)
{
	uint64_t first =
		__atomic_load_n(&vm->vcpus[0]->tsc_offset, __ATOMIC_RELAXED);

	for (uint32_t i = 1; i < vm->vcpu_count; i++) {
		if (__atomic_load_n(&vm->vcpus[i]->tsc_offset,
				    __ATOMIC_RELAXED) != first)
			return false;
	}
	return true;
}

/*
 * Write @page of @size bytes, which begins with its version, at @gpa, a multiple
 * of 4. A reader who sees an odd version, or another one behind than before,
 * reads again; the CPU keeps the order of stores, the fences keep the compiler's.
 * Where there is no RAM nothing happens.
 */
static void publish(struct vm *vm, gpa_t gpa, void *page, uint64_t size)
{
	struct guest_mem *memory = &vm->memory;
	uint32_t *version = guest_pointer(memory, gpa, ACCESS_WRITE);
	char *body = (char *)page + sizeof(*version);
	uint32_t odd;

	if (!version)
		return;
	odd = (__atomic_load_n(version, __ATOMIC_RELAXED) + 1) | 1;
	__atomic_store_n(version, odd, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	size -= sizeof(*version);
	if (gpa.value % PAGE_SIZE + sizeof(*version) + size <= PAGE_SIZE)
		memcpy(version + 1, body, size);
	else
		guest_write(memory, (gpa_t){ gpa.value + sizeof(*version) },
			    body, size);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	__atomic_store_n(version, odd + 1, __ATOMIC_RELAXED);
}

/* All vCPUs' lines go through the moment when the VM started: time 0, and a TSC
 * of 0 unless the guest has set it. */
void pv_clock_update(struct vcpu *vcpu)
{
	uint64_t value = vcpu->msr.kvm_clock;
	struct clock_page page = { 0 };

	if (!(value & CLOCK_ENABLED))
		return;
	page.tsc_timestamp = vcpu->tsc_offset - vcpu->vm->tsc_offset;
	page.flags = is_stable(vcpu->vm) ? CLOCK_TSC_STABLE : 0;
	set_factor(&page, time_tsc_hz());
	publish(vcpu->vm, (gpa_t){ value & ~CLOCK_ENABLED }, &page,
		sizeof(page));
}

bool pv_clock_write_system_time(struct vcpu *vcpu, uint64_t value)
{
	if (!is_aligned(value & ~CLOCK_ENABLED, sizeof(uint32_t)))
		return false;
	vcpu->msr.kvm_clock = value;
	pv_clock_update(vcpu);
	return true;
}

bool pv_clock_write_wall_clock(struct vcpu *vcpu, uint64_t value)
{
	uint64_t start = vm_wall_time(vcpu->vm) - vm_time(vcpu->vm);
	struct wall_page page = {
		.seconds = (uint32_t)(start / NS_PER_SEC),
		.nanoseconds = (uint32_t)(start % NS_PER_SEC),
	};

	if (!is_aligned(value, sizeof(uint32_t)))
		return false;
	vcpu->msr.kvm_wall_clock = value;
	publish(vcpu->vm, (gpa_t){ value }, &page, sizeof(page));
	return true;
}
