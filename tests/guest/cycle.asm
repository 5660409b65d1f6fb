; What a CPU runs first after a start-up IPI in case_smp_cycles: it notes what it
; finds in its own page (struct first_look), then goes on as the others do.

RECORD	   equ 0x800		; in the page
TRAMPOLINE equ 0x8000		; guest.h

	section .text
	global cycle_begin, cycle_end
	bits 16
cycle_begin:
	mov [cs:RECORD + 4], esp
	pushfd			; at 0:fffc
	pop dword [cs:RECORD + 8]
	or eax, ebx
	or eax, ecx
	or eax, esi
	or eax, edi
	or eax, ebp
	or [cs:RECORD + 4], eax
	mov eax, cr0
	mov [cs:RECORD + 12], eax
	mov eax, cr3
	mov [cs:RECORD + 16], eax
	mov eax, cr4
	mov [cs:RECORD + 20], eax
	mov ecx, 0xc0000080	; EFER
	rdmsr
	mov [cs:RECORD + 24], eax
	mov eax, dr7
	mov [cs:RECORD + 28], eax
	mov [cs:RECORD + 32], cs
	mov ax, ds
	mov bx, es
	or ax, bx
	mov bx, ss
	or ax, bx
	mov bx, fs
	or ax, bx
	mov bx, gs
	or ax, bx
	mov [cs:RECORD + 34], ax
	inc dword [cs:RECORD]
	jmp TRAMPOLINE >> 4:0
cycle_end:
