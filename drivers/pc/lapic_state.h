/*
 * What is inside a local APIC, for drivers/pc/lapic*.c only. [pure]
 *
 *	lapic.c		reset, modes, vectors in and out of service, PV EOI
 *	lapic_lend.c	what the CPU does of that, where it can
 *	lapic_regs.c	the register file, as MMIO and as MSRs
 *	lapic_ipi.c	messages: sending, addressing, accepting, errors
 *	lapic_timer.c	the timer
 *
 * Section numbers are those of SDM 3A chapter 11 "Advanced Programmable Interrupt
 * Controller (APIC)".
 */
#ifndef DRIVERS_PC_LAPIC_STATE_H
#define DRIVERS_PC_LAPIC_STATE_H

#include "drivers/pc/lapic.h"
#include "kernel/vm.h"

/* A register is named by its offset in the page divided by 16; its x2APIC MSR is
 * 0x800 + that. 11.4.1, table "Local APIC Register Address Map". */
enum lapic_register {
	LAPIC_ID = 0x02,
	LAPIC_VERSION = 0x03,
	LAPIC_TPR = 0x08,
	LAPIC_ARBITRATION = 0x09,
	LAPIC_PPR = 0x0a,
	LAPIC_EOI = 0x0b,
	LAPIC_REMOTE_READ = 0x0c,
	LAPIC_LDR = 0x0d,
	LAPIC_DFR = 0x0e,
	LAPIC_SVR = 0x0f,
	LAPIC_ISR = 0x10,
	LAPIC_TMR = 0x18,
	LAPIC_IRR = 0x20,
	LAPIC_ESR = 0x28,
	LAPIC_ICR = 0x30,
	LAPIC_ICR_HIGH = 0x31,
	LAPIC_LVT = 0x32, /* and on: enum lapic_lvt */
	LAPIC_TIMER_COUNT = 0x38,
	LAPIC_TIMER_CURRENT = 0x39,
	LAPIC_TIMER_DIVIDE = 0x3e,
	LAPIC_SELF_IPI = 0x3f,
	LAPIC_REGISTER_COUNT = 0x40
};

/* Local vector table. There is no CMCI entry: MCG_CAP does not offer CMCI. */
enum lapic_lvt {
	LAPIC_LVT_TIMER,
	LAPIC_LVT_THERMAL,
	LAPIC_LVT_PERFORMANCE,
	LAPIC_LVT_LINT0,
	LAPIC_LVT_LINT1,
	LAPIC_LVT_ERROR,
	LAPIC_LVT_COUNT
};

#define LVT_VECTOR	 BITS(7, 0)
#define LVT_DELIVERY	 BITS(10, 8)
#define LVT_SEND_PENDING BIT(12)
#define LVT_POLARITY	 BIT(13)
#define LVT_REMOTE_IRR	 BIT(14)
#define LVT_LEVEL	 BIT(15)
#define LVT_MASKED	 BIT(16)
#define LVT_TIMER_MODE	 BITS(18, 17)

enum lapic_timer_mode {
	LAPIC_TIMER_ONE_SHOT,
	LAPIC_TIMER_PERIODIC,
	LAPIC_TIMER_TSC_DEADLINE,
	LAPIC_TIMER_RESERVED, /* does not run */
};

#define SVR_ENABLE	     BIT(8)
#define SVR_NO_EOI_BROADCAST BIT(12)

/* 11.5.3 "Error Handling", ESR. */
#define ESR_SEND_ILLEGAL_VECTOR	   BIT(5)
#define ESR_RECEIVE_ILLEGAL_VECTOR BIT(6)
#define ESR_ILLEGAL_REGISTER	   BIT(7)

/* 11.5.2 "Valid Interrupt Vectors". */
#define LAPIC_VECTOR_MIN 16

/* Bits of `route`, all that others need to know to address this local APIC. */
#define ROUTE_ENABLED  BIT(0) /* takes messages (IA32_APIC_BASE) */
#define ROUTE_SOFTWARE BIT(1) /* takes interrupts too (SVR) */
#define ROUTE_X2APIC   BIT(2)
#define ROUTE_CLUSTER  BIT(3)	   /* DFR: xAPIC cluster model, else flat */
#define ROUTE_LOGICAL  BITS(15, 8) /* LDR of xAPIC mode */

#define LAPIC_WORDS 4 /* 256 vectors */

/* Legend: (o) set once, (a) atomic, from any CPU; (w) written by the own thread
 * alone, read by any; else the vCPU's own thread. */
struct lapic {
	struct vcpu *vcpu;	       /* (o) */
	uint64_t irr[LAPIC_WORDS];     /* (a) requested */
	uint64_t tmr[LAPIC_WORDS];     /* (a) level-triggered, as of IRR */
	uint64_t isr[LAPIC_WORDS];     /* in service */
	int in_service;		       /* highest bit of isr, or -1 */
	uint32_t route;		       /* (w) ROUTE_*, of what follows */
	uint32_t svr, ldr, dfr;	       /* ldr, dfr: of xAPIC mode */
	uint32_t lvt[LAPIC_LVT_COUNT]; /* (w) */
	uint32_t errors;	       /* (a) ESR_*, since it was written */
	uint32_t esr;		       /* as it reads */
	uint64_t icr;		       /* high half as xAPIC or x2APIC has it */
	uint32_t timer_count;	       /* initial count */
	uint32_t timer_divide;	       /* the register */
	uint64_t deadline;	       /* ns; TIME_NEVER: timer stopped */
	struct guest_pin pv_eoi;       /* the guest's word; size 0: off */
	bool is_pv_eoi_offered;	       /* its bit 0 was set by us */
	bool is_lent;		       /* isr, and what irr had: the CPU's */
};

/* ---- lapic.c */

static inline int lapic_highest_of(const uint64_t *words, int i)
{
	uint64_t word = __atomic_load_n(&words[i], __ATOMIC_RELAXED);

	return word ? i * 64 + 63 - __builtin_clzl(word) : -1;
}

/* The highest bit of four words that others may write; -1: none. Written out,
 * because it is looked for three times an interrupt. */
static inline int lapic_highest(const uint64_t *words)
{
	int found = lapic_highest_of(words, 3);

	if (found < 0)
		found = lapic_highest_of(words, 2);
	if (found < 0)
		found = lapic_highest_of(words, 1);
	if (found < 0)
		found = lapic_highest_of(words, 0);
	return found;
}

static inline bool lapic_is_empty(const uint64_t *words)
{
	return !(__atomic_load_n(&words[0], __ATOMIC_RELAXED) |
		 __atomic_load_n(&words[1], __ATOMIC_RELAXED) |
		 __atomic_load_n(&words[2], __ATOMIC_RELAXED) |
		 __atomic_load_n(&words[3], __ATOMIC_RELAXED));
}

/* Processor priority: 11.8.3.1 "Task and Processor Priorities". */
static inline uint8_t lapic_priority(const struct lapic *lapic)
{
	uint8_t in_service =
		lapic->in_service < 0 ? 0 : (uint8_t)(lapic->in_service & 0xf0);
	uint8_t tpr = lapic->vcpu->tpr;

	return (tpr & 0xf0) >= in_service ? tpr : in_service;
}

/* Let others see what base, SVR, LDR and DFR are now. */
void lapic_publish_route(struct lapic *lapic);

/* Before irr, isr or in_service are looked at: what the guest did to them without
 * an exit. If it has made use of the PV EOI that it was offered, its interrupt is
 * out of service now; @must_withdraw: if it has not, it shall no longer. What is
 * lent to the CPU is taken back. */
void lapic_settle(struct lapic *lapic, bool must_withdraw);

/* EOI register. Takes vm->lock for a level-triggered vector. */
void lapic_end_of_interrupt(struct lapic *lapic);

/* ---- lapic_lend.c */

/* The mode or SVR has changed: who does the work from now on. */
void lapic_choose_worker(struct lapic *lapic);

/* Give the CPU what it has not got yet; before the next entry. */
void lapic_lend(struct lapic *lapic);
void lapic_take_back(struct lapic *lapic);

/* ---- lapic_regs.c */

/* Let vcpu->apic.page have what registers are that only software changes. */
void lapic_mirror(struct lapic *lapic);

/* ---- lapic_ipi.c */

/* Send what @icr says; its high half is an x2APIC destination. */
void lapic_send_ipi(struct lapic *lapic, uint64_t icr);

/* An interrupt to oneself; an illegal @vector is an error of sending. */
void lapic_send_self_ipi(struct lapic *lapic, uint8_t vector);

/* Local interrupt source @entry is active: do what its LVT entry says. Any CPU. */
void lapic_signal(struct lapic *lapic, enum lapic_lvt entry);

/* Note @error (ESR_*). Any CPU. */
void lapic_report_error(struct lapic *lapic, uint32_t error);

/* ---- lapic_timer.c */

static inline enum lapic_timer_mode lapic_timer_mode(const struct lapic *lapic)
{
	return (enum lapic_timer_mode)FIELD_GET(LVT_TIMER_MODE,
						lapic->lvt[LAPIC_LVT_TIMER]);
}

/* Stop: nothing is due any more. */
void lapic_timer_stop(struct lapic *lapic);
/* Writes of initial count and divide configuration. */
void lapic_timer_set_count(struct lapic *lapic, uint32_t count);
void lapic_timer_set_divide(struct lapic *lapic, uint32_t divide);
/* The LVT entry was written; @before: the mode it had. */
void lapic_timer_mode_changed(struct lapic *lapic,
			      enum lapic_timer_mode before);
/* Current count register. */
uint32_t lapic_timer_current(const struct lapic *lapic);

#endif
