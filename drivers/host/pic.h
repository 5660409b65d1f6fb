/* The two 8259 interrupt controllers of a PC. */
#ifndef DRIVERS_HOST_PIC_H
#define DRIVERS_HOST_PIC_H

/* Let no line through any more. */
void pic_mask_all(void);

#endif
