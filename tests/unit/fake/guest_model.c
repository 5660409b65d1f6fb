#include "guest_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame_hoard.h"
#include "frame_machine.h"
#include "guest_bytes.h"
#include "guest_views.h"
#include "kernel/lib/errno.h"
#include "mm/guest_mem.h"
#include "mm/phys.h"
#include "svm/npt.h"
#include "vmx/ept.h"

#define IMAGE_SIZE  LARGE_PAGE_SIZE
#define LENGTH_MAX  (48 * KIB)
#define LENGTH_LONG (3 * MIB)
#define PINS	    3

static struct guest_mem gm;
static uint64_t allocated_before;
static char image[IMAGE_SIZE];
static hpa_t image_base;
static uint64_t image_used; /* bytes shown so far */
static struct guest_pin pins[PINS];
static char buffer[LENGTH_LONG];

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "guest model: %s\n", what);
	abort();
}

/* Without memory some of the bytes are written: take over how many. */
static void resync(uint64_t gpa, uint64_t size, const char *wanted)
{
	char now;

	for (uint64_t i = 0; i < size; i++) {
		require(guest_read(&gm, (gpa_t){ gpa + i }, &now, 1) == 0,
			"not readable");
		require(now == wanted[i] || now == *guest_bytes_at(gpa + i),
			"neither old nor new");
		*guest_bytes_at(gpa + i) = now;
	}
}

static void check_written(int err, uint64_t gpa, uint64_t size, bool is_ram,
			  const char *wanted)
{
	if (!guest_bytes_cover(gpa, size, is_ram))
		require(err == -EFAULT, "wrote where nothing is");
	else if (err == -ENOMEM)
		resync(gpa, size, wanted);
	else
		require(err == 0, "was refused");
	if (err == -ENOMEM)
		require(frame_hoard_count > 0, "no memory");
	if (err == 0)
		guest_bytes_put(gpa, wanted, size);
}

static void check_same(uint64_t gpa, uint64_t size)
{
	static char expected[LENGTH_LONG];
	int err = guest_read(&gm, (gpa_t){ gpa }, buffer, size);

	require(err == (guest_bytes_cover(gpa, size, false) ? 0 : -EFAULT),
		"read");
	if (err)
		return;
	guest_bytes_get(gpa, expected, size);
	require(memcmp(buffer, expected, size) == 0, "other bytes");
}

static void fill_buffer(uint64_t size, uint64_t seed)
{
	for (uint64_t i = 0; i < size; i++)
		buffer[i] = (char)(seed + i * 7 + (i >> 9));
}

static void write(uint64_t gpa, uint64_t size, uint64_t seed, bool is_load)
{
	int err;

	fill_buffer(size, seed);
	err = is_load ? guest_load(&gm, (gpa_t){ gpa }, buffer, size)
		      : guest_write(&gm, (gpa_t){ gpa }, buffer, size);
	check_written(err, gpa, size, !is_load, buffer);
}

static void zero(uint64_t gpa, uint64_t size)
{
	int err = guest_zero(&gm, (gpa_t){ gpa }, size);

	memset(buffer, 0, size);
	check_written(err, gpa, size, true, buffer);
}

static void copy(uint64_t to, uint64_t from, uint64_t size)
{
	int err;

	if (to < from + size && from < to + size)
		return; /* in some order */
	err = guest_copy(&gm, (gpa_t){ to }, &gm, (gpa_t){ from }, size);
	if (!guest_bytes_cover(from, size, false)) {
		require(err == -EFAULT, "copied from nothing");
		return;
	}
	guest_bytes_get(from, buffer, size);
	check_written(err, to, size, true, buffer);
}

static void fault(uint64_t gpa, uint32_t access)
{
	const struct guest_slot *slot = guest_bytes_slot(gpa);
	enum guest_fault got = guest_mem_fault(&gm, (gpa_t){ gpa }, access);
	struct pt_leaf leaf;

	if (!slot) {
		require(got == GUEST_FAULT_DEVICE, "memory out of nothing");
		return;
	}
	if ((access & PT_WRITE) && slot->kind == GUEST_ROM) {
		require(got == GUEST_FAULT_READ_ONLY, "ROM written");
		return;
	}
	if (got == GUEST_FAULT_NO_MEMORY && frame_hoard_count)
		return;
	require(got == GUEST_FAULT_DONE, "not done");
	require(pgtable_find(&gm.table, gpa, &leaf), "not there");
	if (access & PT_WRITE)
		require(guest_views_is_writable(&leaf), "not writable");
	if (slot->kind == GUEST_ROM || (leaf.entry & PT_SOFT_FOREIGN))
		require(!guest_views_is_writable(&leaf), "writable");
	guest_views_add(&gm, gpa, &leaf);
}

static bool is_untouched(uint64_t gpa, uint64_t size)
{
	struct pt_leaf leaf;

	return !pgtable_next_used(&gm.table, gpa, &leaf) ||
	       leaf.virt >= gpa + size;
}

static void share(uint64_t gpa, uint64_t offset, uint64_t size)
{
	const struct guest_slot *slot = guest_bytes_slot(gpa);
	bool is_free = is_untouched(gpa, size);
	int err = guest_mem_share(&gm, (gpa_t){ gpa },
				  hpa_add(image_base, offset), size);

	if (!slot || !size || (gpa | offset | size) % PAGE_SIZE ||
	    gpa + size > slot->base + slot->size) {
		require(err == -EINVAL, "shared what cannot be");
		return;
	}
	if (!is_free) {
		require(err == -EEXIST, "shared over something");
		return;
	}
	if (err == -ENOMEM && frame_hoard_count) {
		require(is_untouched(gpa, size), "shared by halves");
		return;
	}
	require(err == 0, "not shared");
	for (uint64_t i = 0; i < size; i++)
		require(guest_bytes_at(gpa)[i] == 0, "shared over bytes");
	guest_bytes_put(gpa, image + offset, size);
	image_used += size;
}

static void hide(uint64_t gpa)
{
	struct pt_leaf leaf;

	guest_mem_hide(&gm, (gpa_t){ gpa });
	if (!guest_bytes_slot(gpa) || frame_hoard_count)
		return;
	require(!pgtable_find(&gm.table, gpa, &leaf), "not hidden");
}

static void check_pin(const struct guest_pin *pin)
{
	for (uint64_t i = 0; i < pin->size; i++)
		require(*(char *)guest_pin_at(pin, i) ==
				*guest_bytes_at(pin->base + i),
			"pin lost its page");
}

static void pin(struct guest_pin *slot, uint64_t gpa, uint64_t size,
		uint32_t access)
{
	bool is_ram = access & PT_WRITE;
	int err;

	if (slot->size) {
		guest_unpin(&gm, slot);
		return;
	}
	err = guest_pin(&gm, slot, (gpa_t){ gpa }, size, access);
	if (!size || gpa % PAGE_SIZE + size > GUEST_PIN_PAGES_MAX * PAGE_SIZE)
		require(err == -EINVAL, "pinned too much");
	else if (!guest_bytes_cover(gpa, size, is_ram))
		require(err == -EFAULT, "pinned nothing");
	else
		require(err == 0 || (err == -ENOMEM && frame_hoard_count),
			"not pinned");
}

static void exchange(uint64_t gpa, unsigned int size, uint64_t desired,
		     bool is_equal)
{
	uint64_t was = 0, expected;
	int err;

	if (!guest_bytes_cover(gpa, size, true) || gpa % size) {
		require(guest_compare_exchange(&gm, (gpa_t){ gpa }, size, &was,
					       desired) == -EFAULT,
			"exchanged nothing");
		return;
	}
	guest_bytes_get(gpa, &was, size);
	expected = is_equal ? was : ~was;
	err = guest_compare_exchange(&gm, (gpa_t){ gpa }, size, &expected,
				     desired);
	if (err == -ENOMEM && frame_hoard_count)
		return;
	require(err == 0 && expected == was, "exchanged wrongly");
	if (is_equal)
		guest_bytes_put(gpa, &desired, size);
}

static void pointer(uint64_t gpa, uint32_t access)
{
	char *at = guest_pointer(&gm, (gpa_t){ gpa }, access);

	if (!guest_bytes_cover(gpa, 1, access & PT_WRITE)) {
		require(at == NULL, "pointer to nothing");
		return;
	}
	require(at || frame_hoard_count, "no pointer");
	if (!at)
		return;
	require(*at == *guest_bytes_at(gpa), "pointer to other bytes");
	if (access & PT_WRITE)
		*guest_bytes_at(gpa) = *at = (char)(*at + 1);
}

void guest_model_start(uint8_t how)
{
	frame_machine_reset(NULL);
	frame_machine_start_simple(32 * MIB);
	guest_bytes_reset();
	memset(pins, 0, sizeof(pins));
	guest_views_reset();
	image_used = 0;
	for (uint64_t i = 0; i < IMAGE_SIZE; i++)
		image[i] = (char)(i * 11 + (i >> 12) + 1);
	image_base = frame_alloc(FRAME_ORDER_LARGE, 0);
	memcpy(phys_to_virt(image_base), image, IMAGE_SIZE);
	allocated_before = frame_machine_allocated(0);
	require(guest_mem_init(&gm, how & 2 ? &pt_format_ept : &pt_format_npt,
			       how & 1 ? 1 : 2, 0) == 0,
		"init");
	for (size_t i = GUEST_BYTES_SLOTS; i-- > 0;)
		require(guest_mem_add(&gm, guest_bytes_layout[i].kind,
				      (gpa_t){ guest_bytes_layout[i].base },
				      guest_bytes_layout[i].size) == 0,
			"add");
}

/* Some address in or near a slot; mostly near some multiple of 4 KiB. */
static uint64_t address(uint64_t number)
{
	const struct guest_slot *slot = &guest_bytes_layout[number & 3];
	uint64_t page = number >> 2 & 0x7ff;

	return slot->base + page * PAGE_SIZE % (slot->size + 2 * PAGE_SIZE) -
	       (number >> 13 & 7);
}

void guest_model_step(uint8_t kind, uint64_t argument)
{
	uint64_t gpa = address(argument);
	uint64_t other = address(argument >> 16);
	uint64_t page = align_down(gpa, PAGE_SIZE);
	uint64_t size = (argument >> 32 & 0xffff) % LENGTH_MAX;
	uint8_t value = (uint8_t)(argument >> 48);

	if (value >= 0xf0)
		size *= 64; /* below LENGTH_LONG */
	switch (kind % 13) {
	case 0: check_same(gpa, size); break;
	case 1: write(gpa, size, value, false); break;
	case 2: write(gpa, size, value, true); break;
	case 3: zero(gpa, size); break;
	case 4: copy(gpa, other, size); break;
	case 5:
	case 6: fault(gpa, value % 3); break;
	case 7:
		if (value & 1)
			share(page, 0, IMAGE_SIZE);
		else
			share(page, value / 2 * PAGE_SIZE,
			      align_down(size % MIB, PAGE_SIZE));
		break;
	case 8: hide(gpa); break;
	case 9:
		pin(&pins[value % PINS], gpa, size, value >> 4 & PT_WRITE);
		break;
	case 10:
		exchange(gpa, 1U << (value & 3), argument >> 20, value & 4);
		break;
	case 11: pointer(gpa, value & PT_WRITE); break;
	case 12:
		frame_hoard_release();
		if (value & 1)
			frame_hoard_all_but(value >> 1 & 7);
		break;
	}
	require(guest_views_hold(&gm), "a translation changed unnoticed");
	for (size_t i = 0; i < PINS; i++)
		check_pin(&pins[i]);
}

static void check_sizes(void)
{
	struct pt_leaf leaf;
	uint64_t foreign = 0, own = 0;

	for (uint64_t at = 0; pgtable_next_used(&gm.table, at, &leaf);
	     at = leaf.virt + leaf.size) {
		if (leaf.entry & PT_SOFT_FOREIGN)
			foreign += leaf.size;
		else
			own += leaf.size;
		if (leaf.virt + leaf.size == BIT(48))
			break;
	}
	require(gm.own_size == own && gm.foreign_size == foreign, "sizes");
	require(foreign <= image_used, "more foreign memory than was shown");
	require(frame_machine_allocated(0) - allocated_before ==
			own + guest_mem_table_size(&gm),
		"frames");
}

void guest_model_finish(void)
{
	frame_hoard_release();
	for (size_t i = 0; i < PINS; i++)
		guest_unpin(&gm, &pins[i]);
	for (size_t i = 0; i < GUEST_BYTES_SLOTS; i++) {
		for (uint64_t at = 0; at < guest_bytes_layout[i].size;
		     at += 512 * KIB)
			check_same(guest_bytes_layout[i].base + at,
				   min_u64(512 * KIB,
					   guest_bytes_layout[i].size - at));
	}
	check_sizes();
	guest_mem_fini(&gm);
	require(memcmp(phys_to_virt(image_base), image, IMAGE_SIZE) == 0,
		"the image was written");
	require(frame_machine_allocated(0) == allocated_before, "a leak");
}
