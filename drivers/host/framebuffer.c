/*
 * Text on a linear framebuffer. The grid remembers what is shown, so that
 * scrolling redraws only cells that change; it scrolls by half a screen,
 * because framebuffer memory is slow.
 */
#include "drivers/host/framebuffer.h"

#include "kernel/lib/bits.h"
#include "kernel/lib/string.h"

#define GLYPH_WIDTH  8
#define GLYPH_HEIGHT 16
#define GLYPHS	     256
#define COLUMNS_MAX  240
#define ROWS_MAX     68
#define GREY	     0xc0

/* 256 glyphs of 16 rows, a byte a row, the leftmost pixel in bit 7; from a
 * console font at build time. */
extern const uint8_t framebuffer_font[GLYPHS][GLYPH_HEIGHT];

static struct {
	volatile uint32_t *pixels;
	uint32_t stride; /* pixels a line of pixels */
	uint32_t columns, rows;
	uint32_t column, row; /* of the next character */
	uint32_t ink;
	char grid[ROWS_MAX][COLUMNS_MAX];
} screen;

static void draw(uint32_t row, uint32_t column, char c)
{
	const uint8_t *glyph = framebuffer_font[(uint8_t)c];
	volatile uint32_t *line = screen.pixels +
				  (size_t)row * GLYPH_HEIGHT * screen.stride +
				  column * GLYPH_WIDTH;

	for (uint32_t y = 0; y < GLYPH_HEIGHT; y++, line += screen.stride) {
		for (uint32_t x = 0; x < GLYPH_WIDTH; x++)
			line[x] = glyph[y] & (0x80 >> x) ? screen.ink : 0;
	}
}

static void show(uint32_t row, uint32_t column, char c)
{
	if (screen.grid[row][column] == c)
		return;
	screen.grid[row][column] = c;
	draw(row, column, c);
}

static void clear(const struct framebuffer_info *info)
{
	for (uint32_t y = 0; y < info->height; y++) {
		for (uint32_t x = 0; x < info->width; x++)
			screen.pixels[(size_t)y * screen.stride + x] = 0;
	}
	memset(screen.grid, ' ', sizeof(screen.grid));
	screen.row = 0;
	screen.column = 0;
}

bool framebuffer_init(const struct framebuffer_info *info, void *pixels)
{
	bool is_first = screen.pixels == NULL;

	if (info->width < GLYPH_WIDTH || info->height < GLYPH_HEIGHT)
		return false;
	screen.pixels = pixels;
	screen.stride = info->pitch / sizeof(uint32_t);
	screen.columns =
		(uint32_t)min_u64(info->width / GLYPH_WIDTH, COLUMNS_MAX);
	screen.rows = (uint32_t)min_u64(info->height / GLYPH_HEIGHT, ROWS_MAX);
	screen.ink = (uint32_t)GREY << info->red_shift |
		     (uint32_t)GREY << info->green_shift |
		     (uint32_t)GREY << info->blue_shift;
	if (is_first)
		clear(info);
	return true;
}

static void scroll(void)
{
	uint32_t by = (screen.rows + 1) / 2;

	for (uint32_t row = 0; row < screen.rows; row++) {
		for (uint32_t column = 0; column < screen.columns; column++)
			show(row, column,
			     row + by < screen.rows
				     ? screen.grid[row + by][column]
				     : ' ');
	}
	screen.row -= by;
}

static void new_line(void)
{
	screen.column = 0;
	screen.row++;
	if (screen.row == screen.rows)
		scroll();
}

void framebuffer_write(char c)
{
	if (c == '\n') {
		new_line();
		return;
	}
	if (screen.column == screen.columns)
		new_line();
	show(screen.row, screen.column++, c);
}
