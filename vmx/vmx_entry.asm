; The world switch.

global vmx_enter, vmx_exited

section .text

; Offsets in struct vcpu_regs (kernel/vcpu.h): general registers by number. RSP is in the VMCS.
%define GPR(n) ((n) * 8)

%define VMCS_HOST_RSP 0x6c14		; vmx/vmcs.h

; Flags: vmx/vmx_vcpu.h.
%define ENTER_LAUNCHED	1
%define ENTER_VERW	2

; bool vmx_enter(struct vcpu_regs *regs, uint64_t *host_rsp, uint32_t flags)
; Interrupts are off and stay so. False: the CPU did not enter the guest, and the VMCS says why.
vmx_enter:
	push rbp
	push rbx
	push r12
	push r13
	push r14
	push r15
	push rdi
	cmp rsp, [rsi]			; mostly: a thread comes here from the same depth
	je .stack_known
	mov [rsi], rsp
	mov eax, VMCS_HOST_RSP
	vmwrite rax, rsp
.stack_known:
	test dl, ENTER_VERW
	jz .buffers_clean
	verw [rel data_selector]	; what is loaded from here on is the guest's own
.buffers_clean:
	test dl, ENTER_LAUNCHED		; MOV leaves the flags alone
	mov rax, [rdi + GPR(0)]
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
	jnz .resume
	vmlaunch
	jmp .refused
.resume:
	vmresume
.refused:
	pop rdi
	xor eax, eax
	jmp return

; Where every exit goes on, with RSP as above.
vmx_exited:
	push rdi
	mov rdi, [rsp + 8]
	mov [rdi + GPR(0)], rax
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
	mov [rdi + GPR(7)], rax
	pop rdi
	mov eax, 1
return:
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
	ret

section .rodata

data_selector:	dw 0x10			; SELECTOR_DATA
