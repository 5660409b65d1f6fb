#include "vq_driver.h"

#include <stdlib.h>
#include <string.h>

static uint64_t avail_gpa(const struct vq_driver *driver)
{
	return driver->base + VQ_DRIVER_AVAIL;
}

static uint64_t used_gpa(const struct vq_driver *driver)
{
	return driver->base + VQ_DRIVER_USED;
}

static void put(const struct vq_driver *driver, uint64_t gpa, const void *from,
		size_t size)
{
	if (guest_write(driver->vq->memory, (gpa_t){ gpa }, from, size))
		abort();
}

static void get(const struct vq_driver *driver, uint64_t gpa, void *to,
		size_t size)
{
	if (guest_read(driver->vq->memory, (gpa_t){ gpa }, to, size))
		abort();
}

void vq_driver_put16(const struct vq_driver *driver, uint64_t gpa,
		     uint16_t value)
{
	put(driver, gpa, &value, sizeof(value));
}

uint16_t vq_driver_get16(const struct vq_driver *driver, uint64_t gpa)
{
	uint16_t value;

	get(driver, gpa, &value, sizeof(value));
	return value;
}

int vq_driver_start(struct vq_driver *driver, struct virtqueue *vq,
		    uint64_t base, uint16_t size, uint64_t features)
{
	vq_reset(vq);
	*driver = (struct vq_driver){ .vq = vq, .base = base };
	driver->avail_wrap = driver->used_wrap = true;
	if (guest_zero(vq->memory, (gpa_t){ base }, VQ_DRIVER_SIZE))
		abort();
	vq->size = size;
	vq->desc = base;
	vq->driver = avail_gpa(driver);
	vq->device = used_gpa(driver);
	return vq_enable(vq, features);
}

void vq_driver_put_desc(const struct vq_driver *driver, uint64_t gpa,
			struct vq_buffer buffer, uint16_t link)
{
	put(driver, gpa, &buffer.base, 8);
	put(driver, gpa + 8, &buffer.size, 4);
	vq_driver_put16(driver, gpa + 12, buffer.flags);
	vq_driver_put16(driver, gpa + 14, link);
}

static void touch(struct guest_mem *gm, uint64_t gpa)
{
	if (guest_write_u16(gm, (gpa_t){ gpa }, 0))
		abort();
}

void vq_driver_scatter(struct guest_mem *gm, uint64_t size)
{
	const struct pt_format *format = gm->table.format;
	uint64_t pages = size / PAGE_SIZE;

	guest_mem_fini(gm);
	if (guest_mem_init(gm, format, 1, 0) ||
	    guest_mem_add(gm, GUEST_RAM, (gpa_t){ 0 }, size))
		abort();
	for (uint64_t i = 0; i < pages; i++)
		touch(gm, i * 1021 % pages * PAGE_SIZE);
}

static void put_packed(const struct vq_driver *driver, uint64_t gpa,
		       struct vq_buffer buffer, uint16_t id)
{
	uint16_t flags = buffer.flags;

	buffer.flags = id;
	vq_driver_put_desc(driver, gpa, buffer, flags);
}

void vq_driver_put_table(const struct vq_driver *driver, uint64_t gpa,
			 const struct vq_buffer *buffers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct vq_buffer buffer = buffers[i];

		if (driver->vq->is_packed) {
			put_packed(driver, gpa + 16 * i, buffer, 0);
			continue;
		}
		if (i + 1 < count)
			buffer.flags |= VQ_DESC_NEXT;
		vq_driver_put_desc(driver, gpa + 16 * i, buffer,
				   (uint16_t)(i + 1));
	}
}

static uint16_t add_split(struct vq_driver *driver,
			  const struct vq_buffer *buffers, size_t count)
{
	uint16_t size = driver->vq->size;
	uint16_t head = driver->next_desc;

	for (size_t i = 0; i < count; i++) {
		struct vq_buffer buffer = buffers[i];
		uint16_t at = driver->next_desc;

		driver->next_desc = (uint16_t)((at + 1) % size);
		if (i + 1 < count)
			buffer.flags |= VQ_DESC_NEXT;
		vq_driver_put_desc(driver, driver->base + 16UL * at, buffer,
				   driver->next_desc);
	}
	vq_driver_put16(driver,
			avail_gpa(driver) + 4 +
				2UL * (driver->avail_index % size),
			head);
	vq_driver_put16(driver, avail_gpa(driver) + 2, ++driver->avail_index);
	return head;
}

static uint16_t add_packed(struct vq_driver *driver,
			   const struct vq_buffer *buffers, size_t count)
{
	uint16_t id = driver->next_id++ % VQ_SIZE_MAX;

	driver->taken[id] = (uint16_t)count;
	for (size_t i = 0; i < count; i++) {
		struct vq_buffer buffer = buffers[i];

		buffer.flags |=
			driver->avail_wrap ? VQ_DESC_AVAIL : VQ_DESC_USED;
		if (i + 1 < count)
			buffer.flags |= VQ_DESC_NEXT;
		put_packed(driver, driver->base + 16UL * driver->next_desc,
			   buffer, i + 1 < count ? 0xdead : id);
		if (++driver->next_desc == driver->vq->size) {
			driver->next_desc = 0;
			driver->avail_wrap = !driver->avail_wrap;
		}
	}
	return id;
}

uint16_t vq_driver_add(struct vq_driver *driver,
		       const struct vq_buffer *buffers, size_t count)
{
	return driver->vq->is_packed ? add_packed(driver, buffers, count)
				     : add_split(driver, buffers, count);
}

static bool take_split(struct vq_driver *driver, uint16_t *id,
		       uint32_t *written)
{
	uint64_t entry = used_gpa(driver) + 4 +
			 8UL * (driver->used_index % driver->vq->size);
	uint32_t words[2];

	if (vq_driver_get16(driver, used_gpa(driver) + 2) == driver->used_index)
		return false;
	get(driver, entry, words, sizeof(words));
	*id = (uint16_t)words[0];
	*written = words[1];
	driver->used_index++;
	return true;
}

static bool take_packed(struct vq_driver *driver, uint16_t *id,
			uint32_t *written)
{
	uint64_t at = driver->base + 16UL * driver->used_index;
	uint16_t flags = vq_driver_get16(driver, at + 14);

	if (!!(flags & VQ_DESC_AVAIL) != driver->used_wrap ||
	    !!(flags & VQ_DESC_USED) != driver->used_wrap)
		return false;
	*id = vq_driver_get16(driver, at + 12);
	get(driver, at + 8, written, 4);
	if (!(flags & VQ_DESC_WRITE))
		*written = 0;
	driver->used_index = (uint16_t)(driver->used_index +
					driver->taken[*id % VQ_SIZE_MAX]);
	if (driver->used_index >= driver->vq->size) {
		driver->used_index =
			(uint16_t)(driver->used_index - driver->vq->size);
		driver->used_wrap = !driver->used_wrap;
	}
	return true;
}

bool vq_driver_take(struct vq_driver *driver, uint16_t *id, uint32_t *written)
{
	return driver->vq->is_packed ? take_packed(driver, id, written)
				     : take_split(driver, id, written);
}

void vq_driver_mute(const struct vq_driver *driver)
{
	bool is_packed = driver->vq->is_packed;

	vq_driver_put16(driver, avail_gpa(driver) + (is_packed ? 2 : 0), 1);
}

void vq_driver_unmute(const struct vq_driver *driver)
{
	bool is_packed = driver->vq->is_packed;

	vq_driver_put16(driver, avail_gpa(driver) + (is_packed ? 2 : 0), 0);
}

static void ask_packed(const struct vq_driver *driver, uint16_t count)
{
	uint16_t at = (uint16_t)(driver->used_index + count - 1);
	bool wrap = driver->used_wrap;

	if (at >= driver->vq->size) {
		at = (uint16_t)(at - driver->vq->size);
		wrap = !wrap;
	}
	vq_driver_put16(driver, avail_gpa(driver), (uint16_t)(at | wrap << 15));
	vq_driver_put16(driver, avail_gpa(driver) + 2, 2);
}

void vq_driver_ask(const struct vq_driver *driver, uint16_t count)
{
	if (driver->vq->is_packed) {
		ask_packed(driver, count);
		return;
	}
	vq_driver_put16(driver, avail_gpa(driver) + 4 + 2UL * driver->vq->size,
			(uint16_t)(driver->used_index + count - 1));
}

static bool must_kick_packed(const struct vq_driver *driver)
{
	uint16_t position = vq_driver_get16(driver, used_gpa(driver));
	uint16_t flags = vq_driver_get16(driver, used_gpa(driver) + 2);
	uint16_t last = (uint16_t)((driver->next_desc + driver->vq->size - 1) %
				   driver->vq->size);
	bool wrap = driver->avail_wrap != (driver->next_desc == 0);

	if (flags != 2)
		return flags == 0;
	return position == (last | wrap << 15);
}

bool vq_driver_must_kick(const struct vq_driver *driver)
{
	uint64_t event = used_gpa(driver) + 4 + 8UL * driver->vq->size;

	if (driver->vq->is_packed)
		return must_kick_packed(driver);
	if (driver->vq->has_event_index)
		return vq_driver_get16(driver, event) ==
		       (uint16_t)(driver->avail_index - 1);
	return vq_driver_get16(driver, used_gpa(driver)) == 0;
}
