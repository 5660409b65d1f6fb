/* Guest memory: single atomic accesses to aligned words. */
#include "kernel/lib/errno.h"
#include "mm/guest_touch.h"

/* The aligned word of @size bytes in a slot, of RAM if @is_own. */
static int find_word(struct guest_mem *gm, uint64_t gpa, uint64_t size,
		     bool is_own, void **at)
{
	if (!is_aligned(gpa, size) ||
	    !guest_touch_covers(gm, gpa, size, is_own))
		return -EFAULT;
	*at = is_own ? guest_touch(gm, gpa, true).at
		     : guest_touch_look(gm, gpa).at;
	return is_own && !*at ? -ENOMEM : 0;
}

int guest_read_u16(struct guest_mem *gm, gpa_t gpa, uint16_t *value)
{
	void *at;
	int err = find_word(gm, gpa.value, sizeof(*value), false, &at);

	if (!err)
		*value = at ? __atomic_load_n((uint16_t *)at, __ATOMIC_ACQUIRE)
			    : 0;
	return err;
}

int guest_read_u32(struct guest_mem *gm, gpa_t gpa, uint32_t *value)
{
	void *at;
	int err = find_word(gm, gpa.value, sizeof(*value), false, &at);

	if (!err)
		*value = at ? __atomic_load_n((uint32_t *)at, __ATOMIC_ACQUIRE)
			    : 0;
	return err;
}

int guest_read_u64(struct guest_mem *gm, gpa_t gpa, uint64_t *value)
{
	void *at;
	int err = find_word(gm, gpa.value, sizeof(*value), false, &at);

	if (!err)
		*value = at ? __atomic_load_n((uint64_t *)at, __ATOMIC_ACQUIRE)
			    : 0;
	return err;
}

int guest_write_u16(struct guest_mem *gm, gpa_t gpa, uint16_t value)
{
	void *at;
	int err = find_word(gm, gpa.value, sizeof(value), true, &at);

	if (!err)
		__atomic_store_n((uint16_t *)at, value, __ATOMIC_RELEASE);
	return err;
}

int guest_write_u32(struct guest_mem *gm, gpa_t gpa, uint32_t value)
{
	void *at;
	int err = find_word(gm, gpa.value, sizeof(value), true, &at);

	if (!err)
		__atomic_store_n((uint32_t *)at, value, __ATOMIC_RELEASE);
	return err;
}

int guest_write_u64(struct guest_mem *gm, gpa_t gpa, uint64_t value)
{
	void *at;
	int err = find_word(gm, gpa.value, sizeof(value), true, &at);

	if (!err)
		__atomic_store_n((uint64_t *)at, value, __ATOMIC_RELEASE);
	return err;
}

static uint8_t exchange_u8(uint8_t *at, uint8_t expected, uint8_t desired)
{
	__atomic_compare_exchange_n(at, &expected, desired, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return expected;
}

static uint16_t exchange_u16(uint16_t *at, uint16_t expected, uint16_t desired)
{
	__atomic_compare_exchange_n(at, &expected, desired, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return expected;
}

static uint32_t exchange_u32(uint32_t *at, uint32_t expected, uint32_t desired)
{
	__atomic_compare_exchange_n(at, &expected, desired, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return expected;
}

static uint64_t exchange_u64(uint64_t *at, uint64_t expected, uint64_t desired)
{
	__atomic_compare_exchange_n(at, &expected, desired, false,
				    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return expected;
}

int guest_compare_exchange(struct guest_mem *gm, gpa_t gpa, unsigned int size,
			   uint64_t *expected, uint64_t desired)
{
	uint64_t was = *expected;
	void *at;
	int err = find_word(gm, gpa.value, size, true, &at);

	if (err)
		return err;
	if (size == 1)
		*expected = exchange_u8(at, (uint8_t)was, (uint8_t)desired);
	else if (size == 2)
		*expected = exchange_u16(at, (uint16_t)was, (uint16_t)desired);
	else if (size == 4)
		*expected = exchange_u32(at, (uint32_t)was, (uint32_t)desired);
	else
		*expected = exchange_u64(at, was, desired);
	return 0;
}
