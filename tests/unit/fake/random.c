#include "fake_random.h"

#include "kernel/random.h"

bool fake_random_fails;
uint8_t fake_random_next;

bool random_bytes(void *to, size_t size)
{
	uint8_t *out = to;

	if (fake_random_fails)
		return false;
	for (size_t i = 0; i < size; i++)
		out[i] = fake_random_next++;
	return true;
}
