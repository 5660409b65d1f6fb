/* What stands in for the machine in host tests. */
#ifndef FAKE_H
#define FAKE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Set before a call that must panic: `if (!setjmp(fake_panic_jump)) {
 * fake_panic_expected = true; call(); fail(); }`. Without it a panic aborts the
 * test program. fake_panic_text holds the last panic's line.
 */
extern bool fake_panic_expected;
extern jmp_buf fake_panic_jump;
extern char fake_panic_text[256];

/* Lines logged since fake_log_reset, by level; and the last line. */
extern unsigned int fake_log_count[4];
extern char fake_log_last[256];
void fake_log_reset(void);

#endif
