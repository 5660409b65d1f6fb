/*
 * The frame allocator against its model: the first byte chooses the machine, then
 * three bytes an operation.
 */
#include <stddef.h>
#include <stdint.h>

#include "frame_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	frame_model_start(data[0] & 1);
	for (size_t i = 1; i + 3 <= size; i += 3)
		frame_model_step(data[i],
				 (uint16_t)(data[i + 1] | data[i + 2] << 8));
	frame_model_finish();
	return 0;
}
