/* The virtual machine control block: APM 2 appendix B "Layout of VMCB". [pure] */
#ifndef SVM_VMCB_H
#define SVM_VMCB_H

#include <stddef.h>

#include "kernel/lib/bits.h"

/* Intercepts of control registers: reads, then writes. */
#define VMCB_CR_READ(n)	 BIT(n)
#define VMCB_CR_WRITE(n) BIT(16 + (n))

/* Intercepts, first word (offset 00Ch). */
#define VMCB_INTR	 BIT(0)
#define VMCB_NMI	 BIT(1)
#define VMCB_SMI	 BIT(2)
#define VMCB_INIT	 BIT(3)
#define VMCB_VINTR	 BIT(4)
#define VMCB_RDPMC	 BIT(15)
#define VMCB_CPUID	 BIT(18)
#define VMCB_IRET	 BIT(20)
#define VMCB_INVD	 BIT(22)
#define VMCB_PAUSE	 BIT(23)
#define VMCB_HLT	 BIT(24)
#define VMCB_INVLPGA	 BIT(26)
#define VMCB_IOIO	 BIT(27)
#define VMCB_MSR	 BIT(28)
#define VMCB_FERR_FREEZE BIT(30)
#define VMCB_SHUTDOWN	 BIT(31)

/* Intercepts, second word (offset 010h). */
#define VMCB_VMRUN   BIT(0)
#define VMCB_VMMCALL BIT(1)
#define VMCB_VMLOAD  BIT(2)
#define VMCB_VMSAVE  BIT(3)
#define VMCB_STGI    BIT(4)
#define VMCB_CLGI    BIT(5)
#define VMCB_SKINIT  BIT(6)
#define VMCB_WBINVD  BIT(9)
#define VMCB_MONITOR BIT(10)
#define VMCB_MWAIT   BIT(11)
#define VMCB_XSETBV  BIT(13)
#define VMCB_RDPRU   BIT(14)

/* Intercepts, third word (offset 014h). */
#define VMCB_INVLPGB	     BIT(0)
#define VMCB_INVLPGB_ILLEGAL BIT(1)
#define VMCB_MCOMMIT	     BIT(3)
#define VMCB_TLBSYNC	     BIT(4)

#define VMCB_TLB_FLUSH_ALL 1U

/* Virtual interrupt control (offset 060h). */
#define VMCB_V_TPR	    BITS(3, 0)
#define VMCB_V_IRQ	    BIT(8)
#define VMCB_V_INTR_PRIO    BITS(19, 16)
#define VMCB_V_IGN_TPR	    BIT(20)
#define VMCB_V_INTR_MASKING BIT(24)

#define VMCB_INTERRUPT_SHADOW BIT(0)

#define VMCB_NESTED_PAGING BIT(0)

/* EVENTINJ and EXITINTINFO (APM 2 15.20 "Event Injection"). */
#define VMCB_EVENT_VECTOR    BITS(7, 0)
#define VMCB_EVENT_TYPE	     BITS(10, 8)
#define VMCB_EVENT_HAS_ERROR BIT(11)
#define VMCB_EVENT_VALID     BIT(31)
#define VMCB_EVENT_ERROR     BITS(63, 32)
#define VMCB_EVENT_INTERRUPT 0U
#define VMCB_EVENT_NMI	     2U
#define VMCB_EVENT_EXCEPTION 3U

/* Clean bits (APM 2 15.15.3 "VMCB Clean Field"). */
#define VMCB_CLEAN_INTERCEPTS BIT(0) /* and TSC offset, pause filter */
#define VMCB_CLEAN_ASID	      BIT(2)
#define VMCB_CLEAN_TPR	      BIT(3)
#define VMCB_CLEAN_CR	      BIT(5)
#define VMCB_CLEAN_DR	      BIT(6)
#define VMCB_CLEAN_DT	      BIT(7)
#define VMCB_CLEAN_SEG	      BIT(8)
#define VMCB_CLEAN_CR2	      BIT(9)
#define VMCB_CLEAN_ALL	      BITS(11, 0)

/* Exit codes: APM 2 appendix C "SVM Intercept Exit Codes". */
#define VMCB_EXIT_CR_READ    0x00
#define VMCB_EXIT_CR_WRITE   0x10
#define VMCB_EXIT_EXCEPTION  0x40
#define VMCB_EXIT_INTR	     0x60
#define VMCB_EXIT_NMI	     0x61
#define VMCB_EXIT_SMI	     0x62
#define VMCB_EXIT_INIT	     0x63
#define VMCB_EXIT_VINTR	     0x64
#define VMCB_EXIT_RDPMC	     0x6f
#define VMCB_EXIT_CPUID	     0x72
#define VMCB_EXIT_IRET	     0x74
#define VMCB_EXIT_INVD	     0x76
#define VMCB_EXIT_PAUSE	     0x77
#define VMCB_EXIT_HLT	     0x78
#define VMCB_EXIT_INVLPGA    0x7a
#define VMCB_EXIT_IOIO	     0x7b
#define VMCB_EXIT_MSR	     0x7c
#define VMCB_EXIT_FERR	     0x7e
#define VMCB_EXIT_SHUTDOWN   0x7f
#define VMCB_EXIT_VMRUN	     0x80
#define VMCB_EXIT_VMMCALL    0x81
#define VMCB_EXIT_VMLOAD     0x82
#define VMCB_EXIT_VMSAVE     0x83
#define VMCB_EXIT_STGI	     0x84
#define VMCB_EXIT_CLGI	     0x85
#define VMCB_EXIT_SKINIT     0x86
#define VMCB_EXIT_WBINVD     0x89
#define VMCB_EXIT_MONITOR    0x8a
#define VMCB_EXIT_MWAIT	     0x8b
#define VMCB_EXIT_MWAIT_ARM  0x8c
#define VMCB_EXIT_XSETBV     0x8d
#define VMCB_EXIT_RDPRU	     0x8e
#define VMCB_EXIT_INVLPGB    0xa0
#define VMCB_EXIT_INVLPGB_IL 0xa1
#define VMCB_EXIT_MCOMMIT    0xa3
#define VMCB_EXIT_TLBSYNC    0xa4
#define VMCB_EXIT_COUNT	     0xa5 /* of the codes that follow each other */
#define VMCB_EXIT_NPF	     0x400
#define VMCB_EXIT_INVALID    (~0UL)

/* EXITINFO1 of IOIO (APM 2 15.10.2 "IN and OUT Behavior"). */
#define VMCB_IO_IN     BIT(0)
#define VMCB_IO_STRING BIT(2)
#define VMCB_IO_SIZE   BITS(6, 4) /* one bit: 1, 2 or 4 bytes */
#define VMCB_IO_PORT   BITS(31, 16)

/* EXITINFO1 of NPF (APM 2 15.25.6 "Nested versus Guest Page Faults, Fault
 * Ordering"). */
#define VMCB_NPF_WRITE	 BIT(1)
#define VMCB_NPF_EXECUTE BIT(4)
#define VMCB_NPF_TABLE	 BIT(33)

/* EXITINFO1 of CR and DR accesses with decode assists. */
#define VMCB_CR_DECODED BIT(63)
#define VMCB_CR_GPR	BITS(3, 0)

struct vmcb_segment {
	uint16_t selector;
	uint16_t attributes;
	uint32_t limit;
	uint64_t base;
};

struct vmcb_control {
	uint32_t intercept_cr;
	uint32_t intercept_dr;
	uint32_t intercept_exceptions;
	uint32_t intercept1;
	uint32_t intercept2;
	uint32_t intercept3;
	uint8_t reserved1[0x3c - 0x18];
	uint16_t pause_filter_threshold;
	uint16_t pause_filter_count;
	uint64_t iopm_base;
	uint64_t msrpm_base;
	uint64_t tsc_offset;
	uint32_t asid;
	uint32_t tlb_control;
	uint64_t v_intr;
	uint64_t interrupt_state;
	uint64_t exit_code;
	uint64_t exit_info1;
	uint64_t exit_info2;
	uint64_t exit_int_info;
	uint64_t nested_control;
	uint8_t reserved2[0xa8 - 0x98];
	uint64_t event_inj;
	uint64_t nested_cr3;
	uint64_t lbr_control;
	uint64_t clean;
	uint64_t next_rip;
	uint8_t insn_byte_count;
	uint8_t insn_bytes[15];
	uint8_t reserved3[0x400 - 0xe0];
};

struct vmcb_save {
	/* in this order in the block, not in that of encodings */
	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved1[0x4cb - 0x4a0];
	uint8_t cpl;
	uint32_t reserved2;
	uint64_t efer;
	uint8_t reserved3[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0;
	uint64_t dr7, dr6;
	uint64_t rflags, rip;
	uint8_t reserved4[0x5d8 - 0x580];
	uint64_t rsp;
	uint8_t reserved5[0x5f8 - 0x5e0];
	uint64_t rax;
	uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t cr2;
	uint8_t reserved6[0x668 - 0x648];
	uint64_t pat;
	uint64_t debug_control;
	uint8_t reserved7[0x1000 - 0x678];
} __attribute__((packed));

struct vmcb {
	struct vmcb_control control;
	struct vmcb_save save;
};

_Static_assert(offsetof(struct vmcb_control, v_intr) == 0x60,
	       "APM 2 table B-1");
_Static_assert(offsetof(struct vmcb_control, exit_int_info) == 0x88,
	       "APM 2 table B-1");
_Static_assert(offsetof(struct vmcb_control, event_inj) == 0xa8,
	       "APM 2 table B-1");
_Static_assert(offsetof(struct vmcb_control, insn_byte_count) == 0xd0,
	       "APM 2 table B-1");
_Static_assert(offsetof(struct vmcb, save) == 0x400, "APM 2 table B-2");
_Static_assert(offsetof(struct vmcb, save.efer) == 0x4d0, "APM 2 table B-2");
_Static_assert(offsetof(struct vmcb, save.rip) == 0x578, "APM 2 table B-2");
_Static_assert(offsetof(struct vmcb, save.rax) == 0x5f8, "APM 2 table B-2");
_Static_assert(offsetof(struct vmcb, save.cr2) == 0x640, "APM 2 table B-2");
_Static_assert(offsetof(struct vmcb, save.pat) == 0x668, "APM 2 table B-2");
_Static_assert(sizeof(struct vmcb) == 0x1000, "one page");

#endif
