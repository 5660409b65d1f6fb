; What a started CPU runs first, copied to a page below 1 MiB and entered in real mode with cs = page / 16, ip = 0. It goes straight
; to long mode under the root made for it, finds its number by its APIC id, takes its stack and calls hv_main_ap(number).

CR4_PAE		equ 1 << 5
CR0_VALUE	equ 0x80010033		; PG, WP, NE, ET, MP, PE; caches on
MSR_EFER	equ 0xc0000080
EFER		equ (1 << 8) | (1 << 11) ; LME, NXE

CODE64		equ 0x08
DATA		equ 0x10

extern hv_main_ap, smp_apic_ids, smp_stacks, smp_limit, smp_claimed
global trampoline_start, trampoline_end, trampoline_gdt, trampoline_gdt_base
global trampoline_root, trampoline_entry, trampoline_long_mode

section .rodata align=16

bits 16
trampoline_start:
	cli
	cld
	mov ax, cs
	mov ds, ax
	mov eax, CR4_PAE
	mov cr4, eax
	mov eax, [trampoline_root - trampoline_start]
	mov cr3, eax
	mov ecx, MSR_EFER
	mov eax, EFER
	xor edx, edx
	wrmsr
	o32 lgdt [gdt_pointer - trampoline_start]
	mov eax, CR0_VALUE		; real to long mode in one step: APM 2 14.6.1 "Activating Long Mode"
	mov cr0, eax
	jmp far dword [trampoline_entry - trampoline_start]

align 8
trampoline_gdt:
	dq 0
	dq 0x00af9b000000ffff		; CODE64
	dq 0x00cf93000000ffff		; DATA
gdt_pointer:
	dw gdt_pointer - trampoline_gdt - 1
trampoline_gdt_base:
	dd 0				; address of trampoline_gdt
trampoline_root:
	dd 0				; page-table root, below 4 GiB
trampoline_entry:
	dd 0				; address of trampoline_long_mode
	dw CODE64

bits 64
trampoline_long_mode:
	mov ecx, DATA
	mov ds, ecx
	mov es, ecx
	mov ss, ecx
	mov fs, ecx
	mov gs, ecx
	mov rax, find_stack		; the image is mapped from here on
	jmp rax
trampoline_end:

section .text

; The APIC id: leaf 0xb has all 32 bits where it exists (SDM 2A "CPUID", leaf 0BH, EDX), else leaf 1 has 8.
find_stack:
	xor eax, eax
	cpuid
	cmp eax, 0xb
	jb .short_id
	mov eax, 0xb
	xor ecx, ecx
	cpuid
	test ebx, ebx			; no logical processors at this level: the leaf is not there
	jnz .search
.short_id:
	mov eax, 1
	cpuid
	mov edx, ebx
	shr edx, 24
.search:
	mov edi, 1			; 0 is the boot CPU
.next:
	cmp edi, [abs smp_limit]
	jae .unknown
	cmp edx, [rdi * 4 + smp_apic_ids]
	je .found
	inc edi
	jmp .next
.found:
	lock bts [abs smp_claimed], edi
	jc .unknown
	mov rsp, [rdi * 8 + smp_stacks]
	xor ebp, ebp			; a backtrace ends here
	call hv_main_ap
.unknown:
	cli
	hlt
	jmp .unknown
