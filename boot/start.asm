; Entry of the image. GRUB enters at start32 in 32-bit protected mode, basalt.efi at start64 in long mode. Both leave with
; the page tables of docs/architecture.md ("Boot", 1) at boot_main(magic, information block, image base).
;
; Nothing here knows its address: ebp holds the image's physical base, and *_offset symbols (link.ld) are distances from it.

IMAGE_BASE	 equ 0xffffffff80000000
MULTIBOOT2_MAGIC equ 0x36d76289		; what the loader leaves in eax

CR0_PE		equ 1 << 0
CR0_WP		equ 1 << 16
CR0_PG		equ 1 << 31
CR4_PAE		equ 1 << 5
CR4_PCIDE	equ 1 << 17
MSR_EFER	equ 0xc0000080
EFER_LME	equ 1 << 8
EFER_NXE	equ 1 << 11

PTE_PRESENT	equ 1 << 0
PTE_WRITE	equ 1 << 1
PTE_LARGE	equ 1 << 7
PTE_NX_HIGH	equ 1 << 31		; bit 63, seen from the entry's high half

CODE64		equ 0x08
DATA		equ 0x10
CODE32		equ 0x18

; The early page tables, in .bss from boot_tables on
PML4		equ 0x0000
PDPT_LOW	equ 0x1000		; identity, for the one step into paging
PD_LOW		equ 0x2000
PT_IMAGE	equ 0x3000		; shared by identity and IMAGE_BASE
PDPT_IMAGE	equ 0x4000
PD_IMAGE	equ 0x5000
PDPT_DIRECT	equ 0x6000
PD_DIRECT	equ 0x7000		; four: the first 4 GiB
TABLES_SIZE	equ 0xb000

STACK_SIZE	equ 0x4000
SCRATCH		equ 0x7000		; RAM on every PC; its four bytes are put back
COM1		equ 0x3f8

extern boot_main
extern text_end_offset, rodata_end_offset, image_end_offset
extern boot_tables_offset, boot_stack_guard_offset, boot_stack_top_offset
global start32, boot_tables, boot_stack_guard, boot_stack_top

section .header progbits alloc exec nowrite align=16
image:
	db "BASALT64"			; for basalt.efi: the 64-bit entry's offset follows
	dq start64 - image

; Multiboot2 Specification 2.0, section 3.1 "OS image format"
align 8
multiboot2_header:
	dd 0xe85250d6, 0		; magic, architecture i386
	dd multiboot2_header.end - multiboot2_header
	dd -(0xe85250d6 + (multiboot2_header.end - multiboot2_header)) & 0xffffffff
	align 8
	dw 5, 1				; framebuffer, optional; other sizes will do
	dd 20, 1024, 768, 32
	align 8
	dw 10, 0			; relocatable: 2 MiB aligned, below 4 GiB,
	dd 24, 0x200000, 0xffffffff, 0x200000
	dd 0				; no preference
	align 8
	dw 0, 0
	dd 8
.end:

; ---- long mode entry: edi = magic, esi = information block -----------------------------------------------------------------

bits 64
start64:
	cli
	cld
	lea rbp, [rel image]		; below 4 GiB, as the contract says
	mov esp, ebp
	add esp, boot_stack_top_offset
	mov eax, edi
	mov ebx, esi
	mov rcx, cr4			; CR4.PCIDE must go while still in long mode
	and rcx, ~CR4_PCIDE		; (SDM 3A 4.10.1 "Process-Context Identifiers")
	mov cr4, rcx
	call load_gdt
	lea rdx, [rel leave_long_mode]
	push CODE32
	push rdx
	retfq

load_gdt:				; clobbers rdx
	lea rdx, [rel gdt]
	push rdx
	sub rsp, 8
	mov word [rsp + 6], gdt.end - gdt - 1
	lgdt [rsp + 6]
	add rsp, 16
	ret

bits 32
leave_long_mode:			; compatibility mode; eax, ebx as for start32
	mov ecx, DATA
	mov ds, ecx
	mov es, ecx
	mov ss, ecx
	mov ecx, cr0			; paging off ends long mode, and the firmware's choice of
	and ecx, ~CR0_PG		; 4 or 5 levels with it
	mov cr0, ecx
	xor ecx, ecx
	mov cr4, ecx
	mov esi, eax
	mov ecx, MSR_EFER
	rdmsr
	and eax, ~EFER_LME
	wrmsr
	mov eax, esi

; ---- protected mode entry: eax = magic, ebx = information block ------------------------------------------------------------

start32:
	cli
	cld
	mov esi, eax
	mov edi, ebx
	mov eax, [SCRATCH]		; four bytes of stack to learn our address
	mov esp, SCRATCH + 4
	call .here
.here:	pop ebp
	sub ebp, .here - image
	mov [SCRATCH], eax
	lea esp, [ebp + boot_stack_top_offset]

	lea ebx, [ebp + (no_multiboot2 - image)]
	cmp esi, MULTIBOOT2_MAGIC
	jne stop
	lea ebx, [ebp + (bad_alignment - image)]
	test ebp, 0x1fffff
	jnz stop
	call check_cpu
	call build_tables
	jmp enter_long_mode

check_cpu:
	lea ebx, [ebp + (no_long_mode - image)]
	push ebx
	mov eax, 0x80000000
	cpuid
	pop ebx
	cmp eax, 0x80000001
	jb stop
	push ebx
	mov eax, 0x80000001
	cpuid
	pop ebx
	bt edx, 29			; long mode
	jnc stop
	lea ebx, [ebp + (no_nx - image)]
	bt edx, 20			; no-execute pages
	jnc stop
	ret

; Fill the tables (zero until now: they are .bss). eax, ebx, ecx, edx are scratch.
build_tables:
	lea ebx, [ebp + boot_tables_offset]
	xor ecx, ecx			; offset of the page in the image
.page:
	lea eax, [ebp + ecx + PTE_PRESENT]
	xor edx, edx
	cmp ecx, text_end_offset	; text: R-X
	jb .store
	mov edx, PTE_NX_HIGH		; read-only data: R--
	cmp ecx, rodata_end_offset
	jb .store
	or eax, PTE_WRITE		; data and bss: RW-
	cmp ecx, boot_stack_guard_offset
	jne .store
	xor eax, eax			; the guard page of the boot stack
.store:
	push ebx
	push ecx
	shr ecx, 9
	add ebx, ecx
	mov [ebx + PT_IMAGE], eax
	mov [ebx + PT_IMAGE + 4], edx
	pop ecx
	pop ebx
	add ecx, 0x1000
	cmp ecx, image_end_offset
	jb .page

	lea eax, [ebx + PT_IMAGE + (PTE_PRESENT | PTE_WRITE)]
	mov [ebx + PD_IMAGE], eax	; IMAGE_BASE: PML4 511, PDPT 510, PD 0
	mov ecx, ebp			; identity: by the image's physical address
	shr ecx, 21
	and ecx, 511
	mov [ebx + PD_LOW + ecx * 8], eax
	lea eax, [ebx + PD_IMAGE + (PTE_PRESENT | PTE_WRITE)]
	mov [ebx + PDPT_IMAGE + 510 * 8], eax
	lea eax, [ebx + PD_LOW + (PTE_PRESENT | PTE_WRITE)]
	mov ecx, ebp
	shr ecx, 30
	mov [ebx + PDPT_LOW + ecx * 8], eax
	lea eax, [ebx + PDPT_LOW + (PTE_PRESENT | PTE_WRITE)]
	mov [ebx + PML4], eax
	lea eax, [ebx + PDPT_IMAGE + (PTE_PRESENT | PTE_WRITE)]
	mov [ebx + PML4 + 511 * 8], eax
	lea eax, [ebx + PDPT_DIRECT + (PTE_PRESENT | PTE_WRITE)]
	mov [ebx + PML4 + 256 * 8], eax	; DIRECT_BASE

	xor ecx, ecx
.gigabyte:
	mov eax, ecx
	shl eax, 12
	lea eax, [ebx + eax + PD_DIRECT + (PTE_PRESENT | PTE_WRITE)]
	mov [ebx + PDPT_DIRECT + ecx * 8], eax
	inc ecx
	cmp ecx, 4
	jb .gigabyte
	xor ecx, ecx
.large_page:
	mov eax, ecx
	shl eax, 21
	or eax, PTE_PRESENT | PTE_WRITE | PTE_LARGE
	mov [ebx + PD_DIRECT + ecx * 8], eax
	mov dword [ebx + PD_DIRECT + ecx * 8 + 4], PTE_NX_HIGH
	inc ecx
	cmp ecx, 4 * 512
	jb .large_page
	ret

enter_long_mode:
	mov eax, CR4_PAE
	mov cr4, eax
	lea eax, [ebp + boot_tables_offset]
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME | EFER_NXE
	wrmsr
	mov eax, cr0
	or eax, CR0_PG | CR0_WP | CR0_PE
	mov cr0, eax			; now in compatibility mode, on the identity mapping
	lea eax, [ebp + (gdt - image)]
	push eax
	push word gdt.end - gdt - 1
	lgdt [esp]
	lea eax, [ebp + (long_mode - image)]
	push CODE64
	push eax
	retf

bits 64
long_mode:
	mov ecx, DATA
	mov ds, ecx
	mov es, ecx
	mov ss, ecx
	mov fs, ecx
	mov gs, ecx
	mov edx, ebp
	mov rsp, boot_stack_top
	xor ebp, ebp			; a backtrace ends here
	mov rax, boot_main
	xchg edi, esi			; boot_main(magic, information block, image base)
	call rax
	ud2

; ---- refusal: ebx = text. COM1 is all that can be relied on ----------------------------------------------------------------

bits 32
stop:
	mov edx, COM1 + 3		; 115200 baud, 8 data bits, no parity, 1 stop bit
	mov al, 0x83
	out dx, al
	mov edx, COM1
	mov al, 1
	out dx, al
	inc edx
	xor eax, eax
	out dx, al
	mov edx, COM1 + 3
	mov al, 3
	out dx, al
.character:
	mov edx, COM1 + 5
	mov ecx, 0x100000		; a missing UART reads as all ones; a stuck one ends here
.wait:	in al, dx
	test al, 0x20			; transmitter holding register empty
	loopz .wait
	mov al, [ebx]
	test al, al
	jz .halt
	mov edx, COM1
	out dx, al
	inc ebx
	jmp .character
.halt:	cli
	hlt
	jmp .halt

no_multiboot2:	db "basalt: stopped: not started by a multiboot2 loader", 13, 10, 0
bad_alignment:	db "basalt: stopped: the loader did not align the image to 2 MiB", 13, 10, 0
no_long_mode:	db "basalt: stopped: this CPU has no 64-bit mode", 13, 10, 0
no_nx:		db "basalt: stopped: this CPU has no no-execute pages", 13, 10, 0

align 8
gdt:
	dq 0
	dq 0x00af9b000000ffff		; CODE64
	dq 0x00cf93000000ffff		; DATA
	dq 0x00cf9b000000ffff		; CODE32
.end:

section .bss.page nobits alloc noexec write align=4096
boot_stack_guard:
	resb 0x1000
boot_stack:
	resb STACK_SIZE
boot_stack_top:
boot_tables:
	resb TABLES_SIZE
