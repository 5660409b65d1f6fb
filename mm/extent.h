/*
 * Extents: the records of machine memory, one for every 2 MiB, and the
 * directory that finds them. [pure]
 *
 * The extents of a 1 GiB window lie in one array, from the window's start to
 * its last RAM. An extent is part of a block (2 MiB to 1 GiB) or it is split:
 * then its map has two bits for every frame, which tell where a run begins and
 * ends, so that a free is exact. The bits of one frame are in one word and
 * change by atomic operations: the owner of a frame may give it to its CPU's
 * cache, or take it out again, without its node's lock.
 */
#ifndef MM_EXTENT_H
#define MM_EXTENT_H

#include "kernel/lib/list.h"
#include "mm/addr.h"

#define EXTENT_SIZE	   LARGE_PAGE_SIZE
#define EXTENT_ORDER	   (LARGE_PAGE_SHIFT - PAGE_SHIFT)
#define EXTENT_FRAMES	   512U
#define EXTENTS_PER_WINDOW 512U
#define EXTENT_WORDS	   16U /* of the map: 32 frames each */

enum extent_state {
	EXTENT_NONE,  /* nothing here can be allocated */
	EXTENT_TAIL,  /* inside a block; its head is at a lower address */
	EXTENT_FREE,  /* head of a free block */
	EXTENT_USED,  /* head of an allocated block */
	EXTENT_HELD,  /* head of a block between its owner and the free lists */
	EXTENT_SPLIT, /* has a map */
};

/* HELD is nobody's: in a CPU's cache, no RAM, or the allocator's own. */
enum frame_state {
	FRAME_FREE = 0,
	FRAME_HELD = 1,
	FRAME_TAIL = 2, /* of a run: not its first frame */
	FRAME_HEAD = 3, /* of a run, also of one frame */
};

/*
 * What of a free block's extent carries poison. Debug builds only. A block that
 * is freed gets it in the first and the last cache line of each frame: to write
 * and to read all of 1 GiB takes a tenth of a second each, and stray writes by a
 * former owner mostly hit a header or run over an end. In split extents every
 * free frame has it from end to end.
 */
enum extent_poison {
	EXTENT_POISON_NONE,
	EXTENT_POISON_LINES,
	EXTENT_POISON_ALL
};

/*
 * Legend: (o) set once, before its window is published; [l] its node's lock;
 * (a) atomic; (w) by whoever owns the block.
 */
struct extent {
	struct list link; /* [l] free block's head; split, some free */
	uint64_t map[EXTENT_WORDS]; /* (a) if split: each frame's state */
	uint32_t number : 30;	    /* (o) hpa / EXTENT_SIZE */
	uint32_t poison : 2;	    /* (w) enum extent_poison, of a block */
	uint16_t count; /* [l] a head's order; if split: FREE frames */
	uint8_t state;	/* (a) extent_state, under [l] but USED -> HELD */
	uint8_t node;	/* (o) */
};

_Static_assert(sizeof(struct extent) == 152,
	       "the records of a window are sized to fill 19 frames");

/* Forget every window. */
void extent_directory_init(void);

/*
 * Is the window of @base in the directory, and is the page of the directory
 * that would name it there?
 */
bool extent_window_exists(hpa_t base);
bool extent_window_has_page(hpa_t base);

/*
 * Use the mapped frame @page for the part of the directory that names the
 * window of @base.
 */
void extent_directory_add(hpa_t base, hpa_t page);

/*
 * Set up @count records at @records (mapped, page aligned) for the window at
 * @base. All are EXTENT_NONE, of node 0.
 */
void extent_window_init(hpa_t base, hpa_t records, uint32_t count);

/* Let extent_find see them from now on. */
void extent_window_publish(hpa_t base, hpa_t records, uint32_t count);

/* The record of the extent that @hpa lies in; NULL if there is none. */
struct extent *extent_find(hpa_t hpa);

hpa_t extent_base(const struct extent *extent);
enum extent_state extent_state(const struct extent *extent);
void extent_set_state(struct extent *extent, enum extent_state state);

/* Give the extent a map with all frames in state @all. */
void extent_split(struct extent *extent, enum frame_state all);

/*
 * Index of the first free run of 2^@order frames, aligned to its size; -1:
 * none. @order below EXTENT_ORDER.
 */
int extent_run_find(const struct extent *extent, unsigned int order);

/* From FREE to one allocated run; from FREE to HELD; from anything to FREE. */
void extent_run_take(struct extent *extent, unsigned int index,
		     unsigned int order);
void extent_run_hold(struct extent *extent, unsigned int index);
void extent_run_release(struct extent *extent, unsigned int index,
			unsigned int order);

/*
 * The single frame @index, taken off a CPU's cache: HELD -> HEAD. Anything else
 * is a panic.
 */
void extent_run_resume(struct extent *extent, unsigned int index);

/*
 * Take an allocated run or block away from its owner: its head becomes HELD. A
 * panic if [base, 2^@order frames) is not exactly what was allocated. Needs no
 * lock, because nothing that belongs to the run can change under its owner.
 */
void extent_claim(hpa_t base, unsigned int order);

/* Debug builds: write poison into an extent that is being freed as a block. */
void extent_poison(struct extent *extent);

/*
 * Debug builds: panic if the poison in an extent taken from a free block is no
 * longer whole. The extent has none from then on.
 */
void extent_poison_check(struct extent *extent);

/* Bytes that @count records take, in whole frames. */
static inline uint64_t extent_records_size(uint32_t count)
{
	return align_up(count * sizeof(struct extent), PAGE_SIZE);
}

/* Number of the frame at @hpa in its extent. */
static inline unsigned int extent_index(hpa_t hpa)
{
	return (unsigned int)((hpa.value >> PAGE_SHIFT) % EXTENT_FRAMES);
}

#endif
