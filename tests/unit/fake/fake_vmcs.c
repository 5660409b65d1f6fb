/* The current VMCS of the unit tests. */
#include "vmx/vmx_asm.h"

uint64_t fake_vmcs[0x7000];
