/* Interrupts of the bench guest: the IDT, and what they cost. */
#ifndef TESTS_BENCH_GUEST_INTERRUPTS_H
#define TESTS_BENCH_GUEST_INTERRUPTS_H

/* Load the IDT; mask the 8259. */
void interrupts_init(void);

/* Switch the local APIC to x2APIC mode, and report what interrupts cost. */
void interrupts_measure(void);

#endif
