/* The CPU's state at the entry of a guest, for boot protocols that define it.
 * [pure] */
#ifndef KERNEL_LOADER_START_H
#define KERNEL_LOADER_START_H

#include "kernel/loader.h"

/* Selectors of both; those that Linux calls __BOOT_CS and __BOOT_DS. */
#define LOADER_CS 0x10
#define LOADER_DS 0x18

#define LOADER_GDT_ENTRIES 4

/* 64-bit mode at @entry: flat segments from the table of loader_start_gdt at
 * @gdt, paging with the tables at @cr3, interrupts off. */
void loader_start_long_mode(struct loader_start *start, uint64_t entry,
			    gpa_t gdt, gpa_t cr3);
void loader_start_gdt(uint64_t gdt[LOADER_GDT_ENTRIES]);

/* 32-bit protected mode at @entry: flat segments without a table, paging and
 * interrupts off. */
void loader_start_flat32(struct loader_start *start, uint32_t entry);

#endif
