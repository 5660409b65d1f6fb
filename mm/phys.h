/* Machine memory through the direct map. Only what frame.c or boot mapped may
 * be touched. */
#ifndef MM_PHYS_H
#define MM_PHYS_H

#include "mm/addr.h"

static inline void *phys_to_virt(hpa_t hpa)
{
	return (void *)(DIRECT_BASE + hpa.value);
}

static inline hpa_t virt_to_phys(const void *virt)
{
	return HPA((uint64_t)virt - DIRECT_BASE);
}

#endif
