#define _GNU_SOURCE
#include "native.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#define ALTERNATE_STACK_SIZE 65536

struct native *native_current;
uint64_t native_host_stack, native_guest_stack, native_target;
uint64_t native_has_landed;

void native_enter(struct native *native, void *code);
void native_return(void);
void native_land(void);

/* Offsets of struct native: gpr 0, rflags 128, xmm 144. */
_Static_assert(offsetof(struct native, rflags) == 128, "known below");
_Static_assert(offsetof(struct native, xmm) == 144, "known below");

/* MOV leaves the flags alone, so they are loaded first and stored first. */
__asm__(".text\n"
	"native_enter:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14\n"
	"	push %r15\n"
	"	mov %rdi, native_current(%rip)\n"
	"	mov %rsi, native_target(%rip)\n"
	"	.irp x, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	movups 144 + 16 * \\x(%rdi), %xmm\\x\n"
	"	.endr\n"
	"	pushq 128(%rdi); popfq\n"
	"	mov %rsp, native_host_stack(%rip)\n"
	"	mov 0(%rdi), %rax; mov 8(%rdi), %rcx; mov 16(%rdi), %rdx\n"
	"	mov 24(%rdi), %rbx; mov 32(%rdi), %rsp; mov 40(%rdi), %rbp\n"
	"	mov 48(%rdi), %rsi\n"
	"	.irp r, 8,9,10,11,12,13,14,15\n"
	"	mov 8 * \\r(%rdi), %r\\r\n"
	"	.endr\n"
	"	mov 56(%rdi), %rdi\n"
	"	jmp *native_target(%rip)\n"
	"native_land:\n"
	"	movq $1, native_has_landed(%rip)\n"
	"native_return:\n"
	"	mov %rsp, native_guest_stack(%rip)\n"
	"	mov native_host_stack(%rip), %rsp\n"
	"	pushfq; push %rax\n"
	"	mov native_current(%rip), %rax\n"
	"	mov %rcx, 8(%rax); mov %rdx, 16(%rax); mov %rbx, 24(%rax)\n"
	"	mov %rbp, 40(%rax); mov %rsi, 48(%rax); mov %rdi, 56(%rax)\n"
	"	.irp r, 8,9,10,11,12,13,14,15\n"
	"	mov %r\\r, 8 * \\r(%rax)\n"
	"	.endr\n"
	"	pop %rcx; mov %rcx, 0(%rax)\n"
	"	pop %rcx; mov %rcx, 128(%rax)\n"
	"	mov native_guest_stack(%rip), %rcx; mov %rcx, 32(%rax)\n"
	"	.irp x, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	movups %xmm\\x, 144 + 16 * \\x(%rax)\n"
	"	.endr\n"
	"	cld\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n");

/* It faulted: as if it had returned, with what registers it had. */
static void on_signal(int number, siginfo_t *info, void *context)
{
	ucontext_t *at = context;

	(void)info;
	if (!native_current)
		abort();
	native_current->signal = (uint64_t)number;
	at->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)native_return;
}

static void catch_signals(void)
{
	static char stack[ALTERNATE_STACK_SIZE];
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_sigaction = on_signal,
				    .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigaltstack(&alternate, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

void *native_map(uint64_t address, uint64_t size, bool is_code)
{
	int rights = PROT_READ | PROT_WRITE | (is_code ? PROT_EXEC : 0);
	void *at =
		mmap((void *)address, size, rights,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	if (at != (void *)address)
		abort();
	catch_signals();
	return at;
}

/* jmp *0(%rip), with the address behind it. */
static void put_jump(uint8_t *at, void (*target)(void))
{
	static const uint8_t jump[6] = { 0xff, 0x25 };
	uint64_t address = (uintptr_t)target;

	memcpy(at, jump, sizeof(jump));
	memcpy(at + sizeof(jump), &address, sizeof(address));
}

void native_run(struct native *native, uint8_t *code, const uint8_t *bytes,
		unsigned int size)
{
	memcpy(code, bytes, size);
	put_jump(code + size, native_return);
	put_jump(code + NATIVE_LANDING, native_land);
	native->signal = native_has_landed = 0;
	native_enter(native, code);
	native->has_branched = native_has_landed;
	native_current = NULL;
}
