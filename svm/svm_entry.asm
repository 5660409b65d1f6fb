; The world switch.

global svm_enter

section .text

; Offsets in struct vcpu_regs (kernel/vcpu.h): general registers by number. RAX and RSP are in the VMCB.
%define GPR(n) ((n) * 8)

; void svm_enter(struct vcpu_regs *regs, uint64_t vmcb, uint64_t host_vmcb)
; Interrupts are off. Between CLGI and STGI nothing is taken, so IF can be set: with V_INTR_MASKING it is the machine's IF that
; lets an interrupt exit the guest (APM 2 15.21.1 "Virtualizing APIC.TPR and RFLAGS.IF").
svm_enter:
	push rbp
	push rbx
	push r12
	push r13
	push r14
	push r15
	push rdx
	push rdi
	clgi
	sti
	mov rax, rsi
	mov rcx, [rdi + GPR(1)]
	mov rdx, [rdi + GPR(2)]
	mov rbx, [rdi + GPR(3)]
	mov rbp, [rdi + GPR(5)]
	mov rsi, [rdi + GPR(6)]
	mov r8, [rdi + GPR(8)]
	mov r9, [rdi + GPR(9)]
	mov r10, [rdi + GPR(10)]
	mov r11, [rdi + GPR(11)]
	mov r12, [rdi + GPR(12)]
	mov r13, [rdi + GPR(13)]
	mov r14, [rdi + GPR(14)]
	mov r15, [rdi + GPR(15)]
	mov rdi, [rdi + GPR(7)]
	vmload
	vmrun
	vmsave
	mov rax, rdi			; RAX is the host's again
	pop rdi
	mov [rdi + GPR(7)], rax
	mov [rdi + GPR(1)], rcx
	mov [rdi + GPR(2)], rdx
	mov [rdi + GPR(3)], rbx
	mov [rdi + GPR(5)], rbp
	mov [rdi + GPR(6)], rsi
	mov [rdi + GPR(8)], r8
	mov [rdi + GPR(9)], r9
	mov [rdi + GPR(10)], r10
	mov [rdi + GPR(11)], r11
	mov [rdi + GPR(12)], r12
	mov [rdi + GPR(13)], r13
	mov [rdi + GPR(14)], r14
	mov [rdi + GPR(15)], r15
	pop rax
	vmload			; our FS, GS, TR, LDTR and syscall MSRs: what VMRUN does not keep
	cli
	stgi
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
	ret
