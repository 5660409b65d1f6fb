; The 256 trap entries: SDM 3A 6.14.2 "64-Bit Mode Stack Frame". The CPU has aligned the stack and pushed ss, rsp, rflags, cs, rip
; and, for some vectors, an error code; we complete struct trap_frame (trap.h), which keeps the stack 16-byte aligned.

extern trap_dispatch
global trap_entries

section .text

; Vectors with an error code: SDM 3A table 6-1 "Protected-Mode Exceptions and Interrupts"
%define HAS_ERROR_CODE(v) ((v) == 8 || ((v) >= 10 && (v) <= 14) || (v) == 17 || (v) == 21 || (v) == 29 || (v) == 30)

align 16
trap_entries:
%assign vector 0
%rep 256
	align 16, nop			; 16 bytes each: descriptors.c relies on it
	%if HAS_ERROR_CODE(vector)
	%else
	push qword 0
	%endif
	push qword vector
	jmp near trap_common
%assign vector vector + 1
%endrep

trap_common:
	push rax
	push rbx
	push rcx
	push rdx
	push rsi
	push rdi
	push rbp
	push r8
	push r9
	push r10
	push r11
	push r12
	push r13
	push r14
	push r15
	cld
	mov rdi, rsp
	call trap_dispatch
	pop r15
	pop r14
	pop r13
	pop r12
	pop r11
	pop r10
	pop r9
	pop r8
	pop rbp
	pop rdi
	pop rsi
	pop rdx
	pop rcx
	pop rbx
	pop rax
	add rsp, 16
	iretq
