; Tasks: from 64-bit code to 32-bit protected mode with paging, one of the guest's
; mains there, and back. task_run(main): interrupts are off. task.c fills the
; tables, and case_task.c reads what the tasks noted.

CODE64	equ 0x08
DATA	equ 0x10
CODE32	equ 0x18

; The GDT of the tasks: task.h
T_CODE	equ 0x08
T_DATA	equ 0x10
T_MAIN	equ 0x18
T_OTHER	equ 0x20
T_GATE	equ 0x28
T_SMALL	equ 0x30
T_USER	equ 0x38
T_CALL	equ 0x40		; a task gate to T_OTHER, DPL 3

LAPIC_EOI equ 0xfee000b0

	section .data
saved_rsp:	dq 0
saved_cr4:	dq 0
saved_gdt:	dw 0
		dq 0

	section .text
	global task_run
	extern pml4, task_gdt_pointer, task_idt_pointer, task_directories
	extern task_seen, task_returns, task_noted, task_window
	extern task_gate_seen, task_fix_at, task_fix, task_eoi

	bits 64
task_run:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	mov [saved_rsp], rsp
	mov rax, cr4
	mov [saved_cr4], rax
	sgdt [saved_gdt]
	mov esi, edi
	push qword CODE32
	push qword .compatible
	db 0x48
	retf
	bits 32
.compatible:
	mov eax, cr0
	and eax, 0x7fffffff
	mov cr0, eax		; long mode is over
	mov ecx, 0xc0000080
	rdmsr
	and eax, ~(1 << 8)	; LME
	wrmsr
	lgdt [task_gdt_pointer]
	lidt [task_idt_pointer]
	jmp T_CODE:.tasks
.tasks:
	mov ax, T_DATA
	mov ds, ax
	mov es, ax
	mov ss, ax
	xor ax, ax
	mov fs, ax
	mov gs, ax
	lldt ax
	mov eax, 1 << 4		; PSE
	mov cr4, eax
	mov eax, task_directories
	mov cr3, eax
	mov eax, cr0
	and eax, ~(1 << 3)	; TS
	or eax, 1 << 31
	mov cr0, eax
	mov ax, T_MAIN
	ltr ax
	call esi
	mov [task_noted], eax
	mov eax, cr0
	and eax, ~(1 << 31 | 1 << 3)
	mov cr0, eax
	mov eax, [saved_cr4]
	mov cr4, eax
	mov eax, pml4
	mov cr3, eax
	mov ecx, 0xc0000080
	rdmsr
	or eax, 1 << 8
	wrmsr
	lgdt [saved_gdt]
	mov eax, cr0
	or eax, 1 << 31
	mov cr0, eax
	jmp CODE64:.back
	bits 64
.back:
	mov ax, DATA
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov rsp, [saved_rsp]
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

; ---- mains: what they return in EAX is task_noted ----

	global task_jump, task_call, task_call_gate, task_int, task_protection
	global task_double, task_interrupt, task_small, task_user
	global task_behind_call, task_fault, task_behind_fault
	global task_behind_int, task_behind_double, task_double_fault
	bits 32
task_jump:
	jmp T_OTHER:0
	ret
; Registers are what they were: EAX is 0 then. And CR3.
task_call:
	push ebx
	push esi
	push edi
	push ebp
	mov ecx, 0x11111111
	mov edx, 0x22222222
	mov ebx, 0x33333333
	mov ebp, 0x44444444
	mov esi, 0x55555555
	mov edi, 0x66666666
	mov eax, 0x77777777
	std
	stc
	call T_OTHER:0
task_behind_call:
	pushfd
	cld
	test dword [esp], 1 << 10
	lea esp, [esp + 4]
	jz .bad
	cmp eax, 0x77777777
	jne .bad
	cmp ecx, 0x11111111
	jne .bad
	cmp edx, 0x22222222
	jne .bad
	cmp ebx, 0x33333333
	jne .bad
	cmp ebp, 0x44444444
	jne .bad
	cmp esi, 0x55555555
	jne .bad
	cmp edi, 0x66666666
	jne .bad
	mov eax, [task_window]
	mov eax, [eax]
	jmp .end
.bad:	mov eax, -1
.end:	pop ebp
	pop edi
	pop esi
	pop ebx
	ret
task_call_gate:
	call T_CALL:0
	ret
task_small:
	call T_SMALL:0
	ret
task_user:
	call T_USER:0
	ret
task_int:
	int 0x40
task_behind_int:
	ret
task_protection:
	mov ax, 0xfff8
task_fault:
	mov fs, ax
task_behind_fault:
	ret
task_double:
	cli
task_double_fault:
	ud2
task_behind_double:
	ret
task_interrupt:
	sti
	nop
	nop
	nop
	cli
	ret

; ---- the other task: notes what it sees and returns by IRET or JMP ----

	global task_other
task_other:
	inc dword [task_seen]
	mov [task_seen + 4], eax
	mov [task_seen + 8], ecx
	pushfd
	pop dword [task_seen + 12]
	str [task_seen + 16]
	sldt [task_seen + 20]
	mov eax, cr0
	mov [task_seen + 24], eax
	mov eax, [task_window]
	mov eax, [eax]
	mov [task_seen + 28], eax
	mov [task_seen + 32], esp
	clts
	cld
	clc
	mov ebx, -1
	mov edi, -1
	cmp dword [task_returns], 0
	je .jump
	iretd
	jmp task_other
.jump:	jmp T_MAIN:0
	jmp task_other

; ---- behind task gates of the IDT ----

	global task_gate
task_gate:
	inc dword [task_gate_seen]
	mov eax, [esp]
	mov [task_gate_seen + 4], eax
	mov [task_gate_seen + 8], esp
	pushfd
	pop dword [task_gate_seen + 12]
	mov edx, [task_fix_at]
	test edx, edx
	jz .no_fix
	mov eax, [edx]
	mov [task_gate_seen + 16], eax
	mov eax, [task_fix]
	mov [edx], eax
.no_fix:
	cmp dword [task_eoi], 0
	je .no_eoi
	mov dword [LAPIC_EOI], 0
.no_eoi:
	; of the error code TCG pushes 2 bytes only
	mov esp, [task_gate_seen + 20]
	iretd
	jmp task_gate

; ---- in CPL 3: through the task gate of the GDT, and of the IDT ----

	global task_user_code
task_user_code:
	mov ax, cs
	mov [task_seen + 36], ax
	call T_CALL:0
	int 0x40
	mov [task_seen + 40], ss
	iretd
	jmp task_user_code

; ---- virtual-8086 mode, at V86 ----

	global task_virtual, task_virtual_end, task_leave_virtual
	bits 16
task_virtual:
	mov ax, ds
	mov [0x100], ax
	mov [0x102], cs
	mov [0x104], sp
	int 0x40		; a task gate: back here by IRET
	mov [0x106], ss
	int 0x41		; an interrupt gate: task_leave_virtual
task_virtual_end:
	bits 32
task_leave_virtual:
	mov eax, [esp + 8]
	mov [ss:task_seen + 44], eax
	pushfd
	or dword [esp], 1 << 14	; NT
	popfd
	iretd

; ---- a 16-bit task; its CS begins here ----

	global task_small_code
	bits 16
	align 16
task_small_code:
	inc dword [dword task_seen + 48]
	mov [dword task_seen + 52], eax
	mov [dword task_seen + 56], sp
	pushf
	pop word [dword task_seen + 60]
	iret
	jmp task_small_code
