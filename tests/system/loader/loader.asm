; A boot loader for tests: QEMU starts it with -kernel, the blob that
; tests/system/rawboot.py writes is its only module. It copies what the blob says
; to where the blob says and jumps, so a test decides every byte that the
; hypervisor finds at its entry.
;
; Blob, little endian dwords: magic, entry, eax, ebx, record count; then for
; each record: destination, length, and the data padded to 4 bytes.
;
; "Multiboot Specification version 0.6.96", sections 3.1 "OS image format",
; 3.2 "Machine state" and 3.3 "Boot information format".

MULTIBOOT_MAGIC      equ 0x1badb002
MULTIBOOT_BOOT_MAGIC equ 0x2badb002
BLOB_MAGIC           equ 0x424f4c42     ; "BLOB"
MODS_COUNT           equ 20             ; in the boot information
MODS_ADDR            equ 24
COM1                 equ 0x3f8

section .multiboot
align 4
	dd MULTIBOOT_MAGIC
	dd 0
	dd -MULTIBOOT_MAGIC

section .text
bits 32
global start
start:
	cli
	cld
	cmp eax, MULTIBOOT_BOOT_MAGIC
	jne refuse
	cmp dword [ebx + MODS_COUNT], 1
	jne refuse
	mov esi, [ebx + MODS_ADDR]
	mov esi, [esi]                  ; first byte of the module
	lodsd
	cmp eax, BLOB_MAGIC
	jne refuse
	mov ebp, esi                    ; entry, eax, ebx
	add esi, 12
	lodsd
	mov edx, eax                    ; records left
.record:
	test edx, edx
	jz .enter
	lodsd
	mov edi, eax
	lodsd
	lea ecx, [eax + 3]
	shr ecx, 2
	rep movsd
	dec edx
	jmp .record
.enter:
	mov eax, [ebp + 4]
	mov ebx, [ebp + 8]
	jmp [ebp]

refuse:
	mov esi, message
	mov edx, COM1
.next:
	lodsb
	test al, al
	jz .halt
	out dx, al
	jmp .next
.halt:
	hlt
	jmp .halt

message:
	db "loader: started without a blob", 10, 0
