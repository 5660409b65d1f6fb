/*
 * Tiny guests: one image, many cases, each of which looks at one thing that a
 * guest sees. `case=NAME` on the command line chooses. The image runs under the
 * hypervisor and, for the cases about what every PC does, on the bare machine:
 *
 *	qemu-system-x86_64 -M q35 -cpu max -kernel guest.elf -append case=NAME
 *		-device isa-debug-exit,iobase=0xf4,iosize=4 -display none
 *		-serial stdio -smp VCPUS
 *
 *	start.asm   entry, stubs of vectors	cases.def  the table of cases
 *	main.c      choice, result		print.c    serial port
 *	trap.c      exceptions and interrupts	smp.c      other CPUs
 *	lapic.c     the local APIC		time.c     TSC as a clock
 *	pci.c       configuration space		virtio.c   an entropy driver
 *	real.asm    to real mode and back	cycle.asm  a CPU's first look
 *	case_*.c    the cases
 *
 * A case runs on CPU 0 with interrupts off, 8259s masked, local APIC enabled
 * (xAPIC). It ends by returning, or at the first check that fails.
 */
#ifndef TESTS_GUEST_GUEST_H
#define TESTS_GUEST_GUEST_H

#include "tests/guest/x86.h"

#define CPUS_MAX   16
#define STACK_SIZE 16384
#define TRAMPOLINE 0x8000UL

#define SELECTOR_CODE	     0x08
#define SELECTOR_DATA	     0x10
#define SELECTOR_CODE32	     0x18
#define SELECTOR_USER_DATA   0x23
#define SELECTOR_USER_CODE   0x2b
#define SELECTOR_CODE16	     0x30
#define SELECTOR_DATA16	     0x38
#define SELECTOR_NOT_PRESENT 0x40
#define SELECTOR_SPARE	     0x48
#define SELECTOR_TSS	     0x50 /* and 16 more a CPU */

#define VECTOR_CALL 0xf0 /* smp_call */
#define VECTOR_USER 0x80 /* back from CPL 3 */

/* start.asm, guest.ld */
extern uint64_t gdt[];
extern uint64_t pml4[512], page_directories[6 * 512];
extern char image_end[];

/* ---- results ---- */

void case_fail(const char *file, int line, const char *what)
	__attribute__((noreturn));
/* Ends the case where it could not return. */
void case_pass(void) __attribute__((noreturn));
void case_check_equal(const char *file, int line, const char *what,
		      uint64_t got, uint64_t expected);

#define CHECK(condition)                                           \
	do {                                                       \
		if (!(condition))                                  \
			case_fail(__FILE__, __LINE__, #condition); \
	} while (0)
#define CHECK_EQ(got, expected)                                              \
	case_check_equal(__FILE__, __LINE__, #got, (uint64_t)(int64_t)(got), \
			 (uint64_t)(int64_t)(expected))

/* Of the case that runs. */
extern uint32_t case_vcpus;
/* Does CPUID show KVM's signature? */
bool is_guest(void);

/* Printed as it is, with a new line. %s %u %x (32 bits) %lx %lu %d %c. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

void *memset(void *to, int value, unsigned long size);
void *memcpy(void *to, const void *from, unsigned long size);
int memcmp(const void *a, const void *b, unsigned long size);

/* ---- exceptions and interrupts ---- */

struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
	uint64_t rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

void trap_init(void);
/* Of this CPU: descriptors, task state. */
void trap_init_cpu(uint32_t number);
/* @handler gets @vector, before TRY is looked at; NULL: nobody. */
void trap_set_handler(uint8_t vector,
		      void (*handler)(struct trap_frame *frame));
/* Stack 1 to 7 of the task state for @vector; 0: the current one. */
void trap_set_stack(uint8_t vector, uint8_t stack);
/* The gate: present or not, and who may use INT with it. */
void trap_set_gate(uint8_t vector, bool is_present, uint8_t dpl);

/* Run @function in CPL 3. */
void user_run(void (*function)(void *argument), void *argument);

/* ---- other CPUs ---- */

uint32_t cpu_number(void);
/* Start all of case_vcpus. */
void smp_start(void);
/* Start-up IPIs to CPU @number after an INIT; the trampoline is there. */
void smp_restart(uint32_t number);
/* The same with code at @page that goes on with the trampoline. */
void smp_restart_at(uint32_t number, uint8_t page);
/* Have @function run on CPU @number, with interrupts off; and wait for it. */
void smp_begin(uint32_t number, void (*function)(void *argument),
	       void *argument);
void smp_wait(uint32_t number);
bool smp_is_running(uint32_t number);
void smp_call(uint32_t number, void (*function)(void *argument),
	      void *argument);

/* ---- time ---- */

/* Ticks a second. */
uint64_t tsc_hz(void);
/* For so many microseconds of the TSC, at least. */
void delay_us(uint64_t us);
/* Is @us from @start (a TSC value) over? */
bool is_over(uint64_t start, uint64_t us);
/* Nothing that must happen takes longer, however loaded the host is. */
#define LONG_US 30000000UL
/* Wait until @condition or, failing, LONG_US. */
#define WAIT_FOR(condition)                                        \
	do {                                                       \
		uint64_t wait_start = rdtsc();                     \
                                                                   \
		while (!(condition)) {                             \
			if (is_over(wait_start, LONG_US))          \
				case_fail(__FILE__, __LINE__,      \
					  "in time: " #condition); \
			pause();                                   \
		}                                                  \
	} while (0)

/* ---- the local APIC, in either mode; registers by offset ---- */

#define LAPIC_ID	    0x020
#define LAPIC_VERSION	    0x030
#define LAPIC_TPR	    0x080
#define LAPIC_PPR	    0x0a0
#define LAPIC_EOI	    0x0b0
#define LAPIC_LDR	    0x0d0
#define LAPIC_DFR	    0x0e0
#define LAPIC_SVR	    0x0f0
#define LAPIC_ISR	    0x100
#define LAPIC_TMR	    0x180
#define LAPIC_IRR	    0x200
#define LAPIC_ESR	    0x280
#define LAPIC_ICR	    0x300
#define LAPIC_ICR_HIGH	    0x310
#define LAPIC_LVT_TIMER	    0x320
#define LAPIC_LVT_LINT0	    0x350
#define LAPIC_LVT_LINT1	    0x360
#define LAPIC_LVT_ERROR	    0x370
#define LAPIC_TIMER_COUNT   0x380
#define LAPIC_TIMER_CURRENT 0x390
#define LAPIC_TIMER_DIVIDE  0x3e0
#define LAPIC_SELF_IPI	    0x3f0

#define LVT_MASKED   BIT(16)
#define LVT_PERIODIC BIT(17)
#define LVT_DEADLINE BIT(18)
#define LVT_EXTINT   0x700

#define ICR_LOWEST  0x100
#define ICR_NMI	    0x400
#define ICR_INIT    0x500
#define ICR_STARTUP 0x600
#define ICR_LOGICAL BIT(11)
#define ICR_ASSERT  BIT(14)
#define ICR_SELF    BIT(18)
#define ICR_ALL	    BIT(19)
#define ICR_OTHERS  (BIT(18) | BIT(19))

#define LAPIC_BASE 0xfee00000UL

void lapic_init(void); /* this CPU's: xAPIC, enabled */
uint32_t lapic_read(uint32_t reg);
void lapic_write(uint32_t reg, uint32_t value);
/* Send @low of ICR to @destination. */
void lapic_send(uint32_t destination, uint32_t low);
void lapic_eoi(void);
void lapic_enter_x2apic(void);
bool lapic_is_x2apic(void);
/* One bit of the 256 of ISR, TMR, IRR. */
bool lapic_has(uint32_t reg, uint8_t vector);

/* A handler that counts and ends the interrupt. */
extern volatile uint32_t counts[256];
void count_handler(struct trap_frame *frame);
void count_vector(uint8_t vector); /* sets it, and its count to 0 */

/* ---- the cases ---- */

#define CASE(name, vcpus, memory, where) void case_##name(void);
#include "tests/guest/cases.def"
#undef CASE

#endif
