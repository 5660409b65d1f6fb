/* The heap: pools by size class, and runs of frames. */
#include "mm/heap.h"

#include "kernel/cpu/percpu.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/string.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "mm/pool.h"

#define RUN_MAGIC 0x6c81d2e7480ab480UL

/*
 * Before the memory of a run, at the start of its first frame. It names its own
 * place and user, so that a copy of it elsewhere is not taken for one.
 */
struct heap_run {
	uint64_t magic;
	const void *self;
	uint64_t order;
	uint64_t reserved[5]; /* so that the memory starts at a cache line */
};

_Static_assert(sizeof(struct heap_run) == 64, "see reserved");

struct size_class {
	uint16_t size;
	const char *name;
};

/* Steps of at most 3/2 above 32; from 336 on, sizes that leave little of a slab over. */
static const struct size_class classes[] = {
	{ 16, "heap-16" },     { 32, "heap-32" },     { 48, "heap-48" },
	{ 64, "heap-64" },     { 96, "heap-96" },     { 128, "heap-128" },
	{ 192, "heap-192" },   { 256, "heap-256" },   { 336, "heap-336" },
	{ 448, "heap-448" },   { 576, "heap-576" },   { 672, "heap-672" },
	{ 800, "heap-800" },   { 1008, "heap-1008" }, { 1344, "heap-1344" },
	{ 2016, "heap-2016" },
};

static struct pool pools[ARRAY_SIZE(classes)];
static uint64_t run_bytes; /* (a) */

void heap_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		pool_init(&pools[i], classes[i].name, classes[i].size);
	run_bytes = 0;
}

static void count_run(uint64_t bytes)
{
	__atomic_fetch_add(&run_bytes, bytes, __ATOMIC_RELAXED);
}

static void *run_alloc(size_t size)
{
	struct heap_run *run;
	uint64_t order = 0;
	hpa_t frames;

	while (PAGE_SIZE << order < size + sizeof(*run))
		order++;
	frames = frame_alloc_zeroed((unsigned int)order, cpu_node());
	if (hpa_equals(frames, HPA_NONE))
		return NULL;
	run = phys_to_virt(frames);
	*run = (struct heap_run){ .magic = RUN_MAGIC,
				  .self = run,
				  .order = order };
	count_run(PAGE_SIZE << order);
	return run + 1;
}

void *heap_alloc(size_t size)
{
	if (size > HEAP_SIZE_MAX)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		if (size <= classes[i].size)
			return pool_alloc(&pools[i]);
	}
	return run_alloc(size);
}

static bool is_own(const struct pool *pool)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		if (pool == &pools[i])
			return true;
	}
	return false;
}

/* If two CPUs free the same run at once, frame_free stops the later. */
static void run_free(struct heap_run *run)
{
	uint64_t order = run->order;

	run->magic = 0;
	count_run(0 - (PAGE_SIZE << order));
	frame_free(virt_to_phys(run), (unsigned int)order);
}

void heap_free(void *ptr)
{
	uint64_t page = align_down((uint64_t)ptr, PAGE_SIZE);
	struct heap_run *run = (struct heap_run *)page;
	struct pool *pool;

	if (!ptr)
		return;
	pool = pool_of(ptr);
	if (pool && is_own(pool))
		pool_free(pool, ptr);
	else if (run->magic == RUN_MAGIC && run->self == run && ptr == run + 1)
		run_free(run);
	else
		panic("heap_free: %p is not a live piece of the heap", ptr);
}

uint64_t heap_used(void)
{
	uint64_t used = __atomic_load_n(&run_bytes, __ATOMIC_RELAXED);

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		used += pool_used(&pools[i]);
	return used;
}
