/*
 * Guest memory beside a naive model of it: an array of bytes. Every step checks
 * what comes back, that a CPU's old translations still hold unless a flush was
 * asked for, and that pins stay; the end, every byte, the sizes, and that all
 * frames are back. A difference aborts the program.
 */
#ifndef FAKE_GUEST_MODEL_H
#define FAKE_GUEST_MODEL_H

#include <stdint.h>

/* Bits of @how: largest leaf 4 KiB rather than 2 MiB; EPT's format. */
void guest_model_start(uint8_t how);

/* Some operation, chosen by @kind and by 7 bytes of @argument. */
void guest_model_step(uint8_t kind, uint64_t argument);

void guest_model_finish(void);

#endif
