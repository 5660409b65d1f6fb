/* The keys of basalt.conf, a table row each. [pure] */
#ifndef BOOT_CONFIG_KEYS_H
#define BOOT_CONFIG_KEYS_H

#include "boot/config_lex.h"

enum config_section_kind { CONFIG_HYPERVISOR, CONFIG_CONTROL, CONFIG_VM };

/* What a value may be, and the type of the member it goes to. */
enum config_type {
	CONFIG_BOOL,	 /* bool */
	CONFIG_NUMBER,	 /* uint32_t from min to max */
	CONFIG_SIZE,	 /* uint64_t from min to max */
	CONFIG_BAUD,	 /* uint32_t */
	CONFIG_PORT,	 /* uint16_t */
	CONFIG_LEVEL,	 /* enum log_level */
	CONFIG_CPU,	 /* enum config_cpu */
	CONFIG_WORD,	 /* char[max + 1] */
	CONFIG_MODULE,	 /* struct slice */
	CONFIG_NAME,	 /* struct slice */
	CONFIG_TEXT,	 /* struct slice of at most max bytes */
	CONFIG_CONSOLES, /* struct config_hypervisor; a list */
	CONFIG_DISKS,	 /* struct config_vm; a list */
	CONFIG_NICS,	 /* struct config_vm; a list */
};

struct config_key {
	const char *name;
	uint32_t sections; /* BIT(enum config_section_kind), where it is allowed
			    */
	enum config_type type;
	size_t offset; /* of the member, in the section's struct */
	uint64_t min;
	uint64_t max;
};

/* The key @name of @section, or NULL. */
const struct config_key *config_key_find(enum config_section_kind section,
					 struct slice name);

/* A bit of the key's own, to note what was seen. */
uint32_t config_key_bit(const struct config_key *key);

/* What the file must hold for @key: bare word, string, or array. */
enum config_value_kind config_key_kind(const struct config_key *key);

/* Empty a list, before its elements are set. */
void config_key_clear(const struct config_key *key, void *target);

/*
 * Check @text and put it into the member of @target, the section's struct; of
 * a list, @text is one more element. False, and nothing changed, if it is not
 * allowed.
 */
bool config_key_set(const struct config_key *key, struct slice text,
		    void *target);

/* Write what @key allows, to follow the word "expected". */
void config_key_describe(const struct config_key *key, char *buf, size_t size);

/* Write the names of all keys of @section with commas between them. */
void config_key_list(enum config_section_kind section, char *buf, size_t size);

#endif
