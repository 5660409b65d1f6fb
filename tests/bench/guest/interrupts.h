/* Interrupts of the bench guest: the IDT, and what they cost. */
#ifndef TESTS_BENCH_GUEST_INTERRUPTS_H
#define TESTS_BENCH_GUEST_INTERRUPTS_H

#include <stdint.h>

#define VECTOR 0x40 /* of all that is measured */

/* Set the IDT up and load it; mask the 8259. */
void interrupts_init(void);

/* Load the IDT on another CPU. */
void interrupts_load(void);

/* Switch this CPU's local APIC to x2APIC mode. */
void interrupts_use_x2apic(void);

/* How many there were. */
uint32_t interrupts_count(void);

/* Switch the local APIC to x2APIC mode, and report what interrupts cost. */
void interrupts_measure(void);
/* Of IPIs to a running CPU only. */
void interrupts_measure_ipi(void);

/* Halt until a timer ends it, two seconds at 1 GHz. */
void interrupts_nap(void);
_Noreturn void interrupts_sleep(void);

#endif
