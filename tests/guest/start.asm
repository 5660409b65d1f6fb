; Entry of the first CPU (multiboot 1, 32-bit) and of the others (start-up IPI,
; real mode), to 64-bit code; and every way into trap_handle.

CODE64  equ 0x08
DATA    equ 0x10
CODE32  equ 0x18
STACK_SIZE equ 16384		; guest.h
CPUS_MAX   equ 16

	section .multiboot
	align 4
	dd 0x1badb002, 3, -(0x1badb002 + 3)

	section .data
	global pml4, page_directories, gdt, multiboot_info
	align 4096
pml4:	dq pdpt + 7
	times 511 dq 0
	align 4096
pdpt:
%assign i 0
%rep 6
	dq page_directories + i * 4096 + 7
%assign i i + 1
%endrep
	times 506 dq 0
	align 4096
page_directories:		; 6 GiB in pages of 2 MiB, for everybody
%assign i 0
%rep 6 * 512
	dq i << 21 | 0x87
%assign i i + 1
%endrep

	align 16
gdt:	dq 0
	dq 0x00af9b000000ffff	; 08 64-bit code
	dq 0x00cf93000000ffff	; 10 data
	dq 0x00cf9b000000ffff	; 18 32-bit code
	dq 0x00cff3000000ffff	; 20 user data
	dq 0x00affb000000ffff	; 28 user 64-bit code
	dq 0x00009b000000ffff	; 30 16-bit code
	dq 0x000093000000ffff	; 38 16-bit data
	dq 0x00cf13000000ffff	; 40 data, not present
	dq 0			; 48 for cases
	times 2 * CPUS_MAX dq 0	; 50 a task state a CPU
gdt_end:
gdt_pointer:
	dw gdt_end - gdt - 1
	dd gdt
multiboot_info:
	dd 0

	section .bss
	alignb 4096
	global stacks
stacks:	resb STACK_SIZE * CPUS_MAX

	section .text
	global start
	extern guest_main, guest_main_ap, trap_handle
	bits 32
start:
	cli
	mov [multiboot_info], ebx
	lgdt [gdt_pointer]
	jmp CODE32:common32

; Both come here. The stack goes by APIC id.
common32:
	mov ax, DATA
	mov ds, ax
	mov es, ax
	mov ss, ax
	xor ax, ax
	mov fs, ax
	mov gs, ax
	mov eax, 1
	cpuid
	shr ebx, 24
	mov edi, ebx
	inc ebx
	imul ebx, STACK_SIZE
	lea esp, [stacks + ebx]
	mov eax, pml4
	mov cr3, eax
	mov eax, 1 << 5 | 1 << 9 | 1 << 10	; PAE, OSFXSR, OSXMMEXCPT
	mov cr4, eax
	mov ecx, 0xc0000080			; EFER: SCE, LME, NXE
	mov eax, 1 << 0 | 1 << 8 | 1 << 11
	xor edx, edx
	wrmsr
	mov eax, 1 << 31 | 1 << 16 | 1 << 5 | 1 << 4 | 1 << 1 | 1
	mov cr0, eax				; PG, WP, NE, ET, MP, PE
	jmp CODE64:start64

	bits 64
start64:
	mov edi, edi
	xor ebp, ebp
	test edi, edi
	jnz .ap
	call guest_main
.ap:	call guest_main_ap

; Copied to TRAMPOLINE (guest.h). lgdt needs the pointer within 64 KiB.
	bits 16
	global trampoline, trampoline_end
TRAMPOLINE equ 0x8000
trampoline:
	cli
	xor ax, ax
	mov ds, ax
	o32 lgdt [TRAMPOLINE + (.pointer - trampoline)]
	mov eax, cr0
	or al, 1
	mov cr0, eax
	jmp dword CODE32:common32
.pointer:
	dw gdt_end - gdt - 1
	dd gdt
trampoline_end:

	bits 64
; Vectors, 16 bytes each: trap.c computes their addresses.
	global trap_stubs
	align 16
trap_stubs:
%assign i 0
%rep 256
	align 16
%if !(i == 8 || (i >= 10 && i <= 14) || i == 17 || i == 21)
	push qword 0
%endif
	push qword i
	jmp trap_common
%assign i i + 1
%endrep

trap_common:			; struct trap_frame
	push rax
	push rcx
	push rdx
	push rbx
	push rbp
	push rsi
	push rdi
	push r8
	push r9
	push r10
	push r11
	push r12
	push r13
	push r14
	push r15
	mov rdi, rsp
	mov rbp, rsp
	and rsp, -16
	cld
	call trap_handle
	mov rsp, rbp
	pop r15
	pop r14
	pop r13
	pop r12
	pop r11
	pop r10
	pop r9
	pop r8
	pop rdi
	pop rsi
	pop rbp
	pop rbx
	pop rdx
	pop rcx
	pop rax
	add rsp, 16
	iretq

; user_call(function, argument, stack top, &saved rsp): CPL 3; back by INT 0x80,
; whose gate is user_return. The saved RSP becomes RSP0.
	global user_call, user_return
user_call:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	pushfq
	mov [rcx], rsp
	mov rax, rdi
	mov rdi, rsi
	push qword 0x23
	push rdx
	pushfq
	push qword 0x2b
	push qword .enter
	iretq
.enter:	call rax
	int 0x80
user_return:			; on RSP0 less the frame of the INT
	add rsp, 40
	popfq
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret
