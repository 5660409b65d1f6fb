/* Why the guest stopped, in words that both back ends share. [pure] */
#ifndef KERNEL_VMEXIT_H
#define KERNEL_VMEXIT_H

#include "kernel/event.h"
#include "mm/addr.h"

/*
 *	reason			what exit_handle finds in the union
 */
enum exit_reason {
	EXIT_UNKNOWN,	       /* code: of the CPU */
	EXIT_INTERRUPT,	       /* - : the machine's; take it in thread_window */
	EXIT_NMI,	       /* - : the machine's; already taken */
	EXIT_CPUID,	       /* - */
	EXIT_MSR_READ,	       /* - : number in RCX */
	EXIT_MSR_WRITE,	       /* - : number in RCX */
	EXIT_IO,	       /* io */
	EXIT_MEMORY,	       /* memory */
	EXIT_HYPERCALL,	       /* - */
	EXIT_HLT,	       /* - */
	EXIT_PAUSE,	       /* - : spinning */
	EXIT_EXCEPTION,	       /* exception */
	EXIT_WINDOW_INTERRUPT, /* - : can take an interrupt now */
	EXIT_WINDOW_NMI,       /* - : can take an NMI now */
	EXIT_CR_WRITE,	       /* cr */
	EXIT_CR_READ,	       /* cr */
	EXIT_XSETBV,	       /* - : index in RCX */
	EXIT_WBINVD,	       /* - : INVD and WBINVD */
	EXIT_RDPMC,	       /* - */
	EXIT_UNDEFINED,	  /* - : an instruction that guests do not have: #UD */
	EXIT_TASK_SWITCH, /* task */
	EXIT_APIC_EOI,	 /* apic: the CPU did the EOI, but others wait for it */
	EXIT_APIC_WRITE, /* apic: into vcpu->apic.page, done */
	EXIT_STEP,	 /* - : one instruction was executed, as asked */
	EXIT_TRIPLE_FAULT, /* - : shutdown */
	EXIT_REFUSED,	   /* code: the CPU refused the guest's state */
	EXIT_REASON_COUNT
};

/* "cpuid", "io", …: as in the trace and the statistics. */
extern const char *const exit_reason_names[EXIT_REASON_COUNT];

/* How memory was touched. */
#define ACCESS_READ    0U
#define ACCESS_WRITE   BIT(0)
#define ACCESS_EXECUTE BIT(1)

#define INSN_BYTES_MAX 15

struct vmexit {
	uint8_t reason;	  /* enum exit_reason */
	uint8_t insn_len; /* of the instruction that exited; 0: not known, or
			     none. Of EXIT_TASK_SWITCH: always known for CALL,
			     IRET, JMP and for INT n, INT1, INT3, INTO through
			     a gate; 0 for other events through one */
	union {
		struct {
			uint16_t port;
			uint8_t size; /* 1, 2, 4 */
			bool is_in;
			bool is_string; /* INS, OUTS: decode the instruction */
		} io;
		struct {
			gpa_t gpa;
			uint32_t access;    /* ACCESS_* */
			bool is_table_walk; /* by the CPU, reading or writing
					       the guest's page tables */
			uint8_t byte_count; /* 0: the CPU does not tell */
			uint8_t bytes[INSN_BYTES_MAX];
		} memory;
		struct {
			uint8_t vector;
			bool has_error;
			uint32_t error_code;
			uint64_t address; /* CR2, of #PF */
		} exception;
		struct {
			uint8_t number;
			bool is_decoded; /* gpr is known */
			uint8_t gpr;
		} cr;
		/*
		 * Software does the rest of the switch. An event that came
		 * through the gate is in vcpu->event too, unless it is the
		 * instruction's: it is used up, not delivered again. So an
		 * NMI's leaves NMIs blocked; and IRET has let them in.
		 */
		struct {
			uint16_t selector; /* of the new TSS */
			uint8_t source;	   /* 0 CALL, 1 IRET, 2 JMP, 3 gate */
			bool has_error;
			uint32_t error_code;
		} task;
		struct {
			uint8_t vector;	 /* of the EOI */
			uint16_t offset; /* of the register */
		} apic;
		uint64_t code;
	};
};

#endif
