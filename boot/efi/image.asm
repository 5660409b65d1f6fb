; basalt.elf inside basalt.efi, and the jump into it. IMAGE_FILE is set by the build.

MULTIBOOT2_MAGIC equ 0x36d76289

global image_file, image_file_end, image_enter

section .rodata
	align	16
image_file:
	incbin	IMAGE_FILE
image_file_end:

section .text
; image_enter(rdi: entry, rsi: information block). The firmware's paging stays on; it maps all memory where it is
; ("UEFI Specification 2.10", section 2.3.4 "x64 Platforms").
image_enter:
	cli
	cld
	mov	rax, rdi
	mov	edi, MULTIBOOT2_MAGIC
	jmp	rax

section .note.GNU-stack noalloc noexec nowrite progbits
