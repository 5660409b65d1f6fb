/*
 * Random bytes for guests (virtio-rng).
 *
 * What they are: the key stream of ChaCha20, with a key of the CPU's own that is
 * replaced after each call, so that an old output cannot be computed from what is
 * in memory later. Before each call the key takes in 256 bits of RDSEED or RDRAND,
 * where the CPU has them, and the TSC.
 *
 * What they are not: certified, or independent of the CPU's maker. On a CPU
 * without RDSEED and RDRAND there is only the TSC: at a CPU's first call, the
 * differences in time of 4096 rounds of memory accesses and divisions. On real
 * hardware that is hard to guess; below an emulator or another hypervisor it may
 * not be, with counted time (icount) it repeats from boot to boot. Nothing is
 * kept from one boot to the next.
 */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include <stdbool.h>
#include <stddef.h>

/* Fill [to, to + size). False: no source of randomness at all, that is, a TSC
 * that does not move; nothing is written. Any lock may be held. */
bool random_bytes(void *to, size_t size);

#endif
