; Switching stacks.

global thread_switch, thread_entry
extern thread_begin

section .text

; void thread_switch(uint64_t *save, uint64_t load): System V ABI, callee-saved registers only
thread_switch:
	push rbp
	push rbx
	push r12
	push r13
	push r14
	push r15
	mov [rdi], rsp
	mov rsp, rsi
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
	ret

thread_entry:
	xor ebp, ebp			; a backtrace ends here
	call thread_begin
	ud2
