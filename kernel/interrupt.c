/* The hypervisor's own interrupts: one visible switch. Entered with interrupts
 * off, in idle or at a scheduling point. */
#include "kernel/console_input.h"
#include "kernel/cpu/apic.h"
#include "kernel/cpu/trap.h"
#include "kernel/lib/log.h"
#include "kernel/smp.h"
#include "kernel/timer.h"

void interrupt_dispatch(uint8_t vector)
{
	switch (vector) {
	case VECTOR_TIMER: timer_run_due(); break;
	case VECTOR_RESCHEDULE:
		break; /* having left idle or the guest is all it is for */
	case VECTOR_CONSOLE: console_input_receive(); break;
	case VECTOR_CALL: smp_serve_calls(); break;
	case VECTOR_APIC_ERROR:
		log_debug("apic: error bits 0x%x", apic_errors());
		break;
	case VECTOR_SPURIOUS: return; /* not in service: no end of interrupt */
	default: log_debug("interrupt: vector %u is nobody's", vector); break;
	}
	apic_end_of_interrupt();
}
