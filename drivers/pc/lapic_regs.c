/*
 * The local APIC's registers, as memory (xAPIC) and as MSRs (x2APIC).
 * Both ways meet in read_register and write_register.
 */
#include "drivers/pc/lapic.h"

#include "drivers/pc/lapic_state.h"
#include "kernel/cpu/x86_regs.h"

/* Version 0x14 of an integrated APIC, six LVT entries, and SVR bit 12, which
 * turns the broadcast of EOIs off: 11.4.8 "Local APIC Version Register". */
#define VERSION_NO_EOI_BROADCAST BIT(24)
#define VERSION                                                \
	(0x14 | FIELD_PUT(BITS(23, 16), LAPIC_LVT_COUNT - 1) | \
	 VERSION_NO_EOI_BROADCAST)

/* Of the registers that are groups of 8. */
#define GROUPS                                                             \
	(BITS(LAPIC_ISR + 7, LAPIC_ISR) | BITS(LAPIC_TMR + 7, LAPIC_TMR) | \
	 BITS(LAPIC_IRR + 7, LAPIC_IRR))
#define LVTS BITS(LAPIC_LVT + LAPIC_LVT_COUNT - 1, LAPIC_LVT)

/* Registers by number: which there are in memory, and which MSRs can be read and
 * written: 11.12.1.2, table "Local APIC Register Address Map Supported by
 * x2APIC". */
#define XAPIC_WRITABLE                                                       \
	(BIT(LAPIC_TPR) | BIT(LAPIC_EOI) | BIT(LAPIC_LDR) | BIT(LAPIC_DFR) | \
	 BIT(LAPIC_SVR) | BIT(LAPIC_ESR) | BIT(LAPIC_ICR) |                  \
	 BIT(LAPIC_ICR_HIGH) | LVTS | BIT(LAPIC_TIMER_COUNT) |               \
	 BIT(LAPIC_TIMER_DIVIDE))
#define XAPIC_EXISTING                                                      \
	(XAPIC_WRITABLE | GROUPS | BIT(LAPIC_ID) | BIT(LAPIC_VERSION) |     \
	 BIT(LAPIC_ARBITRATION) | BIT(LAPIC_PPR) | BIT(LAPIC_REMOTE_READ) | \
	 BIT(LAPIC_TIMER_CURRENT))
#define X2APIC_WRITABLE                                               \
	((XAPIC_WRITABLE &                                            \
	  ~(BIT(LAPIC_LDR) | BIT(LAPIC_DFR) | BIT(LAPIC_ICR_HIGH))) | \
	 BIT(LAPIC_SELF_IPI))
#define X2APIC_READABLE                                                       \
	(XAPIC_EXISTING &                                                     \
	 ~(BIT(LAPIC_ARBITRATION) | BIT(LAPIC_EOI) | BIT(LAPIC_REMOTE_READ) | \
	   BIT(LAPIC_DFR) | BIT(LAPIC_ICR_HIGH)))

/* What a write may set; the rest is reserved, or of LVT entries read-only. */
#define LVT_COMMON (LVT_VECTOR | LVT_DELIVERY | LVT_MASKED)
#define LVT_PIN	   (LVT_COMMON | LVT_POLARITY | LVT_LEVEL)

static const uint32_t settable[LAPIC_REGISTER_COUNT] = {
	[LAPIC_TPR] = 0xff,
	[LAPIC_LDR] = 0xff000000,
	[LAPIC_DFR] = 0xf0000000,
	[LAPIC_SVR] = SVR_NO_EOI_BROADCAST | BITS(9, 0),
	[LAPIC_ICR_HIGH] = 0xff000000,
	[LAPIC_LVT + LAPIC_LVT_TIMER] =
		LVT_VECTOR | LVT_MASKED | LVT_TIMER_MODE,
	[LAPIC_LVT + LAPIC_LVT_THERMAL] = LVT_COMMON,
	[LAPIC_LVT + LAPIC_LVT_PERFORMANCE] = LVT_COMMON,
	[LAPIC_LVT + LAPIC_LVT_LINT0] = LVT_PIN,
	[LAPIC_LVT + LAPIC_LVT_LINT1] = LVT_PIN,
	[LAPIC_LVT + LAPIC_LVT_ERROR] = LVT_VECTOR | LVT_MASKED,
	[LAPIC_TIMER_COUNT] = ~0U,
	[LAPIC_TIMER_DIVIDE] = 0xb,
	[LAPIC_SELF_IPI] = 0xff,
};
#define LVT_READ_ONLY (LVT_SEND_PENDING | LVT_REMOTE_IRR)

/* ICR in x2APIC mode; bit 12, delivery status of xAPIC mode, is ignored. */
#define X2APIC_ICR_RESERVED (BITS(31, 20) | BITS(17, 16) | BIT(13))
#define ICR_SEND_PENDING    BIT(12)

static bool is_in(uint64_t set, uint64_t reg)
{
	return reg < LAPIC_REGISTER_COUNT && set & BIT(reg);
}

static bool is_x2apic(const struct lapic *lapic)
{
	return lapic->route & ROUTE_X2APIC;
}

static uint32_t read_group(const uint64_t *words, uint32_t number)
{
	uint64_t word = __atomic_load_n(&words[number / 2], __ATOMIC_RELAXED);

	return (uint32_t)(word >> (number % 2 * 32));
}

/* In x2APIC mode it follows from the id: 11.12.10.2 "Deriving Logical x2APIC ID
 * from the Local x2APIC ID". */
static uint32_t read_ldr(const struct lapic *lapic)
{
	uint32_t id = lapic->vcpu->number;

	if (is_x2apic(lapic))
		return id >> 4 << 16 | 1U << (id & 15);
	return lapic->ldr;
}

/* The id cannot be changed: 11.4.6 leaves that to the processor model. */
static uint32_t read_id(const struct lapic *lapic)
{
	uint32_t id = lapic->vcpu->number;

	return is_x2apic(lapic) ? id : id << 24;
}

static uint32_t read_register(struct lapic *lapic, uint32_t reg)
{
	if (is_in(GROUPS | BIT(LAPIC_PPR), reg))
		lapic_settle(lapic, false);
	switch (reg) {
	case LAPIC_ID: return read_id(lapic);
	case LAPIC_VERSION: return (uint32_t)VERSION;
	case LAPIC_TPR: return lapic->vcpu->tpr;
	case LAPIC_PPR: return lapic_priority(lapic);
	case LAPIC_LDR: return read_ldr(lapic);
	case LAPIC_DFR: return lapic->dfr;
	case LAPIC_SVR: return lapic->svr;
	case LAPIC_ISR ... LAPIC_ISR + 7:
		return read_group(lapic->isr, reg - LAPIC_ISR);
	case LAPIC_TMR ... LAPIC_TMR + 7:
		return read_group(lapic->tmr, reg - LAPIC_TMR);
	case LAPIC_IRR ... LAPIC_IRR + 7:
		return read_group(lapic->irr, reg - LAPIC_IRR);
	case LAPIC_ESR: return lapic->esr;
	case LAPIC_ICR: return (uint32_t)lapic->icr;
	case LAPIC_ICR_HIGH: return (uint32_t)(lapic->icr >> 32);
	case LAPIC_LVT ... LAPIC_LVT + LAPIC_LVT_COUNT - 1:
		return lapic->lvt[reg - LAPIC_LVT];
	case LAPIC_TIMER_COUNT: return lapic->timer_count;
	case LAPIC_TIMER_CURRENT: return lapic_timer_current(lapic);
	case LAPIC_TIMER_DIVIDE: return lapic->timer_divide;
	/* write-only, or of older processors: 0 */
	default: return 0;
	}
}

/* What the CPU itself changes, or time. */
#define LIVE \
	(GROUPS | BIT(LAPIC_TPR) | BIT(LAPIC_PPR) | BIT(LAPIC_TIMER_CURRENT))

const uint64_t lapic_page_registers =
	X2APIC_READABLE & ~BIT(LAPIC_TIMER_CURRENT);

static uint32_t *in_page(const struct lapic *lapic, uint32_t reg)
{
	return &lapic->vcpu->apic.page[reg * 4];
}

/* SDM 3C 30.5 "Virtualizing MSR-Based APIC Accesses": all 64 bits of ICR are at
 * the place of its low half. */
static void mirror(struct lapic *lapic, uint32_t reg)
{
	*in_page(lapic, reg) = read_register(lapic, reg);
	if (reg == LAPIC_ICR)
		in_page(lapic, reg)[1] = (uint32_t)(lapic->icr >> 32);
}

void lapic_mirror(struct lapic *lapic)
{
	if (!lapic->vcpu->apic.is_on)
		return;
	for (uint32_t reg = 0; reg < LAPIC_REGISTER_COUNT; reg++) {
		if (is_in(X2APIC_READABLE & ~LIVE, reg))
			mirror(lapic, reg);
	}
}

/* 11.8.3.1; what was masked may go in now, or the other way round. */
static void write_tpr(struct lapic *lapic, uint32_t value)
{
	lapic->vcpu->tpr = (uint8_t)value;
	if (!lapic_is_empty(lapic->irr))
		vcpu_request(lapic->vcpu, REQUEST_EVENT);
}

static void set_lvt(struct lapic *lapic, unsigned int entry, uint32_t value)
{
	if (!(lapic->svr & SVR_ENABLE))
		value |= LVT_MASKED;
	__atomic_store_n(&lapic->lvt[entry], value, __ATOMIC_RELAXED);
}

/* 11.4.7.2 "Local APIC State After It Has Been Software Disabled": every LVT
 * entry is masked, and stays so. */
static void write_svr(struct lapic *lapic, uint32_t value)
{
	lapic->svr = value;
	if (!(value & SVR_ENABLE)) {
		for (unsigned int i = 0; i < LAPIC_LVT_COUNT; i++)
			set_lvt(lapic, i, lapic->lvt[i]);
	}
	lapic_publish_route(lapic);
	lapic_choose_worker(lapic);
}

static void write_lvt(struct lapic *lapic, unsigned int entry, uint32_t value)
{
	enum lapic_timer_mode before = lapic_timer_mode(lapic);

	set_lvt(lapic, entry, value);
	if (entry == LAPIC_LVT_TIMER)
		lapic_timer_mode_changed(lapic, before);
	/* the 8259 may be heard now */
	if (entry == LAPIC_LVT_LINT0)
		vcpu_request(lapic->vcpu, REQUEST_EVENT);
}

/* A broadcast has another name in each mode. */
static void write_xapic_icr(struct lapic *lapic, uint32_t low)
{
	uint32_t destination = (uint32_t)(lapic->icr >> 56);

	lapic->icr = (lapic->icr & BITS(63, 32)) | (low & ~ICR_SEND_PENDING);
	if (destination == 0xff)
		destination = ~0U;
	lapic_send_ipi(lapic, (uint64_t)destination << 32 | low);
}

/* @value has no reserved bit set. */
static void write_register(struct lapic *lapic, uint32_t reg, uint32_t value)
{
	switch (reg) {
	case LAPIC_TPR: write_tpr(lapic, value); break;
	case LAPIC_EOI: lapic_end_of_interrupt(lapic); break;
	case LAPIC_LDR:
		lapic->ldr = value;
		lapic_publish_route(lapic);
		break;
	case LAPIC_DFR:
		lapic->dfr = value | BITS(27, 0);
		lapic_publish_route(lapic);
		break;
	case LAPIC_SVR: write_svr(lapic, value); break;
	case LAPIC_ESR:
		lapic->esr = __atomic_exchange_n(&lapic->errors, 0,
						 __ATOMIC_RELAXED);
		break;
	case LAPIC_ICR_HIGH:
		lapic->icr = (uint64_t)value << 32 | (uint32_t)lapic->icr;
		break;
	case LAPIC_LVT ... LAPIC_LVT + LAPIC_LVT_COUNT - 1:
		write_lvt(lapic, reg - LAPIC_LVT, value);
		break;
	case LAPIC_TIMER_COUNT: lapic_timer_set_count(lapic, value); break;
	case LAPIC_TIMER_DIVIDE: lapic_timer_set_divide(lapic, value); break;
	case LAPIC_SELF_IPI: lapic_send_self_ipi(lapic, (uint8_t)value); break;
	}
}

/* Registers are the first 4 bytes of each 16: 11.4.1. */
uint64_t lapic_mmio_read(struct lapic *lapic, uint64_t offset,
			 unsigned int size)
{
	unsigned int first = offset & 15;
	uint64_t value;

	if (first > 3 || size > 8)
		return 0;
	if (!is_in(XAPIC_EXISTING, offset >> 4)) {
		lapic_report_error(lapic, ESR_ILLEGAL_REGISTER);
		return 0;
	}
	value = read_register(lapic, (uint32_t)(offset >> 4)) >> (8 * first);
	return size < 4 ? value & (BIT(8 * size) - 1) : value;
}

void lapic_mmio_write(struct lapic *lapic, uint64_t offset, unsigned int size,
		      uint64_t value)
{
	uint64_t reg = offset >> 4;

	if (offset & 15 || size != 4)
		return;
	if (!is_in(XAPIC_EXISTING, reg)) {
		lapic_report_error(lapic, ESR_ILLEGAL_REGISTER);
		return;
	}
	if (reg == LAPIC_ICR)
		write_xapic_icr(lapic, (uint32_t)value);
	else if (is_in(XAPIC_WRITABLE, reg))
		write_register(lapic, (uint32_t)reg,
			       (uint32_t)value & settable[reg]);
}

bool lapic_msr_read(struct lapic *lapic, uint32_t msr, uint64_t *value)
{
	uint32_t reg = msr - MSR_X2APIC_BASE;

	if (!is_x2apic(lapic) || !is_in(X2APIC_READABLE, reg))
		return false;
	if (reg == LAPIC_ICR)
		*value = lapic->icr;
	else
		*value = read_register(lapic, reg);
	return true;
}

static bool write_x2apic_icr(struct lapic *lapic, uint64_t value)
{
	if (value & X2APIC_ICR_RESERVED)
		return false;
	lapic->icr = value & ~ICR_SEND_PENDING;
	if (lapic->vcpu->apic.is_on)
		mirror(lapic, LAPIC_ICR);
	lapic_send_ipi(lapic, value);
	return true;
}

/* 11.12.1.3 "Reserved Bit Checking". */
static bool write_msr(struct lapic *lapic, uint32_t reg, uint64_t value)
{
	uint64_t reserved;

	if (!is_in(X2APIC_WRITABLE, reg))
		return false;
	reserved = ~(uint64_t)settable[reg];
	if (is_in(LVTS, reg))
		reserved &= ~LVT_READ_ONLY;
	if (value & reserved)
		return false;
	write_register(lapic, reg, (uint32_t)value & settable[reg]);
	lapic_mirror(lapic);
	return true;
}

/* In x2APIC mode the CPU only leaves a SELF_IPI with an illegal vector to us. */
void lapic_page_written(struct lapic *lapic, uint16_t offset)
{
	uint32_t reg = offset / 16;

	if (reg == LAPIC_SELF_IPI)
		write_msr(lapic, reg, *in_page(lapic, reg) & settable[reg]);
}

/* EOI and ICR first: they are in every interrupt's way. */
bool lapic_msr_write(struct lapic *lapic, uint32_t msr, uint64_t value)
{
	if (!is_x2apic(lapic))
		return false;
	if (msr == MSR_X2APIC_BASE + LAPIC_EOI && value == 0) {
		lapic_end_of_interrupt(lapic);
		return true;
	}
	if (msr == MSR_X2APIC_BASE + LAPIC_ICR)
		return write_x2apic_icr(lapic, value);
	return write_msr(lapic, msr - MSR_X2APIC_BASE, value);
}
