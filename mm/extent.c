/* The records of machine memory. */
#include "mm/extent.h"

#include "kernel/lib/panic.h"
#include "kernel/lib/string.h"
#include "mm/phys.h"
#include "mm/poison.h"

#define WORD_FRAMES (EXTENT_FRAMES / EXTENT_WORDS)
#define ALL_FRAMES \
	0x5555555555555555UL /* times a state: that state in every frame */
#define WINDOWS_PER_PAGE (PAGE_SIZE / sizeof(uint64_t))
#define POISON_LINE	 64
#define DIRECTORY_PAGES	 (DIRECT_SIZE / HUGE_PAGE_SIZE / WINDOWS_PER_PAGE)

/*
 * A page for every 512 GiB, made when the first window in it is. An entry is
 * like a page table's: the address of the window's records, and their count in
 * the bits that the address leaves free; 0 for a window that is not there.
 */
static uint64_t *directory[DIRECTORY_PAGES];

static uint64_t window_of(hpa_t hpa)
{
	return hpa.value / HUGE_PAGE_SIZE;
}

static uint64_t window_entry(hpa_t hpa)
{
	uint64_t window = window_of(hpa);
	const uint64_t *page;

	if (window >= DIRECTORY_PAGES * WINDOWS_PER_PAGE)
		return 0;
	/* acquire: pairs with the release stores of whoever made page and entry
	 */
	page = __atomic_load_n(&directory[window / WINDOWS_PER_PAGE],
			       __ATOMIC_ACQUIRE);
	if (!page)
		return 0;
	return __atomic_load_n(&page[window % WINDOWS_PER_PAGE],
			       __ATOMIC_ACQUIRE);
}

static struct extent *entry_records(uint64_t entry)
{
	return phys_to_virt(HPA(align_down(entry, PAGE_SIZE)));
}

void extent_directory_init(void)
{
	memset(directory, 0, sizeof(directory));
}

bool extent_window_exists(hpa_t base)
{
	return window_entry(base) != 0;
}

bool extent_window_has_page(hpa_t base)
{
	return directory[window_of(base) / WINDOWS_PER_PAGE];
}

void extent_directory_add(hpa_t base, hpa_t page)
{
	uint64_t *entries = phys_to_virt(page);

	memset(entries, 0, PAGE_SIZE);
	/* release: a reader that sees the page sees it empty */
	__atomic_store_n(&directory[window_of(base) / WINDOWS_PER_PAGE],
			 entries, __ATOMIC_RELEASE);
}

void extent_window_init(hpa_t base, hpa_t records, uint32_t count)
{
	uint64_t first = base.value / EXTENT_SIZE;
	struct extent *extents = phys_to_virt(records);

	memset(extents, 0, count * sizeof(*extents));
	for (uint32_t i = 0; i < count; i++) {
		extents[i].number = (first + i) & 0x3fffffff;
		list_init(&extents[i].link);
	}
}

void extent_window_publish(hpa_t base, hpa_t records, uint32_t count)
{
	uint64_t window = window_of(base);
	uint64_t *page = directory[window / WINDOWS_PER_PAGE];

	/* release: a reader that sees the entry sees the records as set up */
	__atomic_store_n(&page[window % WINDOWS_PER_PAGE],
			 records.value | count, __ATOMIC_RELEASE);
}

struct extent *extent_find(hpa_t hpa)
{
	uint64_t entry = window_entry(hpa);
	uint64_t index = hpa.value / EXTENT_SIZE % EXTENTS_PER_WINDOW;

	if (index >= entry % PAGE_SIZE)
		return NULL;
	return entry_records(entry) + index;
}

hpa_t extent_base(const struct extent *extent)
{
	return HPA(extent->number * EXTENT_SIZE);
}

enum extent_state extent_state(const struct extent *extent)
{
	return __atomic_load_n(&extent->state, __ATOMIC_RELAXED);
}

void extent_set_state(struct extent *extent, enum extent_state state)
{
	__atomic_store_n(&extent->state, (uint8_t)state, __ATOMIC_RELAXED);
}

static uint64_t map_word(const struct extent *extent, unsigned int word)
{
	return __atomic_load_n(&extent->map[word], __ATOMIC_RELAXED);
}

static enum frame_state map_get(const struct extent *extent, unsigned int index)
{
	uint64_t word = map_word(extent, index / WORD_FRAMES);

	return word >> (index % WORD_FRAMES * 2) & 3;
}

static void map_set_bits(struct extent *extent, unsigned int word,
			 uint64_t bits)
{
	__atomic_fetch_or(&extent->map[word], bits, __ATOMIC_RELAXED);
}

static void map_clear_bits(struct extent *extent, unsigned int word,
			   uint64_t bits)
{
	__atomic_fetch_and(&extent->map[word], ~bits, __ATOMIC_RELAXED);
}

void extent_split(struct extent *extent, enum frame_state all)
{
	for (unsigned int word = 0; word < EXTENT_WORDS; word++)
		__atomic_store_n(&extent->map[word], ALL_FRAMES * all,
				 __ATOMIC_RELAXED);
	extent_set_state(extent, EXTENT_SPLIT);
}

/* A bit wherever an aligned run of 2^order frames may start in a word. */
static const uint64_t run_starts[] = {
	0x5555555555555555UL, 0x1111111111111111UL, 0x0101010101010101UL,
	0x0001000100010001UL, 0x0000000100000001UL, 0x0000000000000001UL,
};

#define ORDER_WORD \
	(ARRAY_SIZE(run_starts) - 1) /* the run that fills a word \
						 */

/* Frame number in @word of its first free run of at most a word; -1: none. */
static int word_find(uint64_t word, unsigned int order)
{
	uint64_t busy = word | word >> 1;
	uint64_t starts;

	/* a start is busy if it is, or if the start of the run's upper half is
	 */
	for (unsigned int half = 0; half < order; half++)
		busy |= busy >> (2U << half);
	starts = run_starts[order] & ~busy;
	return starts ? __builtin_ctzl(starts) / 2 : -1;
}

static unsigned int words_of(unsigned int order)
{
	return order > ORDER_WORD ? 1U << (order - ORDER_WORD) : 1;
}

int extent_run_find(const struct extent *extent, unsigned int order)
{
	unsigned int step = words_of(order);
	unsigned int in_word = order < ORDER_WORD ? order : ORDER_WORD;

	for (unsigned int word = 0; word < EXTENT_WORDS; word += step) {
		uint64_t busy = 0;
		int found;

		/*
		 * or-ing the words of a long run changes nothing for a short
		 * one
		 */
		for (unsigned int i = 0; i < step; i++)
			busy |= map_word(extent, word + i);
		found = word_find(busy, in_word);
		if (found >= 0)
			return (int)(word * WORD_FRAMES) + found;
	}
	return -1;
}

/*
 * The bits of a run of 2^@order frames at @index in the first word that it
 * touches (all words of a run look alike).
 */
static uint64_t run_bits(unsigned int index, unsigned int order)
{
	if (order >= ORDER_WORD)
		return ~0UL;
	return (BIT(2U << order) - 1) << (index % WORD_FRAMES * 2);
}

void extent_run_take(struct extent *extent, unsigned int index,
		     unsigned int order)
{
	unsigned int word = index / WORD_FRAMES;
	uint64_t tails = run_bits(index, order) & (ALL_FRAMES * FRAME_TAIL);
	uint64_t head = BIT(index % WORD_FRAMES * 2);

	map_set_bits(extent, word, tails | head);
	for (unsigned int i = 1; i < words_of(order); i++)
		map_set_bits(extent, word + i, tails);
}

void extent_run_hold(struct extent *extent, unsigned int index)
{
	map_set_bits(extent, index / WORD_FRAMES, BIT(index % WORD_FRAMES * 2));
}

void extent_run_release(struct extent *extent, unsigned int index,
			unsigned int order)
{
	for (unsigned int i = 0; i < words_of(order); i++)
		map_clear_bits(extent, index / WORD_FRAMES + i,
			       run_bits(index, order));
}

void extent_run_resume(struct extent *extent, unsigned int index)
{
	unsigned int shift = index % WORD_FRAMES * 2;
	uint64_t old = __atomic_fetch_or(&extent->map[index / WORD_FRAMES],
					 (uint64_t)FRAME_HEAD << shift,
					 __ATOMIC_RELAXED);

	if ((old >> shift & 3) != FRAME_HELD)
		panic("frame: %#lx in a CPU's cache is not marked so: records "
		      "corrupted",
		      extent_base(extent).value + index * PAGE_SIZE);
}

static _Noreturn void refuse(hpa_t base, unsigned int order, const char *why)
{
	panic("frame_free: %#lx, order %u: %s", base.value, order, why);
}

static void claim_block(struct extent *extent, hpa_t base, unsigned int order)
{
	uint8_t state = EXTENT_USED;

	if (extent_state(extent) != EXTENT_USED)
		refuse(base, order, "no allocated block starts here");
	if (extent->count != order)
		refuse(base, order, "was allocated with another order");
	if (!__atomic_compare_exchange_n(&extent->state, &state, EXTENT_HELD,
					 false, __ATOMIC_RELAXED,
					 __ATOMIC_RELAXED))
		refuse(base, order, "freed by two CPUs at once");
}

/*
 * Does the run that starts at @index have 2^@order frames? All its frames are
 * the caller's. The one after it may be anybody's and change at any time, but
 * it is TAIL only as part of this run.
 */
static bool has_length(const struct extent *extent, unsigned int index,
		       unsigned int order)
{
	unsigned int end = index + (1U << order);

	for (unsigned int i = index + 1; i < end; i++) {
		if (map_get(extent, i) != FRAME_TAIL)
			return false;
	}
	return end == EXTENT_FRAMES || map_get(extent, end) != FRAME_TAIL;
}

static void claim_run(struct extent *extent, hpa_t base, unsigned int order)
{
	unsigned int index = extent_index(base);
	unsigned int shift = index % WORD_FRAMES * 2;
	enum frame_state state = map_get(extent, index);
	uint64_t old;

	if (state == FRAME_TAIL)
		refuse(base, order, "inside an allocated run");
	if (state != FRAME_HEAD)
		refuse(base, order, "is not allocated");
	if (!has_length(extent, index, order))
		refuse(base, order, "was allocated with another order");
	old = __atomic_fetch_and(&extent->map[index / WORD_FRAMES],
				 ~((uint64_t)FRAME_TAIL << shift),
				 __ATOMIC_RELAXED);
	if ((old >> shift & 3) != FRAME_HEAD)
		refuse(base, order, "freed by two CPUs at once");
}

void extent_claim(hpa_t base, unsigned int order)
{
	struct extent *extent = extent_find(base);
	enum extent_state state;

	if (order > HUGE_PAGE_SHIFT - PAGE_SHIFT)
		refuse(base, order, "no such order");
	if (!is_aligned(base.value, PAGE_SIZE << order))
		refuse(base, order, "not aligned to its order");
	state = extent ? extent_state(extent) : EXTENT_NONE;
	if (state == EXTENT_NONE)
		refuse(base, order, "not the frame allocator's");
	if (order >= EXTENT_ORDER)
		claim_block(extent, base, order);
	else if (state == EXTENT_SPLIT)
		claim_run(extent, base, order);
	else
		refuse(base, order,
		       "no run of less than 2 MiB was allocated here");
}

void extent_poison(struct extent *extent)
{
	char *base = phys_to_virt(extent_base(extent));

	if (!POISON_IS_ON)
		return;
	for (char *at = base; at < base + EXTENT_SIZE; at += PAGE_SIZE) {
		poison_fill(at, POISON_LINE);
		poison_fill(at + PAGE_SIZE - POISON_LINE, POISON_LINE);
	}
	extent->poison = EXTENT_POISON_LINES;
}

static void check_lines(const char *base)
{
	for (const char *at = base; at < base + EXTENT_SIZE; at += PAGE_SIZE) {
		poison_check(at, POISON_LINE);
		poison_check(at + PAGE_SIZE - POISON_LINE, POISON_LINE);
	}
}

void extent_poison_check(struct extent *extent)
{
	const char *base = phys_to_virt(extent_base(extent));

	if (!POISON_IS_ON)
		return;
	if (extent->poison == EXTENT_POISON_ALL)
		poison_check(base, EXTENT_SIZE);
	else if (extent->poison == EXTENT_POISON_LINES)
		check_lines(base);
	extent->poison = EXTENT_POISON_NONE;
}
