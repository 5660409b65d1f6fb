/* The heads of basalt.conf's sections. [pure] */
#ifndef BOOT_CONFIG_SECTION_H
#define BOOT_CONFIG_SECTION_H

#include "boot/config_keys.h"

struct config_section {
	enum config_section_kind kind;
	struct slice name; /* hypervisor, control, or the VM's */
	struct slice head; /* as it is written, with the brackets */
	uint32_t line;
};

/* What section is it that @head opens? 0, or -EINVAL with @diag. */
int config_section_identify(const struct config_item *head,
			    struct config_section *out, struct diag *diag);

/*
 * The next section of a text whose sections are well, and @cursor behind its
 * head; false if there is none.
 */
bool config_section_next(struct config_cursor *cursor,
			 struct config_section *out);

/*
 * Is no section's name given twice, in a text whose sections are well? 0, or
 * -EINVAL with @diag.
 */
int config_section_check_names(struct slice text, struct diag *diag);

#endif
