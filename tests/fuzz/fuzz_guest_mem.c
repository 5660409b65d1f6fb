/*
 * Guest memory against its model: the first byte chooses the tables, then eight
 * bytes an operation.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "guest_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	guest_model_start(data[0]);
	for (size_t i = 1; i + 8 <= size; i += 8) {
		uint64_t argument = 0;

		memcpy(&argument, &data[i + 1], 7);
		guest_model_step(data[i], argument);
	}
	guest_model_finish();
	return 0;
}
