/* The text of one value -> number, size, name, address. [pure] */
#ifndef BOOT_CONFIG_VALUE_H
#define BOOT_CONFIG_VALUE_H

#include "boot/config.h"

/* Each reads all of @text; false, and *@out as before, if it is not allowed. */

bool config_value_bool(struct slice text, bool *out);

/* Decimal from @min to @max; as in TOML without sign and leading zeros. */
bool config_value_number(struct slice text, uint32_t min, uint32_t max,
			 uint32_t *out);

/* A number and K, M or G: whole 4 KiB pages, from @min to @max bytes. */
bool config_value_size(struct slice text, uint64_t min, uint64_t max,
		       uint64_t *out);

/* A rate that a PC's 16550 can make: 115200 over a whole number. */
bool config_value_baud(struct slice text, uint32_t *out);

/* com1 to com4, or the first of eight I/O ports in hex with 0x. */
bool config_value_port(struct slice text, uint16_t *out);

bool config_value_level(struct slice text, enum log_level *out);

/* host, or x86-64-v1 to x86-64-v4. */
bool config_value_cpu(struct slice text, enum config_cpu *out);

/* Six bytes in hex with colons: the address of one station, and not zero. */
bool config_value_mac(struct slice text, uint8_t out[6]);

/* Up to @max bytes of a-z, 0-9, _ and -; filled up with NULs to @max + 1. */
bool config_value_word(struct slice text, size_t max, char *out);

/* [a-z0-9][a-z0-9._-]{0,31}: how VMs, labels and networks are named. */
bool config_value_is_name(struct slice text);

/* A file name of letters, digits and . _ + ~ @ -, not starting with a dot. */
bool config_value_is_module(struct slice text);

#endif
