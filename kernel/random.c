/* Random bytes. */
#include "kernel/random.h"

#include "kernel/cpu/percpu.h"
#include "kernel/cpu/x86_asm.h"
#include "kernel/lib/chacha.h"
#include "kernel/lib/string.h"

/* Words from the CPU, and samples of time, that go into a key at a time. */
#define HARDWARE_WORDS 4
#define JITTER_ROUNDS  4096
#define JITTER_BYTES   1024

/* SDM 1, 7.3.17.1 "RDRAND": a CPU whose source works answers within ten tries. */
#define TRIES 10

struct generator {
	uint32_t key[CHACHA_KEY_WORDS];
	bool is_seeded;
	bool has_rdseed; /* asked once: below a hypervisor CPUID is slow */
	bool has_rdrand;
};

static PERCPU struct generator generator;
static PERCPU uint8_t jitter_memory[JITTER_BYTES];

static const uint32_t nonce[3];

/* The next key: what it, all that was mixed in, and the time give together, one
 * way. */
static void next_key(struct generator *own)
{
	uint64_t now = x86_rdtsc();
	const uint32_t time[3] = { (uint32_t)now, (uint32_t)(now >> 32), 0 };
	uint32_t block[CHACHA_BLOCK_WORDS];

	chacha_block(own->key, 0, time, block);
	memcpy(own->key, block, sizeof(own->key));
	memset(block, 0, sizeof(block));
}

/* A quarter of the key, 0 to 3, and the @word. */
static void mix(struct generator *own, unsigned int quarter, uint64_t word)
{
	own->key[2 * quarter] ^= (uint32_t)word;
	own->key[2 * quarter + 1] ^= (uint32_t)(word >> 32);
}

static void absorb(struct generator *own, uint64_t word)
{
	mix(own, 0, word);
	next_key(own);
}

/* Some CPUs go on to answer all ones when their source has died (AMD's of
 * families 15h and 16h after a suspend): that is no answer. */
static bool read_hardware(const struct generator *own, uint64_t *word)
{
	for (int i = 0; i < TRIES && own->has_rdseed; i++) {
		if (x86_rdseed(word) && *word != UINT64_MAX)
			return true;
	}
	for (int i = 0; i < TRIES && own->has_rdrand; i++) {
		if (x86_rdrand(word) && *word != UINT64_MAX)
			return true;
	}
	return false;
}

/* Before next_key. */
static bool mix_hardware(struct generator *own)
{
	for (unsigned int i = 0; i < HARDWARE_WORDS; i++) {
		uint64_t word;

		if (!read_hardware(own, &word))
			return false;
		mix(own, i, word);
	}
	return true;
}

/* Work whose time depends on caches, the divider and what else the machine does:
 * its place and divisor depend on the time of the round before. */
static void spend_time(uint64_t seed)
{
	volatile uint8_t *memory = *this_cpu(jitter_memory);
	volatile uint64_t quotient;

	for (uint64_t i = 0; i < 8; i++)
		memory[(seed * 67 + i * 509) % JITTER_BYTES]++;
	quotient = UINT64_MAX / ((seed & 0xffff) + 3);
	(void)quotient;
}

/* False: rounds take one time like the other, because the TSC stands still, or counts
 * what the machine's emulator does, which is the same at every start. */
static bool absorb_jitter(struct generator *own)
{
	uint64_t last = x86_rdtsc();
	uint64_t delta = 0;
	int changes = 0;

	for (int i = 0; i < JITTER_ROUNDS; i++) {
		uint64_t now;

		spend_time(delta);
		now = x86_rdtsc();
		changes += now - last != delta;
		delta = now - last;
		last = now;
		absorb(own, delta);
	}
	return changes > JITTER_ROUNDS / 8;
}

/* A CPU's first key. What two CPUs of equal history would share, their number
 * parts. */
static bool seed_first(struct generator *own)
{
	own->has_rdseed = x86_cpuid_or_zero(7, 0).ebx & CPUID_7_EBX_RDSEED;
	own->has_rdrand = x86_cpuid(1, 0).ecx & CPUID_1_ECX_RDRAND;
	absorb(own, cpu_number());
	return mix_hardware(own) || absorb_jitter(own);
}

static bool seed(struct generator *own)
{
	if (own->is_seeded)
		mix_hardware(own);
	else
		own->is_seeded = seed_first(own);
	next_key(own);
	return own->is_seeded;
}

/*
 * Each block is of the same key, the first half of the first one the next key: what
 * was given out cannot be found from what is kept (D. J. Bernstein, "Fast-key-erasure
 * random-number generators").
 */
bool random_bytes(void *to, size_t size)
{
	struct generator *own = this_cpu(generator);
	uint32_t key[CHACHA_KEY_WORDS], block[CHACHA_BLOCK_WORDS];
	size_t skipped = sizeof(key);
	uint32_t counter = 1;
	uint8_t *out = to;

	if (!seed(own))
		return false;
	memcpy(key, own->key, sizeof(key));
	do {
		size_t count = min_u64(size, sizeof(block) - skipped);

		chacha_block(key, counter, nonce, block);
		if (skipped)
			memcpy(own->key, block, sizeof(own->key));
		memcpy(out, (uint8_t *)block + skipped, count);
		out += count;
		size -= count;
		skipped = 0;
		counter++;
	} while (size);
	memset(block, 0, sizeof(block));
	memset(key, 0, sizeof(key));
	return true;
}
