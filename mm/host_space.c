/* The hypervisor's own address space. */
#include "mm/host_space.h"

#include "kernel/cpu/cpu.h"
#include "kernel/cpu/percpu.h"
#include "kernel/cpu/x86_asm.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/spinlock.h"
#include "kernel/lib/string.h"
#include "mm/frame.h"
#include "mm/phys.h"

#define WINDOW_SIZE  LARGE_PAGE_SIZE
#define DEVICE_START (DEVICE_BASE + HOST_SPACE_WINDOWS * WINDOW_SIZE)

extern char image_start[], text_end[], rodata_end[], image_end[];
extern char boot_stack_guard[];

static struct spinlock lock = SPINLOCK_INIT(LOCK_RANK_HOST_MAP);
static struct pgtable space;		   /* [lock] */
static struct host_map_tables boot_tables; /* until frame_init takes them */
static struct host_map_tables
	*stock; /* [lock] where tables come from in the call under way */
static bool are_frames_up; /* frame_init has taken boot_tables over */
static uint64_t device_next = DEVICE_START; /* [lock] */

hpa_t pgtable_page_alloc(const struct pgtable *pt)
{
	hpa_t page;

	if (pt->format != &pt_format_host)
		return frame_alloc_zeroed(0, pt->node);
	if (!stock->count)
		return HPA_NONE;
	page = stock->frames[--stock->count];
	memset(phys_to_virt(page), 0, PAGE_SIZE);
	return page;
}

void pgtable_page_free(const struct pgtable *pt, hpa_t page)
{
	CHECK(pt->format != &pt_format_host);
	frame_free(page, 0);
}

/* Frames for tables are got before the lock: the allocator itself maps (see
 * frame.h for the order). */
static struct host_map_tables *stock_open(struct host_map_tables *own)
{
	if (!are_frames_up)
		return &boot_tables; /* when it is empty, mapping says so */
	own->count = 0;
	while (own->count < HOST_MAP_TABLES_MIN) {
		hpa_t frame = frame_alloc(0, cpu_node());

		if (hpa_equals(frame, HPA_NONE))
			break; /* mapping fails with -ENOMEM if it needs it */
		own->frames[own->count++] = frame;
	}
	return own;
}

static void stock_close(struct host_map_tables *from)
{
	while (from != &boot_tables && from->count)
		frame_free(from->frames[--from->count], 0);
}

static int map_locked(struct host_map_tables *tables, uint64_t virt, hpa_t base,
		      uint64_t size, uint32_t flags)
{
	int err;

	spin_lock(&lock);
	stock = tables;
	err = pgtable_map(&space, virt, base, size, flags);
	spin_unlock(&lock);
	return err;
}

static int map(uint64_t virt, hpa_t base, uint64_t size, uint32_t flags)
{
	struct host_map_tables own;
	struct host_map_tables *tables = stock_open(&own);
	int err = map_locked(tables, virt, base, size, flags);

	stock_close(tables);
	return err;
}

int host_map_direct(hpa_t base, uint64_t size, struct host_map_tables *tables)
{
	uint64_t virt = DIRECT_BASE + base.value;
	uint64_t end = virt + size;
	int err = 0;

	spin_lock(&lock);
	stock = tables;
	while (virt < end && !err) {
		struct pt_leaf leaf;
		uint64_t gap_end = end;

		if (pgtable_next(&space, virt, &leaf) && leaf.virt < end)
			gap_end = leaf.virt;
		if (gap_end > virt)
			err = pgtable_map(&space, virt, HPA(virt - DIRECT_BASE),
					  gap_end - virt, PT_WRITE);
		virt = gap_end == end ? end : leaf.virt + leaf.size;
	}
	spin_unlock(&lock);
	return err;
}

int host_space_map_ram(hpa_t base, uint64_t size)
{
	uint64_t at = align_down(base.value, PAGE_SIZE);
	uint64_t end = align_up(base.value + size, PAGE_SIZE);
	int err = 0;

	while (at < end && !err) {
		uint64_t next = min_u64(end, align_down(at, HUGE_PAGE_SIZE) +
						     HUGE_PAGE_SIZE);
		struct host_map_tables own;
		struct host_map_tables *tables = stock_open(&own);

		err = host_map_direct(HPA(at), next - at, tables);
		stock_close(tables);
		at = next;
	}
	return err;
}

void *host_space_map_device(hpa_t base, uint64_t size, uint32_t flags)
{
	uint64_t first = align_down(base.value, PAGE_SIZE);
	uint64_t length = align_up(base.value + size, PAGE_SIZE) - first;
	uint64_t virt;

	if (!range_fits(base.value, size, BIT(cpu_features.address_bits)) ||
	    length > DEVICE_BASE + DEVICE_SIZE - LARGE_PAGE_SIZE * 2 -
			     device_next)
		return NULL;
	spin_lock(&lock);
	/* the same place in a large page, so that large pages can be used */
	virt = align_up(device_next, LARGE_PAGE_SIZE) +
	       (first & (LARGE_PAGE_SIZE - 1));
	if (length <= LARGE_PAGE_SIZE / 2)
		virt = device_next;
	device_next = virt + length;
	spin_unlock(&lock);
	if (map(virt, HPA(first), length, flags))
		return NULL;
	return (void *)(virt + (base.value - first));
}

void host_space_unmap_device(void *virt, uint64_t size)
{
	uint64_t from = align_down((uint64_t)virt, PAGE_SIZE);
	uint64_t to = align_up((uint64_t)virt + size, PAGE_SIZE);

	spin_lock(&lock);
	pgtable_unmap(&space, from, to - from);
	spin_unlock(&lock);
	for (; from < to; from += PAGE_SIZE)
		x86_invlpg((void *)from);
}

bool host_space_copy_root(hpa_t root, hpa_t code)
{
	struct host_map_tables own;
	struct host_map_tables *tables = stock_open(&own);
	struct pgtable low;
	uint64_t *entries = host_space_map_device(root, PAGE_SIZE, PT_WRITE);
	bool is_done = false;

	spin_lock(&lock);
	stock = tables;
	if (entries && !pgtable_init(&low, &pt_format_host, 4, 1) &&
	    !pgtable_map(&low, code.value, code, PAGE_SIZE, PT_EXECUTE)) {
		const uint64_t *lower = phys_to_virt(low.root);
		const uint64_t *upper = phys_to_virt(space.root);

		memcpy(entries, lower, PAGE_SIZE / 2);
		memcpy(entries + PT_ENTRIES / 2, upper + PT_ENTRIES / 2,
		       PAGE_SIZE / 2);
		is_done = true;
	}
	spin_unlock(&lock);
	stock_close(tables);
	if (entries)
		host_space_unmap_device(entries, PAGE_SIZE);
	return is_done;
}

static void unmap_window(uint64_t virt)
{
	pgtable_unmap(&space, virt, WINDOW_SIZE);
	for (uint64_t at = virt; at < virt + WINDOW_SIZE; at += PAGE_SIZE)
		x86_invlpg((void *)at);
}

const void *host_space_window(unsigned int slot, hpa_t base, uint64_t size)
{
	uint64_t first = align_down(base.value, PAGE_SIZE);
	uint64_t virt = DEVICE_BASE + slot * WINDOW_SIZE;
	uint64_t limit = BIT(cpu_features.address_bits);

	if (!range_fits(base.value, size, limit) ||
	    base.value - first + size > WINDOW_SIZE - PAGE_SIZE)
		return NULL;
	unmap_window(virt);
	if (map(virt, HPA(first),
		align_up(base.value + size, PAGE_SIZE) - first, PT_READ))
		return NULL;
	return (const void *)(virt + (base.value - first));
}

int host_space_map_page(uint64_t virt, hpa_t frame)
{
	return map(virt, frame, PAGE_SIZE, PT_WRITE);
}

bool host_space_is_mapped(uint64_t virt, uint64_t size)
{
	struct pt_leaf leaf;

	bool is_canonical = (uint64_t)((int64_t)(virt << 16) >> 16) == virt;

	return space.format && is_canonical &&
	       pgtable_find(&space, virt, &leaf) &&
	       pgtable_find(&space, virt + size - 1, &leaf);
}

const struct pgtable *host_space_tables(void)
{
	return &space;
}

void host_space_enter(void)
{
	x86_write_cr3(space.root.value);
}

struct host_map_tables *host_space_boot_tables(void)
{
	are_frames_up = true;
	return &boot_tables;
}

static int take_boot_tables(struct memmap *memory)
{
	uint64_t size = HOST_MAP_TABLES_MAX * PAGE_SIZE;
	hpa_t base = memmap_take(memory, size, PAGE_SIZE, 4 * GIB);

	if (hpa_equals(base, HPA_NONE))
		return -ENOMEM;
	for (uint32_t i = 0; i < HOST_MAP_TABLES_MAX; i++)
		boot_tables.frames[i] = hpa_add(base, i * PAGE_SIZE);
	boot_tables.count = HOST_MAP_TABLES_MAX;
	stock = &boot_tables;
	if (pgtable_init(&space, &pt_format_host, 4,
			 cpu_features.has_1gib_pages ? 3 : 2))
		return -ENOMEM;
	return map(DIRECT_BASE + base.value, base, size, PT_WRITE);
}

/* [from, to) of the image; both page aligned by link.ld. */
static int map_image(hpa_t image_base, const char *from, const char *to,
		     uint32_t flags)
{
	return map((uint64_t)from,
		   hpa_add(image_base, (uint64_t)(from - image_start)),
		   (uint64_t)(to - from), flags);
}

int host_space_init(struct memmap *memory, hpa_t image_base)
{
	int err = take_boot_tables(memory);

	if (!err)
		err = map_image(image_base, image_start, text_end, PT_EXECUTE);
	if (!err)
		err = map_image(image_base, text_end, rodata_end, PT_READ);
	if (!err)
		err = map_image(image_base, rodata_end, boot_stack_guard,
				PT_WRITE);
	if (!err)
		err = map_image(image_base, boot_stack_guard + PAGE_SIZE,
				image_end, PT_WRITE);
	if (!err)
		host_space_enter();
	return err;
}
