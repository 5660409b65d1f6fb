/* First touch of the bench guest's memory. */
#ifndef TESTS_BENCH_GUEST_PAGES_H
#define TESTS_BENCH_GUEST_PAGES_H

/* Report what pages cost that nobody has touched before; works once. */
void pages_measure(void);

#endif
