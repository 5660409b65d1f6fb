/* The ChaCha20 block function: RFC 8439, 2.3 "The ChaCha20 Block Function".
 * [pure] */
#ifndef KERNEL_LIB_CHACHA_H
#define KERNEL_LIB_CHACHA_H

#include <stdint.h>

#define CHACHA_KEY_WORDS   8
#define CHACHA_BLOCK_WORDS 16

/* Block @counter of the key stream, as words; in memory they are little-endian,
 * as this machine is. */
void chacha_block(const uint32_t key[CHACHA_KEY_WORDS], uint32_t counter,
		  const uint32_t nonce[3], uint32_t block[CHACHA_BLOCK_WORDS]);

#endif
