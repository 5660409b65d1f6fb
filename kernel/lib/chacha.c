/* The ChaCha20 block function. */
#include "kernel/lib/chacha.h"

#include "kernel/lib/string.h"

#define DOUBLE_ROUNDS 10

static uint32_t rotate_left(uint32_t value, unsigned int count)
{
	return value << count | value >> (32 - count);
}

static inline __attribute__((always_inline)) void quarter_round(uint32_t *x,
								int a, int b,
								int c, int d)
{
	x[a] += x[b];
	x[d] = rotate_left(x[d] ^ x[a], 16);
	x[c] += x[d];
	x[b] = rotate_left(x[b] ^ x[c], 12);
	x[a] += x[b];
	x[d] = rotate_left(x[d] ^ x[a], 8);
	x[c] += x[d];
	x[b] = rotate_left(x[b] ^ x[c], 7);
}

/* Columns, then diagonals of the 4 x 4 words. Written out, so that all places are
 * known: a third of the instructions. */
static void double_round(uint32_t *x)
{
	quarter_round(x, 0, 4, 8, 12);
	quarter_round(x, 1, 5, 9, 13);
	quarter_round(x, 2, 6, 10, 14);
	quarter_round(x, 3, 7, 11, 15);
	quarter_round(x, 0, 5, 10, 15);
	quarter_round(x, 1, 6, 11, 12);
	quarter_round(x, 2, 7, 8, 13);
	quarter_round(x, 3, 4, 9, 14);
}

void chacha_block(const uint32_t key[CHACHA_KEY_WORDS], uint32_t counter,
		  const uint32_t nonce[3], uint32_t block[CHACHA_BLOCK_WORDS])
{
	uint32_t start[CHACHA_BLOCK_WORDS] = { 0x61707865, 0x3320646e,
					       0x79622d32, 0x6b206574 };

	for (int i = 0; i < CHACHA_KEY_WORDS; i++)
		start[4 + i] = key[i];
	start[12] = counter;
	for (int i = 0; i < 3; i++)
		start[13 + i] = nonce[i];
	for (int i = 0; i < CHACHA_BLOCK_WORDS; i++)
		block[i] = start[i];
	for (int i = 0; i < DOUBLE_ROUNDS; i++)
		double_round(block);
	for (int i = 0; i < CHACHA_BLOCK_WORDS; i++)
		block[i] += start[i];
	memset(start, 0, sizeof(start)); /* the key */
}
