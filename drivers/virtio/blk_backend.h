/*
 * What a disk's contents are kept in: virtio_blk.c asks, a back end answers.
 * [pure]
 *
 * Any number of CPUs may call at once, with or without overlap; what two writes
 * to the same bytes leave is either's, byte by byte, as on any disk. No lock is
 * held; a call does not give way, but for destroy.
 */
#ifndef DRIVERS_VIRTIO_BLK_BACKEND_H
#define DRIVERS_VIRTIO_BLK_BACKEND_H

#include "kernel/lib/bits.h"

#define BLK_SECTOR_SIZE 512
#define BLK_ID_SIZE	20

struct blk_backend;

/*
 * The bytes [offset, offset + size) lie inside the capacity: the caller has
 * checked. Offset and size of read and write are any, of the others whole
 * sectors. Return 0, or -E: the guest is told of an I/O error and some of the
 * range may have been served.
 */
struct blk_backend_ops {
	int (*read)(struct blk_backend *backend, uint64_t offset, void *to,
		    uint64_t size);
	int (*write)(struct blk_backend *backend, uint64_t offset,
		     const void *from, uint64_t size);
	/* Make what was written permanent. NULL: nothing here is, and the
	 * guest is not told that anything could be. */
	int (*flush)(struct blk_backend *backend);
	/* The range is no longer needed. */
	int (*discard)(struct blk_backend *backend, uint64_t offset,
		       uint64_t size);
	/* The range reads as zeroes from now on; @may_unmap: it need not have
	 * room of its own any more. */
	int (*write_zeroes)(struct blk_backend *backend, uint64_t offset,
			    uint64_t size, bool may_unmap);
	/* The last call. May give way. */
	void (*destroy)(struct blk_backend *backend);
};

/* First member of every back end. Set once; the creator may give it another id
 * before it hands it to a device. */
struct blk_backend {
	const struct blk_backend_ops *ops;
	uint64_t capacity;    /* bytes, whole sectors */
	bool is_read_only;    /* write, discard, write_zeroes are not called */
	char id[BLK_ID_SIZE]; /* padded with NULs, not terminated */
};

/*
 * A disk that begins as the @size bytes at @module and stays private: only
 * blocks of 4 KiB that were written take memory, at most the disk's size and
 * 1/512 of it for the index. The module is read until destroy. @size is rounded
 * down to sectors. @module NULL: a disk of zeroes. NULL: no memory.
 */
struct blk_backend *overlay_create(const void *module, uint64_t size,
				   bool read_only);

/* An empty disk: blocks take memory when written, and give it back when
 * discarded or zeroed. @size is rounded down to sectors. NULL: no memory. */
struct blk_backend *ramdisk_create(uint64_t size);

#endif
