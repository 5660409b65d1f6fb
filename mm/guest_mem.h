/*
 * Guest memory: which machine frame is behind a guest-physical address. [pure]
 *
 * This is the only way to touch guest memory. The second-level page table is the
 * record of what the guest has; there is no other. RAM is absent until it is
 * touched (by the guest, or by guest_write for it), then filled with a zeroed
 * frame: 2 MiB at once where the range, the quota and free memory allow it.
 *
 *	slot	a range of guest-physical addresses that has memory:
 *		RAM (frames of its own), or an image (machine memory shared by
 *		VMs, mapped read-only; written: a private copy of the page)
 *	leaf	a mapped page. Own frames are freed with it, foreign ones are not:
 *		software bit PT_SOFT_FOREIGN of the entry tells them apart. A
 *		hidden one (PT_SOFT_HIDDEN) is there for us, but the CPU faults
 *	pin	a promise that the frames behind a range stay what they are:
 *		for rings that a device holds pointers to, and for DMA
 *
 *	guest_mem.c	slots, images, faults of the CPU, the end
 *	guest_touch.c	how a page comes to be there, and to be the guest's own
 *	guest_copy.c	bytes in and out
 *	guest_word.c	single atomic accesses
 *	guest_pin.c	pointers and pins
 *
 * Walking takes no lock: tables are only added while the VM lives, entries change
 * atomically, and no own frame leaves the table before guest_mem_fini. That will
 * change, and a frame that leaves be freed only after every CPU has passed a
 * scheduling point: code that holds a pointer into guest memory must not give
 * way, unless it holds a pin. gm->lock (LOCK_RANK_GUEST_MEM) serialises changes;
 * frames of data are zeroed or copied before it is taken.
 *
 * Stale translations. Adding one needs no flush. Whatever changes or takes away
 * one (the private copy of an image's page, guest_mem_hide) increments
 * gm->flush_generation afterwards. A vCPU compares it with the one of its last
 * flush before each entry, with VCPU_INSIDE set, and flushes if it moved. Who
 * finds it moved by his own call (guest_mem_fault, guest_write, …) must get the
 * other vCPUs out of the guest, by vcpu_request, and wait for that where he may:
 * until then they see the image's page and not the copy.
 */
#ifndef MM_GUEST_MEM_H
#define MM_GUEST_MEM_H

#include "kernel/lib/list.h"
#include "kernel/lib/spinlock.h"
#include "mm/pgtable.h"

#define GUEST_SLOTS_MAX 16

enum guest_slot_kind { GUEST_RAM, GUEST_ROM };

/* Legend: (o) set before the VM runs. */
struct guest_slot {
	uint64_t base; /* (o) gpa, multiple of 4 KiB */
	uint64_t size; /* (o) */
	uint8_t kind;  /* (o) enum guest_slot_kind */
};

/* Legend: (o) set before the VM runs, (a) atomic, [l] guarded by lock. */
struct guest_mem {
	struct pgtable table;			  /* changes [l] */
	struct spinlock lock;			  /* LOCK_RANK_GUEST_MEM */
	uint32_t slot_count;			  /* (o) */
	struct guest_slot slots[GUEST_SLOTS_MAX]; /* (o) by base, disjoint */
	uint64_t drained;      /* guest_mem_drain has freed what lies below */
	bool is_code_small;    /* (o) code is executed from leaves of 4 KiB */
	struct list pins;      /* [l] */
	uint64_t own_size;     /* [l] bytes of frames that are its own */
	uint64_t foreign_size; /* [l] bytes mapped from images */
	uint64_t flush_generation; /* (a) changes of translations so far */
};

/* What came of a touch. */
enum guest_fault {
	GUEST_FAULT_DONE,      /* mapped, by us or meanwhile: try again */
	GUEST_FAULT_DEVICE,    /* no memory there */
	GUEST_FAULT_READ_ONLY, /* a write to ROM */
	GUEST_FAULT_NO_MEMORY, /* of the machine */
};

/* An empty address space; frames come from @node first. @leaf_level_max: 1 to 3,
 * largest mapping (3 only where asked: 1 GiB is taken at once). -ENOMEM. */
int guest_mem_init(struct guest_mem *gm, const struct pt_format *format,
		   uint8_t leaf_level_max, uint32_t node);

/* Free the next @count pages, large ones count once, so that freeing much can be
 * done in parts; the memory is of no use from the first call on. No vCPU runs and
 * nothing is pinned. False: nothing is left. */
bool guest_mem_drain(struct guest_mem *gm, uint32_t count);

/* Free all own frames and all tables. No vCPU runs and nothing is pinned. */
void guest_mem_fini(struct guest_mem *gm);

/* Let [base, base + size) be memory. Multiples of 4 KiB, below 2^48, disjoint.
 * -EINVAL, -ENOSPC. */
int guest_mem_add(struct guest_mem *gm, enum guest_slot_kind kind, gpa_t base,
		  uint64_t size);

/* Show machine memory [hpa, hpa + size), which stays others' and is in the direct
 * map, at @base inside one slot, nothing touched there yet: read-only, a private
 * copy when written. Multiples of 4 KiB; if both have the same place in 2 MiB,
 * large pages are used. -EINVAL, -EEXIST, -ENOMEM: nothing is shown. */
int guest_mem_share(struct guest_mem *gm, gpa_t base, hpa_t hpa, uint64_t size);

/* The CPU could not finish an @access (ACCESS_* of vmexit.h: bit 0 write, bit 1
 * execute) to @gpa. Any vCPU, no lock held. */
enum guest_fault guest_mem_fault(struct guest_mem *gm, gpa_t gpa,
				 uint32_t access);

/* Is there a slot? */
bool guest_mem_has(const struct guest_mem *gm, gpa_t gpa);

/* Bytes of page tables now. No lock held. */
uint64_t guest_mem_table_size(struct guest_mem *gm);

/* Changes of translations so far: see above. */
static inline uint64_t guest_mem_flush_generation(const struct guest_mem *gm)
{
	/* seq_cst: not before the caller's store of VCPU_INSIDE */
	return __atomic_load_n(&gm->flush_generation, __ATOMIC_SEQ_CST);
}

/*
 * Copy between guest and hypervisor. Wholly inside slots, else -EFAULT and
 * nothing is copied; -ENOMEM: some of it may be. Writing fills what is absent;
 * reading, and zeroing, do not: absent memory is zero already. Writes to ROM:
 * -EFAULT, but for guest_load, which loaders use. Any lock of a rank below
 * LOCK_RANK_GUEST_MEM may be held.
 */
int guest_read(struct guest_mem *gm, gpa_t gpa, void *to, uint64_t size);
int guest_write(struct guest_mem *gm, gpa_t gpa, const void *from,
		uint64_t size);
int guest_load(struct guest_mem *gm, gpa_t gpa, const void *from,
	       uint64_t size);
int guest_zero(struct guest_mem *gm, gpa_t gpa, uint64_t size);
/* Within one guest or between two; of ranges that overlap, some order. */
int guest_copy(struct guest_mem *to_gm, gpa_t to, struct guest_mem *from_gm,
	       gpa_t from, uint64_t size);

/* Read or write naturally aligned words as one access; lock-free with the
 * guest's own atomics. Same errors; not aligned: -EFAULT too. */
int guest_read_u16(struct guest_mem *gm, gpa_t gpa, uint16_t *value);
int guest_read_u32(struct guest_mem *gm, gpa_t gpa, uint32_t *value);
int guest_read_u64(struct guest_mem *gm, gpa_t gpa, uint64_t *value);
int guest_write_u16(struct guest_mem *gm, gpa_t gpa, uint16_t value);
int guest_write_u32(struct guest_mem *gm, gpa_t gpa, uint32_t value);
int guest_write_u64(struct guest_mem *gm, gpa_t gpa, uint64_t value);
/* Exchange if equal: *expected becomes what was there. 0 (then look at
 * *expected), -EFAULT, -ENOMEM. @size 1, 2, 4, 8. */
int guest_compare_exchange(struct guest_mem *gm, gpa_t gpa, unsigned int size,
			   uint64_t *expected, uint64_t desired);

/* Pointer to the byte at @gpa, good to the end of its page and until the thread
 * gives way; NULL: no memory there, ROM with @access write, or none free. */
void *guest_pointer(struct guest_mem *gm, gpa_t gpa, uint32_t access);

/* A pinned range with pointers to its pages. */
#define GUEST_PIN_PAGES_MAX 9 /* 32 KiB at any alignment */

struct guest_pin {
	struct list link;
	uint64_t base; /* gpa */
	uint64_t size; /* 0, as at first: not pinned */
	void *pages[GUEST_PIN_PAGES_MAX];
};

/* Make present and the guest's own, so that nothing takes their place, and hold
 * still. -EFAULT (with write in @access: ROM too), -EINVAL (empty or too long),
 * -ENOMEM. */
int guest_pin(struct guest_mem *gm, struct guest_pin *pin, gpa_t base,
	      uint64_t size, uint32_t access);
void guest_unpin(struct guest_mem *gm, struct guest_pin *pin);

/* Pointer to byte @offset of the pinned range, good to the end of its page. */
static inline void *guest_pin_at(const struct guest_pin *pin, uint64_t offset)
{
	uint64_t at = (pin->base & (PAGE_SIZE - 1)) + offset;

	return (char *)pin->pages[at >> PAGE_SHIFT] + (at & (PAGE_SIZE - 1));
}

/* Make the CPU fault on the page of @gpa once more, keeping its content. For the
 * test device. */
void guest_mem_hide(struct guest_mem *gm, gpa_t gpa);

#endif
