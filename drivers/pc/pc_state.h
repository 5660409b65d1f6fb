/* The devices of a virtual PC, for pc.c and whoever adds to one before it runs.
 * [pure] */
#ifndef DRIVERS_PC_PC_STATE_H
#define DRIVERS_PC_PC_STATE_H

#include "drivers/pc/pc.h"
#include "drivers/pc/vacpi_pm.h"
#include "drivers/pc/vdebug_port.h"
#include "drivers/pc/vfw_cfg.h"
#include "drivers/pc/vhpet.h"
#include "drivers/pc/vi8042.h"
#include "drivers/pc/vioapic.h"
#include "drivers/pc/vpic.h"
#include "drivers/pc/vpit.h"
#include "drivers/pc/vpvpanic.h"
#include "drivers/pc/vrtc.h"
#include "drivers/pc/vserial.h"
#include "drivers/pc/vtestdev.h"
#include "drivers/virtio/virtio.h"

/* vm->pc. The reset port is the PCI bus's: vm->pci. */
struct pc {
	struct vpic pic;
	struct vioapic ioapic;
	struct vpit pit;
	struct vrtc rtc;
	struct vhpet hpet;
	struct vacpi_pm pm;
	struct vserial serial;
	struct vi8042 i8042;
	struct vdebug_port debug_port;
	struct vpvpanic pvpanic;
	struct vtestdev testdev;
	struct vfw_cfg fw_cfg;
	struct virtio_device *console; /* [l] vm->lock; NULL: none */
	bool is_console_used;	       /* (a) it was written to */
};

/* There is one a VM. */
_Static_assert(sizeof(struct pc) <= 8 * KIB, "struct pc is small");

/* pc_virtio.c: virtio disks, network cards, console and entropy source of @vm, on
 * its PCI bus, which destroys them. -E, with @why. */
int pc_virtio_create(struct vm *vm, struct diag *why);

#endif
