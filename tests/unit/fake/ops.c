#include "ops.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/cpu/x86_regs.h"
#include "svm/npt.h"

struct fake_backend fake_backends[FAKE_VCPUS_MAX];
void (*fake_run)(struct vcpu *vcpu);

static struct fake_backend *of(const struct vcpu *vcpu)
{
	if (vcpu->number >= FAKE_VCPUS_MAX)
		abort();
	return &fake_backends[vcpu->number];
}

static int cpu_start(void)
{
	return 0;
}

static int create(struct vcpu *vcpu)
{
	vcpu->backend = of(vcpu);
	return 0;
}

static void destroy(struct vcpu *vcpu)
{
	vcpu->backend = NULL;
}

static void reset(struct vcpu *vcpu)
{
	of(vcpu)->reset_count++;
}

static void run(struct vcpu *vcpu)
{
	of(vcpu)->run_count++;
	if (fake_run)
		fake_run(vcpu);
}

static void inject(struct vcpu *vcpu, const struct event *event)
{
	of(vcpu)->inject_count++;
	of(vcpu)->injected = *event;
}

static void set_windows(struct vcpu *vcpu, uint32_t windows)
{
	of(vcpu)->windows_count++;
	of(vcpu)->windows = windows;
}

static bool is_nmi_blocked(const struct vcpu *vcpu)
{
	return of(vcpu)->is_nmi_blocked;
}

static uint8_t code_size(const struct vcpu_state *state)
{
	uint16_t attributes = state->segments[SEGMENT_CS].attributes;

	if ((state->efer & EFER_LMA) && (attributes & SEGMENT_L))
		return 8;
	return attributes & SEGMENT_DB ? 4 : 2;
}

static void read_mode(const struct vcpu *vcpu, struct cpu_mode *mode)
{
	const struct vcpu_state *state = &of(vcpu)->state;

	*mode = (struct cpu_mode){ .cr0 = state->cr0,
				   .cr3 = state->cr3,
				   .cr4 = state->cr4,
				   .efer = state->efer,
				   .cpl = (uint8_t)state->cpl,
				   .code_size = code_size(state) };
}

static void read_segment(const struct vcpu *vcpu, enum segment_name name,
			 struct segment *segment)
{
	*segment = of(vcpu)->state.segments[name];
}

static void read_state(const struct vcpu *vcpu, struct vcpu_state *state)
{
	*state = of(vcpu)->state;
}

static void write_state(struct vcpu *vcpu, const struct vcpu_state *state)
{
	of(vcpu)->state = *state;
	of(vcpu)->write_state_count++;
}

/* Where the value of @number is; made if it is new. */
static uint64_t *msr_at(struct fake_backend *backend, uint32_t number)
{
	unsigned int i;

	switch (number) {
	case MSR_EFER: return &backend->state.efer;
	case MSR_FS_BASE: return &backend->state.segments[SEGMENT_FS].base;
	case MSR_GS_BASE: return &backend->state.segments[SEGMENT_GS].base;
	}
	for (i = 0; i < backend->msr_count; i++) {
		if (backend->msrs[i].number == number)
			return &backend->msrs[i].value;
	}
	if (i == FAKE_MSRS_MAX)
		abort();
	backend->msr_count++;
	backend->msrs[i].number = number;
	return &backend->msrs[i].value;
}

static uint64_t read_msr(const struct vcpu *vcpu, uint32_t msr)
{
	return *msr_at(of(vcpu), msr);
}

static void write_msr(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	*msr_at(of(vcpu), msr) = value;
}

static void set_tsc_offset(struct vcpu *vcpu, uint64_t offset)
{
	of(vcpu)->tsc_offset_count++;
	of(vcpu)->tsc_offset = offset;
}

static void flush_tlb(struct vcpu *vcpu)
{
	of(vcpu)->flush_count++;
}

static const struct vcpu_ops fake_ops = {
	.name = "fake",
	.memory_format = &pt_format_npt,
	.cpu_start = cpu_start,
	.memory_leaf_level = 2,
	.create = create,
	.destroy = destroy,
	.reset = reset,
	.run = run,
	.inject = inject,
	.set_windows = set_windows,
	.is_nmi_blocked = is_nmi_blocked,
	.read_mode = read_mode,
	.read_segment = read_segment,
	.read_state = read_state,
	.write_state = write_state,
	.read_msr = read_msr,
	.write_msr = write_msr,
	.set_tsc_offset = set_tsc_offset,
	.flush_tlb = flush_tlb,
};

const struct vcpu_ops *vcpu_ops = &fake_ops;

uint64_t vcpu_read_xcr0(const struct vcpu *vcpu)
{
	return vcpu->xcr0;
}

void vcpu_write_xcr0(struct vcpu *vcpu, uint64_t value)
{
	vcpu->xcr0 = value;
	of(vcpu)->xcr0_count++;
}

/* All segments flat: @code_attributes of CS, data of @cpl in the others. */
static void set_flat(struct vcpu_state *state, uint16_t code_attributes,
		     uint8_t cpl)
{
	uint16_t dpl = (uint16_t)FIELD_PUT(SEGMENT_DPL, cpl);
	uint16_t common = (uint16_t)(dpl | SEGMENT_P | SEGMENT_S | SEGMENT_G);

	for (unsigned int i = SEGMENT_ES; i <= SEGMENT_GS; i++)
		state->segments[i] = (struct segment){
			.selector = (uint16_t)(16 | cpl),
			.attributes = (uint16_t)(common | SEGMENT_DB | 3),
			.limit = UINT32_MAX,
		};
	state->segments[SEGMENT_CS].selector = (uint16_t)(8 | cpl);
	state->segments[SEGMENT_CS].attributes =
		(uint16_t)(common | code_attributes | 0xb);
	state->cpl = cpl;
}

void fake_ops_long_mode(struct vcpu *vcpu, uint8_t cpl)
{
	struct vcpu_state *state = &of(vcpu)->state;

	set_flat(state, SEGMENT_L, cpl);
	state->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	state->cr4 = CR4_PAE;
	state->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
}

void fake_ops_protected_mode(struct vcpu *vcpu, uint8_t cpl)
{
	struct vcpu_state *state = &of(vcpu)->state;

	set_flat(state, SEGMENT_DB, cpl);
	state->cr0 = CR0_PE | CR0_ET;
	state->cr4 = state->efer = 0;
}

void fake_ops_real_mode(struct vcpu *vcpu)
{
	struct vcpu_state *state = &of(vcpu)->state;

	for (unsigned int i = SEGMENT_ES; i <= SEGMENT_GS; i++)
		state->segments[i] = (struct segment){
			.attributes = SEGMENT_P | SEGMENT_S | 3,
			.limit = 0xffff,
		};
	state->segments[SEGMENT_CS].attributes |= 8;
	state->cr0 = CR0_ET;
	state->cr4 = state->efer = state->cpl = 0;
}

void fake_ops_reset(void)
{
	memset(fake_backends, 0, sizeof(fake_backends));
	fake_run = NULL;
	for (uint32_t i = 0; i < FAKE_VCPUS_MAX; i++) {
		/* vCPUs that the VM does not have keep their numbers too */
		struct vcpu unborn = { .number = i };

		fake_ops_long_mode(&unborn, 0);
	}
}
