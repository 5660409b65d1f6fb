; memcpy, memmove and memset, as the C library has them: eight bytes a step by string instructions, which CPUs run as whole cache
; lines, the rest by bytes. System V ABI; the direction flag is clear on entry and return.

global memcpy, memmove, memset

section .text

memcpy:					; rdi = to, rsi = from, rdx = size -> rax = to
	mov rax, rdi
	mov rcx, rdx
	shr rcx, 3
	rep movsq
	mov ecx, edx
	and ecx, 7
	rep movsb
	ret

memmove:
	mov rax, rdi
	sub rax, rsi			; to - from, unsigned: below size only if "to" lies inside "from"
	cmp rax, rdx
	jae memcpy
	mov rax, rdi
	std				; from the end down
	mov rcx, rdx
	lea rsi, [rsi + rdx - 1]
	lea rdi, [rdi + rdx - 1]
	rep movsb
	cld
	ret

memset:					; rdi = to, esi = byte, rdx = size -> rax = to
	mov r8, rdi
	movzx eax, sil
	mov r9, 0x0101010101010101
	imul rax, r9
	mov rcx, rdx
	shr rcx, 3
	rep stosq
	mov ecx, edx
	and ecx, 7
	rep stosb
	mov rax, r8
	ret
