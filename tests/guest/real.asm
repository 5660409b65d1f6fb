; From 64-bit code to real mode, and back. real_run(what): interrupts are off.
; The real-mode part is copied to REAL and uses memory below 64 KiB only.

CODE64	equ 0x08
DATA	equ 0x10
CODE32	equ 0x18
CODE16	equ 0x30
DATA16	equ 0x38
REAL	equ 0x9000
STACK	equ 0x7000
LATCH	equ 0xe0

	section .data
saved_rsp:	dq 0
saved_gdt:	dw 0
		dq 0
saved_idt:	dw 0
		dq 0

	section .text
	global real_run
	extern pml4

	bits 64
real_run:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	mov [saved_rsp], rsp
	sgdt [saved_gdt]
	sidt [saved_idt]
	mov ebp, edi
	mov esi, real_begin
	mov edi, REAL
	mov ecx, real_end - real_begin
	rep movsb
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
	jmp CODE16:REAL
back32:
	mov ax, DATA
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov ecx, 0xc0000080
	rdmsr
	or eax, 1 << 8
	wrmsr
	mov eax, pml4
	mov cr3, eax
	mov eax, cr0
	or eax, 1 << 31
	mov cr0, eax
	jmp CODE64:back64
	bits 64
back64:
	mov rsp, [saved_rsp]
	lgdt [saved_gdt]
	lidt [saved_idt]
	mov eax, ebp
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

	bits 16
real_begin:
	mov ax, DATA16
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov fs, ax		; null ones are unusable in real mode: SDM 3A 9.9.2
	mov gs, ax
	mov sp, STACK
	lidt [REAL + (.vectors - real_begin)]
	mov eax, cr0
	and al, 0xfe
	mov cr0, eax
	jmp 0:REAL + (.real - real_begin)
.real:
	xor ax, ax
	mov ds, ax
	mov es, ax
	mov ss, ax
	; vector 0x60 and #DE
	mov word [0x60 * 4], REAL + (.handler - real_begin)
	mov [0x60 * 4 + 2], ax
	mov word [0], REAL + (.divide - real_begin)
	mov [2], ax
	mov word [6 * 4], REAL + (.undefined - real_begin)
	mov [6 * 4 + 2], ax
	mov edi, ebp
	xor ebp, ebp
	test edi, edi
	jnz .exits
	int 0x60		; 1
	int 0x60		; 2
	xor dx, dx
	xor bx, bx
	div bx			; 0x102
	ud2			; 0x1102
	mov bx, 0xf000		; a segment's base is selector << 4
	mov fs, bx
	mov dword [0x5000], 0x12345678
	mov bx, 0x500
	mov fs, bx
	cmp dword [fs:0], 0x12345678
	jne .back
	add ebp, 0x10000	; 0x11102
	jmp .back
.exits:
	mov eax, 0x40000000
	xor ecx, ecx
	cpuid
	inc ebp			; 1
	mov al, 0x5a
	out LATCH, al
	xor al, al
	in al, LATCH
	cmp al, 0x5a
	jne .no_latch
	or ebp, 0x10		; only with a test device
.no_latch:
	mov ecx, 0x10
	rdmsr
	inc ebp			; 2
	mov ax, 0x700
	mov es, ax
	xor di, di
	mov dx, LATCH
	mov cx, 4
	cld
	rep insb
	cmp di, 4
	jne .back
	inc ebp			; 3
	mov cx, 100
.loop:	push cx
	mov eax, 1
	cpuid
	pop cx
	loop .loop
	inc ebp			; 4
.back:
	mov eax, cr0
	or al, 1
	mov cr0, eax
	jmp dword CODE32:back32
.handler:
	inc ebp
	iret
.divide:
	add ebp, 0x100
	push bp
	mov bp, sp
	add word [bp + 2], 2	; behind DIV BX
	pop bp
	iret
.undefined:
	add ebp, 0x1000
	push bp
	mov bp, sp
	add word [bp + 2], 2	; behind UD2
	pop bp
	iret
.vectors:
	dw 0x3ff
	dd 0
real_end:
