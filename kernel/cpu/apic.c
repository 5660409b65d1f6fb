/* The local APIC: SDM 3A chapter 11 "Advanced Programmable Interrupt Controller
 * (APIC)". */
#include "kernel/cpu/apic.h"

#include "kernel/cpu/x86_asm.h"

/* Register offsets of the xAPIC page; an x2APIC MSR is MSR_X2APIC_BASE + offset
 * / 16. */
enum apic_register {
	APIC_ID = 0x020,
	APIC_TPR = 0x080,
	APIC_EOI = 0x0b0,
	APIC_SPURIOUS = 0x0f0,
	APIC_ISR = 0x100,
	APIC_ERROR_STATUS = 0x280,
	APIC_ICR = 0x300,
	APIC_ICR_HIGH = 0x310,
	APIC_LVT_CMCI = 0x2f0,
	APIC_LVT_TIMER = 0x320,
	APIC_LVT_THERMAL = 0x330,
	APIC_LVT_PERF = 0x340,
	APIC_LVT_LINT0 = 0x350,
	APIC_LVT_LINT1 = 0x360,
	APIC_LVT_ERROR = 0x370,
	APIC_TIMER_INITIAL = 0x380,
	APIC_TIMER_CURRENT = 0x390,
	APIC_TIMER_DIVIDE = 0x3e0,
	APIC_VERSION = 0x030,
};

#define SPURIOUS_ENABLE	  BIT(8)
#define LVT_MASKED	  BIT(16)
#define LVT_DELIVERY_MODE (7U << 8)
#define LVT_SMI		  (2U << 8)
#define LVT_NMI		  (4U << 8)
#define LVT_TSC_DEADLINE  (2U << 17)
#define DIVIDE_BY_1	  0xb
#define ICR_FIXED	  (0U << 8)
#define ICR_NMI		  (4U << 8)
#define ICR_INIT	  (5U << 8)
#define ICR_STARTUP	  (6U << 8)
#define ICR_PENDING	  BIT(12)
#define ICR_ASSERT	  BIT(14)
#define ICR_WAIT_LOOPS	  1000000

static volatile void *registers;
static bool is_x2apic;

static uint32_t apic_read(enum apic_register reg)
{
	if (is_x2apic)
		return (uint32_t)x86_rdmsr(MSR_X2APIC_BASE + reg / 16);
	return x86_mmio_read32(registers, reg);
}

static void apic_write(enum apic_register reg, uint32_t value)
{
	if (is_x2apic)
		x86_wrmsr(MSR_X2APIC_BASE + reg / 16, value);
	else
		x86_mmio_write32(registers, reg, value);
}

void apic_choose(void *mapped, bool use_x2apic)
{
	registers = mapped;
	is_x2apic = use_x2apic;
}

bool apic_is_x2apic(void)
{
	return is_x2apic;
}

static void clear_in_service(void)
{
	/* a vector in service would block all lower ones for ever; each EOI
	 * ends the highest */
	for (uint32_t i = 0; i < 8; i++) {
		uint32_t bits = apic_read(APIC_ISR + i * 0x10);

		for (; bits; bits &= bits - 1)
			apic_write(APIC_EOI, 0);
	}
}

/* The firmware keeps an entry that raises SMIs: they are none of ours. */
static void mask_unless_smi(enum apic_register reg)
{
	if ((apic_read(reg) & LVT_DELIVERY_MODE) != LVT_SMI)
		apic_write(reg, LVT_MASKED);
}

static void mask_local_vectors(void)
{
	uint32_t lvt_max = apic_read(APIC_VERSION) >> 16 & 0xff;

	apic_write(APIC_LVT_TIMER, LVT_MASKED);
	apic_write(APIC_LVT_LINT0, LVT_MASKED);
	apic_write(APIC_LVT_LINT1, LVT_NMI); /* the platform's NMI line */
	apic_write(APIC_LVT_ERROR, VECTOR_APIC_ERROR);
	if (lvt_max >= 4)
		mask_unless_smi(APIC_LVT_PERF);
	if (lvt_max >= 5)
		mask_unless_smi(APIC_LVT_THERMAL);
	if (lvt_max >= 6)
		mask_unless_smi(APIC_LVT_CMCI);
}

void apic_init(void)
{
	uint64_t base = x86_rdmsr(MSR_IA32_APIC_BASE) | APIC_BASE_ENABLE;

	x86_wrmsr(MSR_IA32_APIC_BASE, base);
	if (is_x2apic) /* from enabled xAPIC only: SDM 3A 11.12.5 "x2APIC State
			  Transitions" */
		x86_wrmsr(MSR_IA32_APIC_BASE, base | APIC_BASE_X2APIC);
	apic_write(APIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	mask_local_vectors();
	apic_write(APIC_TPR, 0);
	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	clear_in_service();
	apic_errors();
}

hpa_t apic_base(void)
{
	return HPA(x86_rdmsr(MSR_IA32_APIC_BASE) & BITS(51, 12));
}

uint32_t apic_id(void)
{
	uint32_t id = apic_read(APIC_ID);

	return is_x2apic ? id : id >> 24;
}

void apic_end_of_interrupt(void)
{
	apic_write(APIC_EOI, 0);
}

uint32_t apic_errors(void)
{
	apic_write(APIC_ERROR_STATUS, 0); /* latches what has accumulated */
	return apic_read(APIC_ERROR_STATUS);
}

/*
 * x2APIC writes ICR at once and needs a fence so that earlier stores are seen
 * by the target (SDM 3A 11.12.3 "MSR Access in x2APIC Mode"); xAPIC takes the
 * next command only when the last has left.
 */
static void icr_write(uint32_t id, uint32_t command)
{
	if (is_x2apic) {
		x86_fence_before_msr();
		x86_wrmsr(MSR_X2APIC_BASE + APIC_ICR / 16,
			  (uint64_t)id << 32 | command);
		return;
	}
	apic_write(APIC_ICR_HIGH, id << 24);
	apic_write(APIC_ICR, command);
	for (uint32_t i = 0; i < ICR_WAIT_LOOPS; i++) {
		if (!(apic_read(APIC_ICR) & ICR_PENDING))
			return;
		x86_pause();
	}
}

void apic_send(uint32_t id, uint8_t vector)
{
	icr_write(id, ICR_FIXED | ICR_ASSERT | vector);
}

void apic_send_nmi(uint32_t id)
{
	icr_write(id, ICR_NMI | ICR_ASSERT);
}

void apic_send_init(uint32_t id)
{
	icr_write(id, ICR_INIT | ICR_ASSERT);
}

void apic_send_startup(uint32_t id, uint8_t page)
{
	icr_write(id, ICR_STARTUP | ICR_ASSERT | page);
}

void apic_timer_use_count(void)
{
	apic_write(APIC_LVT_TIMER, VECTOR_TIMER);
}

void apic_timer_use_tsc_deadline(void)
{
	apic_write(APIC_LVT_TIMER, LVT_TSC_DEADLINE | VECTOR_TIMER);
	/* the mode must be set before the first deadline: SDM 3A 11.5.4.1
	 * "TSC-Deadline Mode" */
	x86_fence_before_msr();
}

void apic_timer_arm_count(uint32_t count)
{
	apic_write(APIC_TIMER_INITIAL, count);
}

void apic_timer_arm_tsc(uint64_t tsc)
{
	x86_fence_before_msr();
	x86_wrmsr(MSR_IA32_TSC_DEADLINE, tsc);
}

uint32_t apic_timer_count(void)
{
	return apic_read(APIC_TIMER_CURRENT);
}
