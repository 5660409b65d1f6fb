/*
 * ELF executables, 32 and 64 bits, by their program headers. [pure]
 * "System V Application Binary Interface", chapters 4 "Object Files" and 5
 * "Program Loading and Dynamic Linking"; Intel386 and AMD64 supplements.
 */
#ifndef KERNEL_LOADER_ELF_H
#define KERNEL_LOADER_ELF_H

#include "kernel/loader_plan.h"

/* More are refused: no kernel has them, and every one costs time. */
#define LOADER_ELF_HEADERS_MAX 64
#define LOADER_ELF_NOTES_MAX   (64 * KIB)

/* A file whose header has been checked, and whose program headers lie in it. */
struct loader_elf {
	const struct loader_file *file;
	uint64_t headers; /* offset of the program headers */
	uint64_t entry;
	uint32_t header_count;
	bool is_64;
};

/* By magic only. */
bool loader_elf_is(const struct loader_file *file);

/* -EINVAL: @why says why this is no executable for x86. */
int loader_elf_open(struct loader_elf *elf, const struct loader_file *file,
		    struct diag *why);

/* Plan all segments to load, at their physical addresses. -EINVAL. */
int loader_elf_put(const struct loader_elf *elf, struct loader_plan *plan,
		   struct diag *why);

/* The number (4 or 8 bytes) in the first note @type of @name. False: none. */
bool loader_elf_find_note(const struct loader_elf *elf, const char *name,
			  uint32_t type, uint64_t *value);

/* The physical address of the entry point: kernels give it as virtual. */
uint64_t loader_elf_entry(const struct loader_elf *elf);

#endif
