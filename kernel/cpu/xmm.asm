; XMM registers by number: struct xmm of kernel/vcpu.h, 16 bytes at RSI. The compiler uses none of them.

global xmm_read, xmm_write

section .text

; void xmm_read(uint64_t number, void *to), xmm_write(uint64_t number, const void *from); number is 0 to 15
xmm_read:
	and edi, 15
	lea rax, [rel .table]
	shl edi, 4
	add rax, rdi
	jmp rax
align 16
.table:
%assign n 0
%rep 16
	movups [rsi], xmm %+ n
	ret
	align 16
%assign n n + 1
%endrep

xmm_write:
	and edi, 15
	lea rax, [rel .table]
	shl edi, 4
	add rax, rdi
	jmp rax
align 16
.table:
%assign n 0
%rep 16
	movups xmm %+ n, [rsi]
	ret
	align 16
%assign n n + 1
%endrep
