/* Traps: to the exception table, the interrupt switch, or panic. */
#include "kernel/cpu/trap.h"

#include <stdbool.h>

#include "kernel/cpu/x86_asm.h"

/* A listed instruction that may fault, and where to go on: filled by
 * x86_asm.h's _safe accessors. */
struct exception_entry {
	uint64_t from;
	uint64_t to;
};

extern const struct exception_entry exception_table_start[];
extern const struct exception_entry exception_table_end[];

static bool exception_fixup(struct trap_frame *frame)
{
	const struct exception_entry *e;

	for (e = exception_table_start; e < exception_table_end; e++) {
		if (e->from == frame->rip) {
			frame->rip = e->to;
			return true;
		}
	}
	return false;
}

void trap_dispatch(struct trap_frame *frame)
{
	if (frame->vector >= 32)
		interrupt_dispatch((uint8_t)frame->vector);
	else if (frame->vector == VECTOR_NMI)
		panic_nmi(frame);
	else if (frame->vector != VECTOR_GP || !exception_fixup(frame))
		panic_exception(frame, x86_read_cr2());
}
