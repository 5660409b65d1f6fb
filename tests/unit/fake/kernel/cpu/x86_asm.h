#error "a pure file reached kernel/cpu/x86_asm.h"
