/* The ChaCha20 block function. */
#include "kernel/lib/chacha.h"

#define DOUBLE_ROUNDS 10

static uint32_t rotate_left(uint32_t value, unsigned int count)
{
	return value << count | value >> (32 - count);
}

static void quarter_round(uint32_t *x, int a, int b, int c, int d)
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

/* Columns, then diagonals of the 4 x 4 words. */
static void double_round(uint32_t *x)
{
	for (int i = 0; i < 4; i++)
		quarter_round(x, i, 4 + i, 8 + i, 12 + i);
	for (int i = 0; i < 4; i++)
		quarter_round(x, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4,
			      12 + (i + 3) % 4);
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
}
