/*
 * What goes where in a guest's memory: planned and checked in full, then
 * written. [pure]
 *
 * A piece is refused that is not wholly in the guest's RAM, or that shares a
 * byte with another.
 */
#ifndef KERNEL_LOADER_PLAN_H
#define KERNEL_LOADER_PLAN_H

#include "kernel/loader.h"

#define LOADER_PIECES_MAX 24

/* Where what a loader makes up itself goes, from this address downwards: above
 * it Linux's decompressor puts its trampoline, without asking what is there. */
#define LOADER_INFO_LIMIT 0x90000UL

/* A range of guest RAM that begins with data; the rest is zero. */
struct loader_piece {
	const char *what; /* for messages */
	uint64_t base;
	uint64_t size;
	const void *data; /* may be set any time before loader_plan_write */
	uint64_t data_size;
};

struct loader_plan {
	const struct vm *vm;
	uint32_t piece_count;
	struct loader_piece pieces[LOADER_PIECES_MAX];
};

/* An empty plan, of heap_alloc. -ENOMEM with @why. */
int loader_plan_create(const struct vm *vm, struct loader_plan **plan,
		       struct diag *why);
void loader_plan_destroy(struct loader_plan *plan);

/* A piece at @base. NULL (-EINVAL): @why says why not. */
struct loader_piece *loader_plan_put(struct loader_plan *plan, const char *what,
				     uint64_t base, uint64_t size,
				     struct diag *why);

/* A piece at the highest multiple of @align that keeps it below @limit and off
 * the first page. NULL (-EINVAL): no room; @why. */
struct loader_piece *loader_plan_place(struct loader_plan *plan,
				       const char *what, uint64_t size,
				       uint64_t align, uint64_t limit,
				       struct diag *why);

/* The whole of @file, page-aligned, as high below @limit as it goes. */
struct loader_piece *loader_plan_place_file(struct loader_plan *plan,
					    const char *what,
					    const struct loader_file *file,
					    uint64_t limit, struct diag *why);

/* @text and a NUL, below LOADER_INFO_LIMIT if there is room there. */
struct loader_piece *loader_plan_place_text(struct loader_plan *plan,
					    const char *what, struct slice text,
					    struct diag *why);

/* Made-up data of @size bytes, likewise, page-aligned. */
struct loader_piece *loader_plan_place_info(struct loader_plan *plan,
					    const char *what, uint64_t size,
					    struct diag *why);

/* Is the byte at @address in a piece? */
bool loader_plan_has(const struct loader_plan *plan, uint64_t address);

/* Do it. -ENOMEM, -EFAULT. */
int loader_plan_write(struct vm *vm, const struct loader_plan *plan,
		      struct diag *why);

#endif
