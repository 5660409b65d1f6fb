/* What IPIs between two CPUs of the bench guest cost. */
#ifndef TESTS_BENCH_GUEST_SMP_H
#define TESTS_BENCH_GUEST_SMP_H

/* Start the second CPU and report; ends the machine if it does not start. */
void smp_measure(void);

#endif
