; Entry of the bench guest's second CPU: copied to 0x8000, real mode. Long mode at once, with the first one's tables.

extern root, gdt, smp_main
global ap_begin, ap_end

section .text
bits 16
ap_begin:
	cli
	mov ax, cs
	mov ds, ax
	o32 lgdt [gdt_register - ap_begin]
	mov eax, cr4
	or eax, 1 << 5			; PAE
	mov cr4, eax
	mov eax, root
	mov cr3, eax
	mov ecx, 0xc0000080		; EFER
	rdmsr
	or eax, 1 << 8			; LME
	wrmsr
	mov eax, 1 << 31 | 1 << 16 | 1 << 4 | 1 ; PG, WP, ET, PE
	mov cr0, eax
	jmp dword 8:ap_long
gdt_register:
	dw 23
	dd gdt
ap_end:

bits 64
ap_long:
	mov eax, 16
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov esp, stack_top
	call smp_main

section .bss
align 16
stack:		resb 4096
stack_top:

section .note.GNU-stack noalloc noexec nowrite progbits
