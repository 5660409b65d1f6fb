#include "kernel/loader_plan.h"

#include "kernel/lib/errno.h"
#include "kernel/thread.h"
#include "mm/heap.h"

int loader_plan_create(const struct vm *vm, struct loader_plan **plan,
		       struct diag *why)
{
	*plan = heap_alloc(sizeof(**plan));
	if (!*plan)
		return diag_set(why, -ENOMEM, "kernel: no memory to load it");
	(*plan)->vm = vm;
	return 0;
}

void loader_plan_destroy(struct loader_plan *plan)
{
	heap_free(plan);
}

static bool is_ram(const struct vm *vm, uint64_t base, uint64_t size)
{
	struct loader_map_entry map[LOADER_MAP_MAX];
	uint32_t count = loader_memory_map(vm, map);

	for (uint32_t i = 0; i < count; i++) {
		if (map[i].type == MAP_RAM && base >= map[i].base &&
		    range_fits(base - map[i].base, size, map[i].size))
			return true;
	}
	return false;
}

static const struct loader_piece *find_overlap(const struct loader_plan *plan,
					       uint64_t base, uint64_t size)
{
	for (uint32_t i = 0; i < plan->piece_count; i++) {
		const struct loader_piece *piece = &plan->pieces[i];

		if (range_overlaps(base, size, piece->base, piece->size))
			return piece;
	}
	return NULL;
}

bool loader_plan_has(const struct loader_plan *plan, uint64_t address)
{
	return find_overlap(plan, address, 1) != NULL;
}

static struct loader_piece *add(struct loader_plan *plan, const char *what,
				uint64_t base, uint64_t size, struct diag *why)
{
	struct loader_piece *piece;

	if (plan->piece_count == LOADER_PIECES_MAX) {
		diag_set(why, -EINVAL, "%s: more than %u pieces to load", what,
			 LOADER_PIECES_MAX);
		return NULL;
	}
	piece = &plan->pieces[plan->piece_count++];
	piece->what = what;
	piece->base = base;
	piece->size = size;
	return piece;
}

struct loader_piece *loader_plan_put(struct loader_plan *plan, const char *what,
				     uint64_t base, uint64_t size,
				     struct diag *why)
{
	const struct loader_piece *other;

	if (!is_ram(plan->vm, base, size)) {
		diag_set(why, -EINVAL,
			 "%s: 0x%lx bytes at 0x%lx are not in the VM's RAM "
			 "(0x%lx bytes)",
			 what, size, base, plan->vm->ram_size);
		return NULL;
	}
	other = find_overlap(plan, base, size);
	if (other) {
		diag_set(why, -EINVAL,
			 "%s: 0x%lx bytes at 0x%lx overlap %s at 0x%lx", what,
			 size, base, other->what, other->base);
		return NULL;
	}
	return add(plan, what, base, size, why);
}

/* The range of @size below @top that may be taken; 0: none. */
static uint64_t try_below(const struct loader_plan *plan, uint64_t size,
			  uint64_t align, uint64_t top)
{
	uint64_t base;

	if (top < size)
		return 0;
	base = align_down(top - size, align);
	if (base < PAGE_SIZE || !is_ram(plan->vm, base, size) ||
	    find_overlap(plan, base, size))
		return 0;
	return base;
}

/* The highest place ends at @limit, at the end of RAM, or below a piece. */
static uint64_t find_place(const struct loader_plan *plan, uint64_t size,
			   uint64_t align, uint64_t limit)
{
	struct loader_map_entry map[LOADER_MAP_MAX];
	uint32_t count = loader_memory_map(plan->vm, map);
	uint64_t best = try_below(plan, size, align, limit);

	for (uint32_t i = 0; i < count; i++) {
		uint64_t top = min_u64(map[i].base + map[i].size, limit);

		best = max_u64(best, try_below(plan, size, align, top));
	}
	for (uint32_t i = 0; i < plan->piece_count; i++) {
		uint64_t top = min_u64(plan->pieces[i].base, limit);

		best = max_u64(best, try_below(plan, size, align, top));
	}
	return best;
}

struct loader_piece *loader_plan_place(struct loader_plan *plan,
				       const char *what, uint64_t size,
				       uint64_t align, uint64_t limit,
				       struct diag *why)
{
	uint64_t base = find_place(plan, size, align, limit);

	if (base)
		return add(plan, what, base, size, why);
	diag_set(why, -EINVAL,
		 "%s: no room for 0x%lx bytes below 0x%lx in the VM's RAM "
		 "(0x%lx bytes)",
		 what, size, limit, plan->vm->ram_size);
	return NULL;
}

struct loader_piece *loader_plan_place_file(struct loader_plan *plan,
					    const char *what,
					    const struct loader_file *file,
					    uint64_t limit, struct diag *why)
{
	struct loader_piece *piece = loader_plan_place(plan, what, file->size,
						       PAGE_SIZE, limit, why);

	if (!piece)
		return NULL;
	piece->data = file->data;
	piece->data_size = file->size;
	return piece;
}

static struct loader_piece *place_small(struct loader_plan *plan,
					const char *what, uint64_t size,
					uint64_t align, struct diag *why)
{
	uint64_t limit = LOADER_INFO_LIMIT;

	if (!find_place(plan, size, align, limit))
		limit = VM_LOW_RAM_MAX;
	return loader_plan_place(plan, what, size, align, limit, why);
}

struct loader_piece *loader_plan_place_text(struct loader_plan *plan,
					    const char *what, struct slice text,
					    struct diag *why)
{
	struct loader_piece *piece =
		place_small(plan, what, text.len + 1, 16, why);

	if (!piece)
		return NULL;
	piece->data = text.ptr;
	piece->data_size = text.len;
	return piece;
}

struct loader_piece *loader_plan_place_info(struct loader_plan *plan,
					    const char *what, uint64_t size,
					    struct diag *why)
{
	return place_small(plan, what, size, PAGE_SIZE, why);
}

/* In parts, with scheduling points between: a restarting VM must not hold up the
 * others on its CPU. */
static int copy_data(struct vm *vm, const struct loader_piece *piece)
{
	uint64_t at = 0;
	int error = 0;

	while (at < piece->data_size && !error) {
		uint64_t size = min_u64(piece->data_size - at, MIB);

		error = guest_load(&vm->memory, (gpa_t){ piece->base + at },
				   (const char *)piece->data + at, size);
		at += size;
		thread_window();
	}
	return error;
}

static int write_piece(struct vm *vm, const struct loader_piece *piece,
		       struct diag *why)
{
	gpa_t rest = { piece->base + piece->data_size };
	int error = copy_data(vm, piece);

	if (!error)
		error = guest_zero(&vm->memory, rest,
				   piece->size - piece->data_size);
	if (!error)
		return 0;
	return diag_set(why, error,
			"%s: error %d writing 0x%lx bytes to guest memory at "
			"0x%lx",
			piece->what, -error, piece->size, piece->base);
}

int loader_plan_write(struct vm *vm, const struct loader_plan *plan,
		      struct diag *why)
{
	for (uint32_t i = 0; i < plan->piece_count; i++) {
		int error = write_piece(vm, &plan->pieces[i], why);

		if (error)
			return error;
	}
	return 0;
}
