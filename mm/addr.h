/*
 * Addresses that cannot be mixed, page sizes, and the hypervisor's address
 * space. [pure]
 */
#ifndef MM_ADDR_H
#define MM_ADDR_H

#include "kernel/lib/bits.h"

#define PAGE_SHIFT	 12
#define PAGE_SIZE	 BIT(PAGE_SHIFT)
#define LARGE_PAGE_SHIFT 21
#define LARGE_PAGE_SIZE	 BIT(LARGE_PAGE_SHIFT)
#define HUGE_PAGE_SHIFT	 30
#define HUGE_PAGE_SIZE	 BIT(HUGE_PAGE_SHIFT)

#define DIRECT_BASE    0xffff800000000000UL
#define DIRECT_SIZE    (64 * TIB)
#define STACK_BASE     0xffffc00000000000UL
#define DEVICE_BASE    0xffffd00000000000UL
#define DEVICE_SIZE    (1 * TIB)
#define IMAGE_BASE     0xffffffff80000000UL
#define IMAGE_SIZE_MAX (2 * MIB)

/* Machine ("host physical"), guest-physical and guest-virtual address. */
typedef struct {
	uint64_t value;
} hpa_t;
typedef struct {
	uint64_t value;
} gpa_t;
typedef struct {
	uint64_t value;
} gva_t;

#define HPA(v)	 ((hpa_t){ (v) })
#define HPA_NONE HPA(~0UL)

static inline bool hpa_equals(hpa_t a, hpa_t b)
{
	return a.value == b.value;
}

static inline hpa_t hpa_add(hpa_t a, uint64_t offset)
{
	return HPA(a.value + offset);
}

#endif
