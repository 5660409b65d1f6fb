/* Makes multiboot2 blocks, tag by tag, for tests. After cmocka.h. */
#ifndef MULTIBOOT2_BLOCK_H
#define MULTIBOOT2_BLOCK_H

#include "boot/multiboot2.h"

#define BLOCK_MAX (260 * 1024)

struct entry {
	uint64_t base;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

struct framebuffer {
	uint64_t base;
	uint32_t pitch;
	uint32_t width;
	uint32_t height;
	uint8_t bpp;
	uint8_t type;
	uint16_t reserved;
	uint8_t colours[6]; /* shift and bits of red, green, blue */
	uint16_t padding;
};

#define FRAMEBUFFER_SIZE offsetof(struct framebuffer, padding)

#define MB "multiboot2: " /* what error lines start with */

/* The block being made. Its total size is set by parse(). */
static _Alignas(8) uint8_t block[BLOCK_MAX];
static uint32_t block_size;
static struct boot_info info; /* of the last parse */
static struct diag diag;

static inline void put(const void *bytes, size_t size)
{
	assert_in_range(block_size + size, 0, BLOCK_MAX);
	if (size)
		memcpy(block + block_size, bytes, size);
	block_size += (uint32_t)size;
}

static inline void put_head(uint32_t type, size_t body_size)
{
	uint32_t head[2] = { type, (uint32_t)(8 + body_size) };

	block_size = (block_size + 7) & ~7U;
	put(head, sizeof(head));
}

static inline void put_tag(uint32_t type, const void *body, size_t size)
{
	put_head(type, size);
	put(body, size);
}

static inline void put_string(uint32_t type, const char *text)
{
	put_tag(type, text, strlen(text) + 1);
}

static inline void put_module(uint32_t start, uint32_t end, const char *words)
{
	uint32_t body[2] = { start, end };

	put_head(3, sizeof(body) + strlen(words) + 1);
	put(body, sizeof(body));
	put(words, strlen(words) + 1);
}

static inline void put_map(const struct entry *entries, size_t count)
{
	uint32_t body[2] = { sizeof(*entries), 0 };

	put_head(6, sizeof(body) + count * sizeof(*entries));
	put(body, sizeof(body));
	put(entries, count * sizeof(*entries));
}

static inline void start_empty(void)
{
	memset(block, 0xee, sizeof(block));
	block_size = 8;
}

/* A block with 1 MiB to 65 MiB of RAM. */
static inline void start(void)
{
	const struct entry ram = { 0x100000, 64 * MIB, 1, 0 };

	start_empty();
	put_map(&ram, 1);
}

static inline void put_end(void)
{
	put_tag(0, "", 0);
}

/* Parse the first @size bytes, in memory of their own: ASan watches the end. */
static inline int parse_readable(size_t size)
{
	void *copy = malloc(size);
	int err;

	assert_non_null(copy);
	memcpy(copy, block, size);
	memset(&info, 0xaa, sizeof(info));
	memset(&diag, 0, sizeof(diag));
	err = multiboot2_parse(copy, size, &info, &diag);
	free(copy);
	return err;
}

static inline int parse_unended(void)
{
	memcpy(block, &block_size, 4);
	return parse_readable(block_size);
}

static inline int parse(void)
{
	put_end();
	return parse_unended();
}

/* That the last parse returned @wanted, with the line @why. */
static inline void assert_refused(int err, int wanted, const char *why)
{
	assert_string_equal(diag.text, why);
	assert_int_equal(err, wanted);
}

#endif
