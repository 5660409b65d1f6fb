; Entry of the bench guest by multiboot or PVH, in 32-bit protected mode. Long mode with the first 4 GiB mapped one to one, then main.c.

extern bench_main, bench_interrupt_count, bench_stray
global interrupt_entry, stray_entry, root, gdt

MAGIC	equ 0x1badb002
FLAGS	equ 2				; tell the memory's size

section .multiboot
align 4
	dd MAGIC, FLAGS, -(MAGIC + FLAGS)

; Xen's PVH ("x86/HVM direct boot ABI"): a note of type XEN_ELFNOTE_PHYS32_ENTRY.
section .note.pvh
align 4
	dd 4, 4, 18
	db "Xen", 0
	dd start_pvh

section .text
bits 32
global start
start_pvh:
	mov esi, [ebx + 24]		; hvm_start_info: cmdline_paddr
	jmp begin
start:
	mov esi, [ebx + 16]		; multiboot information: cmdline
begin:
	mov esp, stack_top
	rdtsc				; before all else: how long the way here was
	mov [entry_tsc], eax
	mov [entry_tsc + 4], edx
	cld
	mov edi, directories		; 2 MiB pages
	mov ecx, 4 * 512
	mov eax, 0x83
	xor edx, edx
.page:
	mov [edi], eax
	mov [edi + 4], edx
	add eax, 0x200000
	add edi, 8
	loop .page
	mov ecx, 4
	mov edi, pointers
	mov eax, directories + 3
.directory:
	mov [edi], eax
	add eax, 0x1000
	add edi, 8
	loop .directory
	mov dword [root], pointers + 3
	mov eax, root
	mov cr3, eax
	mov eax, cr4
	or eax, 1 << 5			; PAE
	mov cr4, eax
	mov ecx, 0xc0000080		; EFER
	rdmsr
	or eax, 1 << 8			; LME
	wrmsr
	mov eax, cr0
	or eax, 1 << 31 | 1 << 16	; PG, WP
	mov cr0, eax
	lgdt [gdt_register]
	jmp 8:.long

bits 64
.long:
	mov eax, 16
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov edi, esi
	mov rsi, [entry_tsc]
	call bench_main
.stop:
	cli
	hlt
	jmp .stop

; Vector of the self-IPI: count, x2APIC EOI.
interrupt_entry:
	push rax
	push rcx
	push rdx
	inc dword [bench_interrupt_count]
	mov ecx, 0x80b			; EOI
	xor eax, eax
	xor edx, edx
	wrmsr
	pop rdx
	pop rcx
	pop rax
	iretq

; Any other vector: a fault of this program.
stray_entry:
	mov rdi, [rsp]
	mov rsi, [rsp + 8]
	and rsp, -16
	call bench_stray
	hlt

section .rodata
align 8
gdt:
	dq 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_register:
	dw $ - gdt - 1
	dd gdt

section .bss
align 4096
root:		resb 4096
pointers:	resb 4096
directories:	resb 4 * 4096
stack:		resb 16384
stack_top:
entry_tsc:	resq 1

section .note.GNU-stack noalloc noexec nowrite progbits
