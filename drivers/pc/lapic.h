/*
 * A vCPU's local APIC: xAPIC registers in memory or x2APIC MSRs. [pure]
 * SDM 3A chapter 11 "Advanced Programmable Interrupt Controller (APIC)".
 *
 * Where the CPU does part of the work (vcpu->apic), that part is lent to it.
 *
 * Only the vCPU's own thread reads and writes registers. Other CPUs put vectors
 * into `irr` (atomic) and set REQUEST_EVENT; everything else they want (NMI, INIT,
 * start-up) is a request bit of the vCPU.
 */
#ifndef DRIVERS_PC_LAPIC_H
#define DRIVERS_PC_LAPIC_H

#include "kernel/vcpu.h"

/* The timer's rate before its divider, as CPUID tells it: one tick is 1 ns. */
#define LAPIC_TIMER_HZ 1000000000UL

enum apic_delivery {
	APIC_FIXED = 0,
	APIC_LOWEST = 1,
	APIC_SMI = 2,
	APIC_NMI = 4,
	APIC_INIT = 5,
	APIC_STARTUP = 6,
	APIC_EXTINT = 7,
};

/* An interrupt message, from an ICR, an I/O APIC entry or an MSI. */
struct apic_message {
	uint32_t destination; /* 0xffffffff: everybody, in either mode */
	uint8_t vector;
	uint8_t delivery; /* enum apic_delivery */
	bool is_logical;
	bool is_level;
};

/* Memory for one, in reset state. NULL: no memory. */
struct lapic *lapic_create(struct vcpu *vcpu);
void lapic_destroy(struct lapic *lapic);
/* INIT keeps the APIC id and, other than RESET, the base register. */
void lapic_reset(struct lapic *lapic, bool is_init);

/* Register access by MMIO, offset in the page. Any size; what the SDM calls
 * undefined reads as 0. Raise interrupts, never faults. A write takes vm->lock
 * (EOI of a level-triggered vector), and so does lapic_msr_write. */
uint64_t lapic_mmio_read(struct lapic *lapic, uint64_t offset,
			 unsigned int size);
void lapic_mmio_write(struct lapic *lapic, uint64_t offset, unsigned int size,
		      uint64_t value);

/* x2APIC MSRs 0x800 to 0x8ff. False: #GP. */
bool lapic_msr_read(struct lapic *lapic, uint32_t msr, uint64_t *value);
bool lapic_msr_write(struct lapic *lapic, uint32_t msr, uint64_t value);

/* IA32_APIC_BASE: modes change only as SDM figure "Local x2APIC State
 * Transitions" allows. False: #GP. Address bits above the guest's width
 * (cpuid_address_bits) are for the caller to refuse. */
bool lapic_write_base(struct lapic *lapic, uint64_t value);
/* Does the page of xAPIC registers answer at @gpa? */
bool lapic_is_at(const struct lapic *lapic, gpa_t gpa);

/* IA32_TSC_DEADLINE. */
uint64_t lapic_read_tsc_deadline(const struct lapic *lapic);
void lapic_write_tsc_deadline(struct lapic *lapic, uint64_t value);

/* The timer is due (REQUEST_LAPIC_TIMER): raise, and arm again if periodic. */
void lapic_timer_fire(struct lapic *lapic);

/* What software is to inject next. Task priority, which MOV CR8 may have changed
 * in the guest: vcpu->tpr. Where the CPU takes vectors by itself, it is given what
 * waits, and nothing is left to inject: LAPIC_NONE. */
#define LAPIC_NONE (-1) /* no vector waits */
#define LAPIC_MASKED \
	(-2) /* one waits, but task or in-service priority is higher */
int lapic_next_vector(struct lapic *lapic);
/* Does one wait that could be taken now, by software or by the CPU? */
bool lapic_has_vector(struct lapic *lapic);
/* lapic_next_vector() goes to the guest now: from IRR to ISR. */
void lapic_take_vector(struct lapic *lapic, uint8_t vector);

/* The CPU has ended @vector, whose EOI was to be told. Takes vm->lock. */
void lapic_eoi_done(struct lapic *lapic, uint8_t vector);
/* The guest has written the register at @offset of vcpu->apic.page. */
void lapic_page_written(struct lapic *lapic, uint16_t offset);
/* The x2APIC registers (bit n: MSR 0x800 + n) whose values are in the page. */
extern const uint64_t lapic_page_registers;

/* Does this vCPU take the 8259's interrupts (LVT LINT0 = ExtINT, or APIC off)? */
bool lapic_takes_extint(const struct lapic *lapic);
/* LINT1 as NMI, from the platform's NMI line. */
void lapic_signal_nmi_line(struct lapic *lapic);

/* KVM PV EOI: the guest's word at @word whose bit 0 means "no EOI needed". 0:
 * off. Looked at before lapic_next_vector and set when a vector is taken. Pins
 * the word's page; lapic_reset and lapic_destroy let go of it, the latter
 * therefore before guest_mem_fini. */
void lapic_set_pv_eoi(struct lapic *lapic, gpa_t word);

/* Put @vector into IRR and have the vCPU look. Any CPU, any lock. */
void lapic_accept(struct lapic *lapic, uint8_t vector, bool is_level);

/* Deliver @message to whom it names in @vm; true if somebody took it. Lowest
 * priority chooses one. Any CPU, any lock. */
bool lapic_deliver(struct vm *vm, const struct apic_message *message);

#endif
