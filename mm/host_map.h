/* The hypervisor's own address space (docs/architecture.md has its map). */
#ifndef MM_HOST_MAP_H
#define MM_HOST_MAP_H

#include "mm/addr.h"

/* Make the direct map cover [base, base + size); what is mapped already stays. RAM only. -ENOMEM. */
int host_map_direct(hpa_t base, uint64_t size);

#endif
