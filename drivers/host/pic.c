/* The two 8259 interrupt controllers of a PC. */
#include "drivers/host/pic.h"

#include "kernel/cpu/x86_asm.h"

#define PIC_MASTER_MASK 0x21
#define PIC_SLAVE_MASK	0xa1

void pic_mask_all(void)
{
	x86_outb(PIC_MASTER_MASK, 0xff);
	x86_outb(PIC_SLAVE_MASK, 0xff);
}
