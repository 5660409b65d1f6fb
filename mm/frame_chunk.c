/*
 * Untouched memory, and how it is taken in.
 *
 * The RAM of a window is a number of pieces. Activation maps the largest and puts
 * into it
 *
 *	records | spare records and tables | directory page | page tables
 *
 * at its top, or at a ragged end that is big enough anyway. A window that holds
 * records can give no 1 GiB block. So it holds those of some further windows too
 * (2 at the first time, then twice as many each time), which are used when one
 * comes up that is all RAM. Page tables for those windows are kept in the stock.
 */
#include "mm/frame_chunk.h"

#include "kernel/lib/panic.h"
#include "mm/phys.h"
#include "mm/untouched.h"

#define RECORDS_MAX  extent_records_size(EXTENTS_PER_WINDOW)
#define SPARES_FIRST 2
#define SPARES_MAX   24 /* with the window's own records they fill 475 frames */
/* Spares take at most this part of the piece that they are put in. */
#define SPARES_PART 16

_Static_assert(HOST_MAP_TABLES_MIN + SPARES_MAX <= HOST_MAP_TABLES_MAX,
	       "the stock holds a page directory for every spare");

/* Records for windows of one node that are all RAM, mapped but not used yet. */
struct spares {
	hpa_t base;
	uint32_t count;
	uint32_t next;	/* how many to make the next time */
	uint32_t whole; /* untouched windows that are all RAM of the node */
};

/* [c] is held from the decision to activate until the memory is in the lists. */
static struct spinlock chunks_lock;
static struct host_map_tables stock;	/* [c] >= HOST_MAP_TABLES_MIN frames */
static struct spares spares[NODES_MAX]; /* [c] */

void frame_chunk_init(struct memmap *map, uint32_t node_count,
		      struct host_map_tables *tables)
{
	CHECK(node_count >= 1 && node_count <= NODES_MAX);
	CHECK(tables->count >= HOST_MAP_TABLES_MIN);
	chunks_lock = (struct spinlock)SPINLOCK_INIT(LOCK_RANK_CHUNKS);
	extent_directory_init();
	untouched_init(map, node_count);
	stock = *tables;
	tables->count = 0;
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		spares[i] = (struct spares){
			.next = SPARES_FIRST,
			.whole = untouched_whole_windows(i),
		};
	}
}

/* Map a piece: the one place where machine memory comes within reach. */
static void map_piece(const struct memmap_range *piece)
{
	int error;

	CHECK(stock.count >= HOST_MAP_TABLES_MIN);
	error = host_map_direct(piece->base, piece->size, &stock);
	if (error)
		panic("frame: mapping %#lx, %lu bytes: error %d",
		      piece->base.value, piece->size, error);
}

/*
 * Shorten @piece by @size bytes and return where they are: at its top; or at the
 * end whose extent is not whole anyway and has room, so that no large page is
 * lost.
 */
static hpa_t carve(struct memmap_range *piece, uint64_t size)
{
	uint64_t low =
		align_up(piece->base.value, EXTENT_SIZE) - piece->base.value;
	uint64_t high = memmap_range_end(piece) % EXTENT_SIZE;
	hpa_t base = piece->base;

	piece->size -= size;
	if (high < size && low >= size) {
		piece->base = hpa_add(base, size);
		return base;
	}
	return HPA(memmap_range_end(piece));
}

/* What a window's largest piece must give for the allocator's own use. */
struct needs {
	uint64_t records; /* bytes, of the window itself; 0: a spare is used */
	uint32_t spares;  /* windows to make spare records for */
	uint32_t pages;	  /* of the directory */
	uint32_t tables;  /* for the stock */
};

static uint32_t spares_to_make(const struct spares *have, uint64_t piece_size)
{
	if (have->count)
		return 0;
	return (uint32_t)min_u64(min_u64(have->next, have->whole),
				 piece_size / SPARES_PART / RECORDS_MAX);
}

/* Tables that the stock lacks if the activation of @windows is to be easy. */
static uint32_t tables_lacking(uint32_t windows)
{
	uint32_t goal = HOST_MAP_TABLES_MIN + windows;

	return stock.count < goal ? goal - stock.count : 0;
}

static struct needs needs_of(hpa_t window, const struct memmap_range *host,
			     uint32_t extents)
{
	const struct spares *have = &spares[host->node];
	struct needs needs = { 0 };

	if (host->size < HUGE_PAGE_SIZE || have->count == 0) {
		needs.records = extent_records_size(extents);
		needs.spares = spares_to_make(have, host->size);
	}
	needs.pages = extent_window_has_page(window) ? 0 : 1;
	needs.tables = tables_lacking(needs.spares);
	return needs;
}

static hpa_t take_spare(struct spares *have)
{
	hpa_t records = have->base;

	have->base = hpa_add(records, RECORDS_MAX);
	have->count--;
	return records;
}

static void fill_stock(hpa_t base, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		stock.frames[stock.count++] = hpa_add(base, i * PAGE_SIZE);
}

/* Put what @needs says to @at. Returns where the window's records are. */
static hpa_t install(hpa_t window, hpa_t at, const struct needs *needs,
		     struct spares *have)
{
	hpa_t records = at;

	if (needs->records)
		at = hpa_add(at, needs->records);
	else
		records = take_spare(have);
	if (needs->spares) {
		have->base = at;
		have->count = needs->spares;
		have->next = (uint32_t)min_u64(2 * have->next, SPARES_MAX);
		at = hpa_add(at, needs->spares * RECORDS_MAX);
	}
	if (needs->pages) {
		extent_directory_add(window, at);
		at = hpa_add(at, PAGE_SIZE);
	}
	fill_stock(at, needs->tables);
	return records;
}

/* Every extent's node must be known before anybody can see the window. */
static void make_window(hpa_t window, hpa_t records, uint32_t extents)
{
	struct extent *array = phys_to_virt(records);
	struct memmap_range piece;
	uint32_t cursor = 0;

	extent_window_init(window, records, extents);
	while (untouched_next(window, &cursor, &piece)) {
		uint64_t base = piece.base.value - window.value;
		uint64_t end = base + piece.size;

		for (uint64_t i = base / EXTENT_SIZE; i * EXTENT_SIZE < end;
		     i++)
			array[i].node = (uint8_t)piece.node;
	}
	extent_window_publish(window, records, extents);
}

/* Give what is left of a mapped piece to its node; @used bytes were carved off. */
static void feed(const struct memmap_range *piece, uint64_t used, bool is_host)
{
	struct frame_node *node = &frame_nodes[piece->node];

	spin_lock(&node->lock);
	node->untouched -= piece->size + used;
	node->records += used;
	node->chunks += is_host ? 1 : 0;
	frame_node_feed_locked(node, piece->base, piece->size);
	spin_unlock(&node->lock);
}

static void activate_host(hpa_t window, struct memmap_range host,
			  uint32_t extents)
{
	struct spares *have = &spares[host.node];
	struct needs needs;
	uint64_t used;
	hpa_t at;

	if (host.size == HUGE_PAGE_SIZE)
		have->whole--;
	map_piece(&host);
	needs = needs_of(window, &host, extents);
	used = needs.records + needs.spares * RECORDS_MAX +
	       (needs.pages + needs.tables) * PAGE_SIZE;
	at = carve(&host, used);
	make_window(window, install(window, at, &needs, have), extents);
	feed(&host, used, true);
}

static void activate_piece(struct memmap_range piece)
{
	uint32_t tables;

	map_piece(&piece);
	tables = tables_lacking(0);
	fill_stock(carve(&piece, tables * PAGE_SIZE), tables);
	feed(&piece, tables * PAGE_SIZE, false);
}

static void activate(hpa_t window)
{
	uint32_t extents;
	struct memmap_range host = untouched_host(window, &extents);
	struct memmap_range piece;
	uint32_t cursor = 0;

	activate_host(window, host, extents);
	while (untouched_next(window, &cursor, &piece)) {
		if (!hpa_equals(piece.base, host.base))
			activate_piece(piece);
	}
}

static bool activate_one(uint32_t node, unsigned int order)
{
	hpa_t window = untouched_find(node, order);

	if (hpa_equals(window, HPA_NONE))
		return false;
	activate(window);
	return true;
}

/* Somebody else's activation shows in the node's untouched memory having sunk. */
static bool has_sunk(struct frame_node *node, uint64_t untouched)
{
	bool result;

	spin_lock(&node->lock);
	result = node->untouched < untouched;
	spin_unlock(&node->lock);
	return result;
}

bool frame_chunk_grow(struct frame_node *node, unsigned int order,
		      uint64_t untouched)
{
	uint32_t number = (uint32_t)(node - frame_nodes);
	bool has_grown;

	if (untouched == 0)
		return false;
	spin_lock(&chunks_lock);
	has_grown = has_sunk(node, untouched) || activate_one(number, order);
	spin_unlock(&chunks_lock);
	return has_grown;
}
