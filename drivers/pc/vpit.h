/*
 * The 8254 programmable interval timer, with port 0x61. [pure]
 * Intel, "8254 Programmable Interval Timer" (231164), section "Mode Definitions".
 *
 * Nothing counts down: a channel knows at which tick its count was loaded, and
 * count, output and next edge follow from that.
 */
#ifndef DRIVERS_PC_VPIT_H
#define DRIVERS_PC_VPIT_H

#include "kernel/vm.h"

#define VPIT_HZ	       1193182UL
#define VPIT_GSI       0
#define VPIT_PORT      0x40
#define VPIT_PORT_GATE 0x61
#define VPIT_CHANNELS  3

/* Legend: ticks are VPIT_HZ since the VM started. [l] vm->lock guards all. */
struct vpit_channel {
	uint64_t start;	  /* tick at which the count was loaded, less pauses */
	uint64_t elapsed; /* ticks counted, while it does not run */
	uint32_t count;	  /* 1 to 65536 */
	uint32_t next_count; /* taken over at the end of the period; 0: none */
	uint16_t latched_count;
	uint8_t latched_status;
	uint8_t mode;	    /* 0 to 5 */
	uint8_t access;	    /* 1 low byte, 2 high byte, 3 low then high */
	uint8_t low_byte;   /* written, its high byte is not yet */
	uint8_t latch_left; /* bytes of latched_count not yet read */
	bool is_bcd;
	bool is_status_latched;
	bool is_high_read;    /* the next read is the high byte */
	bool is_high_written; /* the next write is the high byte */
	bool has_count;	      /* written since the control word */
	bool is_running;
	bool is_gate_high;
};

struct vpit {
	struct vm *vm;
	struct vpit_channel channels[VPIT_CHANNELS];
	uint64_t edge;	   /* tick of channel 0's next interrupt */
	uint8_t gate_port; /* bits 3:0 of port 0x61 as written */
	bool is_replaced;  /* by the HPET: no interrupts */
};

/* Power-on state: no channel counts, until its count is written. Adds ports.
 * -E of io_add. */
int vpit_init(struct vpit *pit, struct vm *vm);

/* VM_TIMER_PIT is due. vm->lock held. */
void vpit_timer_fire(struct vpit *pit);

/* The HPET has taken over interrupt line 0, or gives it back. vm->lock held. */
void vpit_set_replaced(struct vpit *pit, bool is_replaced);

#endif
