/* An empty disk in memory: an overlay over nothing, whose blocks are absent
 * until written and absent again when discarded. */
#include "drivers/virtio/blk_backend.h"

struct blk_backend *ramdisk_create(uint64_t size)
{
	return overlay_create(NULL, size, false);
}
