/* Machine memory of host tests: a host mapping, reserved but not touched, seen
 * at any machine address. */
#ifndef FAKE_PHYS_H
#define FAKE_PHYS_H

#include "mm/addr.h"

/* Host address of machine address 0; a test maps what it needs (fake_ram_init).
 */
extern char *fake_ram;

static inline void *phys_to_virt(hpa_t hpa)
{
	return fake_ram + hpa.value;
}

static inline hpa_t virt_to_phys(const void *virt)
{
	return HPA((uint64_t)((const char *)virt - fake_ram));
}

#endif
