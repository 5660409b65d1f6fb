/* Guest memory: bytes in and out, a piece of one leaf or hole at a time. */
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "mm/guest_touch.h"

int guest_read(struct guest_mem *gm, gpa_t gpa, void *to, uint64_t size)
{
	if (!guest_touch_covers(gm, gpa.value, size, false))
		return -EFAULT;
	for (uint64_t done = 0; done < size;) {
		struct guest_span span = guest_touch_look(gm, gpa.value + done);
		uint64_t part = min_u64(span.size, size - done);

		if (span.at)
			memcpy((char *)to + done, span.at, part);
		else
			memset((char *)to + done, 0, part);
		done += part;
	}
	return 0;
}

/* The range lies in slots. */
static int write_covered(struct guest_mem *gm, gpa_t gpa, const void *from,
			 uint64_t size)
{
	for (uint64_t done = 0; done < size;) {
		struct guest_span span =
			guest_touch(gm, gpa.value + done, true);
		uint64_t part = min_u64(span.size, size - done);

		if (!span.at)
			return -ENOMEM;
		memcpy(span.at, (const char *)from + done, part);
		done += part;
	}
	return 0;
}

int guest_write(struct guest_mem *gm, gpa_t gpa, const void *from,
		uint64_t size)
{
	if (!guest_touch_covers(gm, gpa.value, size, true))
		return -EFAULT;
	return write_covered(gm, gpa, from, size);
}

int guest_load(struct guest_mem *gm, gpa_t gpa, const void *from, uint64_t size)
{
	if (!guest_touch_covers(gm, gpa.value, size, false))
		return -EFAULT;
	return write_covered(gm, gpa, from, size);
}

/* Zero the first of [gpa, gpa + size); how many bytes, 0: no memory. */
static uint64_t zero_part(struct guest_mem *gm, uint64_t gpa, uint64_t size)
{
	struct guest_span span = guest_touch_look(gm, gpa);

	if (!span.at)
		return min_u64(span.size, size);
	span = guest_touch(gm, gpa, true);
	if (!span.at)
		return 0;
	size = min_u64(span.size, size);
	memset(span.at, 0, size);
	return size;
}

int guest_zero(struct guest_mem *gm, gpa_t gpa, uint64_t size)
{
	if (!guest_touch_covers(gm, gpa.value, size, true))
		return -EFAULT;
	while (size) {
		uint64_t part = zero_part(gm, gpa.value, size);

		if (!part)
			return -ENOMEM;
		gpa.value += part;
		size -= part;
	}
	return 0;
}

/* Copy the first bytes; how many, 0: no memory. */
static uint64_t copy_part(struct guest_mem *to_gm, uint64_t to,
			  struct guest_mem *from_gm, uint64_t from,
			  uint64_t size)
{
	struct guest_span source = guest_touch_look(from_gm, from);
	struct guest_span target;

	size = min_u64(size, source.size);
	if (!source.at)
		return zero_part(to_gm, to, size);
	target = guest_touch(to_gm, to, true);
	if (!target.at)
		return 0;
	size = min_u64(size, target.size);
	/* not memcpy: both may be the same memory */
	memmove(target.at, source.at, size);
	return size;
}

int guest_copy(struct guest_mem *to_gm, gpa_t to, struct guest_mem *from_gm,
	       gpa_t from, uint64_t size)
{
	if (!guest_touch_covers(to_gm, to.value, size, true) ||
	    !guest_touch_covers(from_gm, from.value, size, false))
		return -EFAULT;
	while (size) {
		uint64_t part =
			copy_part(to_gm, to.value, from_gm, from.value, size);

		if (!part)
			return -ENOMEM;
		to.value += part;
		from.value += part;
		size -= part;
	}
	return 0;
}
