/*
 * A virtual CPU: a thread that runs the guest, bound to one CPU of the machine.
 *
 *	vcpu_loop:   requests -> event -> ops->run -> exit_handle -> again
 *
 * Who may touch what. Only the vCPU's own thread touches its registers, its back
 * end's control block and its local APIC's registers. Others ask: they set a bit
 * in `requests` (vcpu_request), or a bit in the local APIC's request register
 * (lapic_accept), which is atomic, and then kick.
 *
 * Going in and being kicked. `mode` is what the kicker looks at after it set a
 * request bit; the vCPU looks at `requests` after it set the mode. Both orders
 * are sequentially consistent, so one of the two sees the other:
 *
 *	VCPU_OUTSIDE	will look at requests before it enters: do nothing
 *	VCPU_INSIDE	entering or in the guest, interrupts off until it is in: IPI
 *	VCPU_PARKED	asleep in thread_park: thread_unpark
 */
#ifndef KERNEL_VCPU_H
#define KERNEL_VCPU_H

#include "kernel/emulate_cache.h"
#include "kernel/lib/bits.h"
#include "kernel/timer.h"
#include "kernel/vmexit.h"
#include "mm/pgtable.h"

struct lapic;
struct vm;

/* General registers in the order of instruction encodings. */
enum gpr {
	GPR_RAX,
	GPR_RCX,
	GPR_RDX,
	GPR_RBX,
	GPR_RSP,
	GPR_RBP,
	GPR_RSI,
	GPR_RDI,
	GPR_R8,
	GPR_R15 = 15,
	GPR_COUNT
};

/* Segment registers in the order of instruction encodings. */
enum segment_name {
	SEGMENT_ES,
	SEGMENT_CS,
	SEGMENT_SS,
	SEGMENT_DS,
	SEGMENT_FS,
	SEGMENT_GS,
	SEGMENT_LDTR,
	SEGMENT_TR,
	SEGMENT_COUNT
};

/* Attributes: bits 15:8 of the second word of a descriptor, then its bits 23:20,
 * as a VMCB has them. 0 with P clear: unusable. */
#define SEGMENT_TYPE BITS(3, 0)
#define SEGMENT_S    BIT(4)
#define SEGMENT_DPL  BITS(6, 5)
#define SEGMENT_P    BIT(7)
#define SEGMENT_AVL  BIT(8)
#define SEGMENT_L    BIT(9)
#define SEGMENT_DB   BIT(10)
#define SEGMENT_G    BIT(11)

struct segment {
	uint16_t selector;
	uint16_t attributes;
	uint32_t limit; /* in bytes, expanded */
	uint64_t base;
};

struct table_register {
	uint64_t base;
	uint32_t limit;
};

/* At the front of struct vcpu: the assembly of both back ends knows it. */
struct vcpu_regs {
	uint64_t gpr[GPR_COUNT];
	uint64_t rip;
	uint64_t rflags;
};

/* The rest of the architectural state, as the back end keeps it. */
struct vcpu_state {
	struct segment segments[SEGMENT_COUNT];
	struct table_register gdtr, idtr;
	uint64_t cr0, cr2, cr3, cr4, efer;
	uint64_t dr6, dr7;
	uint64_t cpl;
};

/* What decides how an address or an instruction is read. */
struct cpu_mode {
	uint64_t cr0, cr3, cr4, efer;
	uint8_t cpl;
	uint8_t code_size; /* 2, 4 or 8 bytes: of CS */
};

/* Exits that tell when the guest can take something. */
#define WINDOW_INTERRUPT BIT(0)
#define WINDOW_NMI	 BIT(1)
#define WINDOW_TPR	 BIT(2) /* EXIT_CR_WRITE of CR8 */

/*
 * A back end. All but cpu_start act on the calling thread's own vCPU, or on one
 * whose thread does not run yet.
 */
struct vcpu_ops {
	const char *name;
	const struct pt_format *memory_format;
	uint8_t memory_leaf_level; /* the largest leaf: 1 to 3, of pgtable.h */

	/* Turn virtualization on on this CPU. 0 or -E. */
	int (*cpu_start)(void);

	/* Control block. -ENOMEM. */
	int (*create)(struct vcpu *vcpu);
	void (*destroy)(struct vcpu *vcpu);

	/* As after power-on or INIT, but for registers: nothing blocked, nothing
	 * asked for, no translations. */
	void (*reset)(struct vcpu *vcpu);
	/* Enter the guest; returns after its exit with regs, exit, tpr,
	 * is_shadowed and event (if delivery was cut short) filled. */
	void (*run)(struct vcpu *vcpu);

	/* Deliver @event at the next entry. */
	void (*inject)(struct vcpu *vcpu, const struct event *event);
	/* Exit when what WINDOW_* says becomes possible; replaces what was
	 * asked before. */
	void (*set_windows)(struct vcpu *vcpu, uint32_t windows);
	/* Is an NMI being handled (until IRET)? */
	bool (*is_nmi_blocked)(const struct vcpu *vcpu);

	void (*read_mode)(const struct vcpu *vcpu, struct cpu_mode *mode);
	void (*read_segment)(const struct vcpu *vcpu, enum segment_name name,
			     struct segment *segment);
	void (*read_state)(const struct vcpu *vcpu, struct vcpu_state *state);
	void (*write_state)(struct vcpu *vcpu, const struct vcpu_state *state);

	/* MSRs that the control block holds (vcpu_msr_names.h lists them).
	 * The value has been checked. */
	uint64_t (*read_msr)(const struct vcpu *vcpu, uint32_t msr);
	void (*write_msr)(struct vcpu *vcpu, uint32_t msr, uint64_t value);

	void (*set_tsc_offset)(struct vcpu *vcpu, uint64_t offset);
	/* Forget translations of guest memory, before the next entry. */
	void (*flush_tlb)(struct vcpu *vcpu);
};

/* The back end of this machine, chosen at boot. */
extern const struct vcpu_ops *vcpu_ops;

/* Bits of vcpu->requests. */
#define REQUEST_EVENT	      BIT(0) /* look for an event to inject */
#define REQUEST_LAPIC_TIMER   BIT(1) /* the local APIC's timer is due */
#define REQUEST_DEVICE_TIMERS BIT(2) /* vCPU 0: a vm_timer is due or was set */
#define REQUEST_INIT	      BIT(3)
#define REQUEST_STARTUP	      BIT(4) /* start-up IPI, page in startup_page */
#define REQUEST_NMI	      BIT(5)
#define REQUEST_FLUSH_TLB     BIT(6)
#define REQUEST_STOP	      BIT(7) /* leave the loop: vm->end says why */
#define REQUEST_CLOCK	      BIT(8) /* write the kvm-clock page anew */
#define REQUEST_WAKE	      BIT(9) /* nothing but not to sleep */

/*
 * The part of the local APIC's work that the CPU does by itself while the guest
 * runs, where the back end's CPU can, in x2APIC mode: it takes vectors from IRR
 * into service and out of it at an EOI, sends itself IPIs, and reads registers in
 * `page`. Software and the CPU take turns: drivers/pc/lapic_lend.c. `run` looks
 * at it if is_changed, and takes that back.
 */
struct vcpu_apic {
	uint32_t *page; /* (o) laid out as xAPIC memory; NULL: the CPU cannot */
	bool is_on;
	bool is_changed;       /* what is in here, by software */
	uint64_t eoi_exits[4]; /* vectors whose EOI exits: EXIT_APIC_EOI */
};

enum vcpu_mode { VCPU_OUTSIDE, VCPU_INSIDE, VCPU_PARKED };

/* Is it executing? */
enum vcpu_activity {
	ACTIVITY_RUNNING,
	ACTIVITY_HALTED,
	ACTIVITY_WAIT_FOR_STARTUP, /* after INIT, until a start-up IPI */
	ACTIVITY_SHUT_DOWN,
};

#define VCPU_XSAVE_SIZE_MAX 11264 /* with AMX; the CPU says how much it needs */

/* Legend: (o) set once, (a) atomic, from any CPU, else the vCPU's own thread. */
struct vcpu {
	struct vcpu_regs regs; /* first: known to the assembly */
	uint32_t requests;     /* (a) REQUEST_* */
	uint32_t mode;	       /* (a) enum vcpu_mode */
	struct vm *vm;	       /* (o) */
	void *backend;	       /* (o) of the back end */
	struct lapic *lapic;   /* (o) */
	struct vcpu_apic apic;
	struct vmexit exit; /* of the last exit */
	struct event event; /* on its way into the guest */
	uint8_t tpr; /* task priority, CR8 << 4 | low bits, as of the last exit;
			the back end loads it at entry */
	bool is_shadowed; /* behind STI or MOV SS at the last exit */
	bool is_nmi_pending;
	uint8_t windows;      /* WINDOW_* that the back end was asked for */
	bool is_event_due;    /* event_prepare has something to look at */
	uint8_t activity;     /* enum vcpu_activity */
	uint8_t startup_page; /* (a) */
	uint32_t number;      /* (o) in its VM; the APIC id too */
	uint32_t cpu;	      /* (o) of the machine, that it runs on */
	uint64_t tsc_offset;  /* guest's TSC = machine's + this */
	uint64_t xcr0;	      /* while not loaded */
	uint64_t xss;
	uint64_t tsc_aux; /* while not loaded: guests write the MSR direct */
	uint64_t dr[4];	  /* while not loaded */
	void *xsave;	  /* (o) FPU state while not loaded, in frames */
	uint64_t flush_generation; /* of guest memory, when last flushed */
	struct emulate_cache emulate_cache;
	struct timer lapic_timer;
	struct timer device_timer; /* vCPU 0: the earliest vm_timer */
	struct thread *thread;	   /* (o) */

	/* MSRs that live in software only, by their names */
	struct {
		uint64_t apic_base;
		uint64_t tsc_deadline;
		uint64_t tsc_adjust;
		uint64_t misc_enable;
		uint64_t mtrr_default;
		uint64_t mtrr_fixed[11];
		uint64_t mtrr_variable[16];
		uint64_t spec_ctrl;
		uint64_t kvm_clock; /* SYSTEM_TIME */
		uint64_t kvm_wall_clock;
		uint64_t kvm_pv_eoi;
		uint64_t mcg_status;
		uint64_t pat;
		uint64_t hwcr;
	} msr;

	uint64_t exit_count[EXIT_REASON_COUNT];
};

/* Set @request and see that the vCPU looks at it soon. Any CPU, any lock. */
void vcpu_request(struct vcpu *vcpu, uint32_t request);

/* A new vCPU of @vm on CPU @cpu in reset state: number 0 will run, others wait
 * for start-up. -ENOMEM. */
int vcpu_create(struct vm *vm, uint32_t number, uint32_t cpu);
void vcpu_destroy(struct vcpu *vcpu);

/* Registers after RESET (@is_init false) or INIT: SDM 3A table 9-1 "IA-32 and
 * Intel 64 Processor States Following Power-up, Reset, or INIT". */
void vcpu_reset(struct vcpu *vcpu, bool is_init);

/* Make its thread, which begins to run the guest when it is unparked, and ends
 * after REQUEST_STOP. -ENOMEM. */
int vcpu_prepare(struct vcpu *vcpu);

/* The instruction that exited is done: RIP behind it, shadow gone, #DB if
 * single-stepping. Decodes its length if the CPU did not tell it. */
void vcpu_skip_insn(struct vcpu *vcpu);

/* Arm the local APIC's timer of the calling thread's vCPU; TIME_NEVER disarms. */
void vcpu_arm_lapic_timer(struct vcpu *vcpu, uint64_t deadline);

/* Guest's TSC now. */
uint64_t vcpu_tsc(const struct vcpu *vcpu);

/* XCR0 of the calling thread's vCPU: the CPU's own register, because not every
 * CPU exits for XSETBV (QEMU's TCG does not). */
uint64_t vcpu_read_xcr0(const struct vcpu *vcpu);

/* XSETBV by the calling thread's vCPU; checked. */
void vcpu_write_xcr0(struct vcpu *vcpu, uint64_t value);

/* XMM register @number (0 to 15) of the calling thread's vCPU. */
struct xmm {
	uint64_t low, high;
};
struct xmm vcpu_read_xmm(struct vcpu *vcpu, unsigned int number);
void vcpu_write_xmm(struct vcpu *vcpu, unsigned int number, struct xmm value);

static inline uint64_t vcpu_edx_eax(const struct vcpu *vcpu)
{
	return vcpu->regs.gpr[GPR_RDX] << 32 |
	       (uint32_t)vcpu->regs.gpr[GPR_RAX];
}

static inline void vcpu_set_edx_eax(struct vcpu *vcpu, uint64_t value)
{
	vcpu->regs.gpr[GPR_RAX] = (uint32_t)value;
	vcpu->regs.gpr[GPR_RDX] = value >> 32;
}

#endif
