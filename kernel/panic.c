/*
 * The end: one CPU speaks, the others stop.
 *
 * The first CPU to panic wins the exchange on `speaker`; it sends NMIs, gives
 * the others a bounded time to stop, then prints without locks. A second panic
 * on the same CPU (in the printing itself) halts at once.
 */
#include "kernel/lib/panic.h"

#include "kernel/cpu/apic.h"
#include "kernel/cpu/percpu.h"
#include "kernel/cpu/trap.h"
#include "kernel/lib/fmt.h"
#include "kernel/log.h"
#include "kernel/smp.h"
#include "kernel/lib/stop.h"
#include "kernel/symbols.h"
#include "kernel/thread.h"
#include "mm/host_space.h"
#include "mm/stack.h"

#define BACKTRACE_MAX 24
#define STOP_POLLS    10000000U
#define NOBODY	      UINT32_MAX

static uint32_t speaker = NOBODY;
static uint32_t stopped_count;

uint64_t __stack_chk_guard;

static const char *const exception_names[32] = {
	"divide error",
	"debug",
	"NMI",
	"breakpoint",
	"overflow",
	"bound range",
	"invalid opcode",
	"no FPU",
	"double fault",
	NULL,
	"invalid TSS",
	"segment not present",
	"stack segment fault",
	"general protection",
	"page fault",
	NULL,
	"x87 error",
	"alignment check",
	"machine check",
	"SIMD error",
	"virtualization",
	"control protection",
};

static void stop_others(void)
{
	uint32_t others = smp_send_nmi_to_others();

	for (uint32_t i = 0; i < STOP_POLLS; i++) {
		if (__atomic_load_n(&stopped_count, __ATOMIC_ACQUIRE) >= others)
			return;
		x86_pause();
	}
}

/* Become the one CPU that speaks, or halt. */
static void begin(void)
{
	uint32_t expected = NOBODY;
	uint32_t self = cpu_number();

	x86_interrupts_off();
	if (!__atomic_compare_exchange_n(&speaker, &expected, self, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		x86_halt_forever();
	stop_others();
	log_enter_panic();
}

static void print_address(uint32_t depth, uint64_t address)
{
	uint64_t distance;
	const char *name = symbols_find(address, &distance);

	if (name)
		log_announce("  #%u %s+0x%lx", depth, name, distance);
	else
		log_announce("  #%u 0x%lx", depth, address);
}

/* Follow the frame pointers: [rbp] is the caller's rbp, [rbp + 8] the return
 * address. */
static void print_backtrace(uint64_t rip, uint64_t rbp)
{
	print_address(0, rip);
	for (uint32_t depth = 1; depth < BACKTRACE_MAX; depth++) {
		const uint64_t *frame = (const uint64_t *)rbp;

		if (rbp % 8 || !host_space_is_mapped(rbp, 16) || !frame[1])
			return;
		/* back into the call: after a _Noreturn one the next function begins */
		print_address(depth, frame[1] - 1);
		if (frame[0] <= rbp)
			return; /* stacks grow down: callers are above */
		rbp = frame[0];
	}
}

static void print_place(void)
{
	log_announce("  cpu %u of %u, %u stopped, thread %s", cpu_number(),
		     smp_cpu_count(), stopped_count, thread_name());
}

static void print_registers(const struct trap_frame *f, uint64_t cr2)
{
	log_announce("  rip %016lx rsp %016lx rflags %08lx", f->rip, f->rsp,
		     f->rflags);
	log_announce("  rax %016lx rbx %016lx rcx %016lx", f->rax, f->rbx,
		     f->rcx);
	log_announce("  rdx %016lx rsi %016lx rdi %016lx", f->rdx, f->rsi,
		     f->rdi);
	log_announce("  rbp %016lx r8  %016lx r9  %016lx", f->rbp, f->r8,
		     f->r9);
	log_announce("  r10 %016lx r11 %016lx r12 %016lx", f->r10, f->r11,
		     f->r12);
	log_announce("  r13 %016lx r14 %016lx r15 %016lx", f->r13, f->r14,
		     f->r15);
	log_announce("  cr2 %016lx cr3 %016lx cr4 %08lx", cr2, x86_read_cr3(),
		     x86_read_cr4());
}

void panic(const char *format, ...)
{
	char text[200];
	va_list args;

	begin();
	va_start(args, format);
	fmt_print_v(text, sizeof(text), format, args);
	va_end(args);
	log_announce("basalt: panic: %s", text);
	print_place();
	print_backtrace((uint64_t)__builtin_return_address(0),
			*(const uint64_t *)x86_frame_pointer());
	x86_halt_forever();
}

/* A stack that ran into its guard page: the push faults, and so does pushing
 * the #PF frame, which makes a #DF. */
static const char *explain(const struct trap_frame *frame, uint64_t cr2)
{
	if ((frame->vector == VECTOR_DF || frame->vector == VECTOR_PF) &&
	    stack_is_guard(cr2))
		return ": stack overflow";
	if (frame->vector == VECTOR_PF && cr2 < PAGE_SIZE)
		return ": null pointer";
	return "";
}

void panic_exception(const struct trap_frame *frame, uint64_t cr2)
{
	begin();
	log_announce("basalt: panic: exception %lu (%s), error code 0x%lx%s",
		     frame->vector,
		     exception_names[frame->vector]
			     ? exception_names[frame->vector]
			     : "reserved",
		     frame->error_code, explain(frame, cr2));
	print_place();
	print_registers(frame, cr2);
	print_backtrace(frame->rip, frame->rbp);
	x86_halt_forever();
}

void panic_nmi(const struct trap_frame *frame)
{
	(void)frame;
	if (__atomic_load_n(&speaker, __ATOMIC_ACQUIRE) == NOBODY)
		return; /* not ours: the platform's; nothing to do but go on */
	__atomic_fetch_add(&stopped_count, 1, __ATOMIC_RELEASE);
	x86_halt_forever();
}

/* Called by the compiler's stack protector. */
_Noreturn void __stack_chk_fail(void);
void __stack_chk_fail(void)
{
	panic("stack canary overwritten in the caller of this");
}

__attribute__((no_stack_protector)) void stop_set_canary(void)
{
	/* a NUL byte first, so that string functions cannot write it */
	__stack_chk_guard = x86_rdtsc() * 0x9e3779b97f4a7c15UL << 8;
}

void stop(const char *format, ...)
{
	char text[LOG_TEXT_MAX];
	va_list args;

	begin();
	va_start(args, format);
	fmt_print_v(text, sizeof(text), format, args);
	va_end(args);
	log_announce("basalt: stopped: %s", text);
	x86_halt_forever();
}
