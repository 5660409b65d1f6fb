/* basalt.conf and the command line, checked. docs/config.md is the user's view.
 * [pure] */
#ifndef BOOT_CONFIG_H
#define BOOT_CONFIG_H

#include "boot/boot_info.h"
#include "kernel/lib/diag.h"
#include "kernel/lib/log.h"
#include "kernel/lib/slice.h"

#define CONFIG_FILE \
	"basalt.conf" /* name of the boot module, and of the file beside \
			 basalt.efi */
#define CONFIG_SIZE_MAX	 MIB /* bytes of text */
#define CONFIG_DISKS_MAX 16
#define CONFIG_NICS_MAX	 8
#define CONFIG_VCPUS_MAX 255

/* [hypervisor], and the same keys on the command line as key=value words, which
 * win. */
struct config_hypervisor {
	bool has_serial;      /* console = ["serial", …] */
	bool has_framebuffer; /* console = ["framebuffer", …] */
	uint16_t serial_port; /* I/O port of the 16550 */
	uint32_t serial_baud;
	enum log_level log_level; /* least important level shown on consoles */
	uint64_t
		memory; /* bytes that Basalt keeps for itself, 0: as it needs */
	char selftest[32]; /* debug builds: name of a self-test to run, "" none
			    */
};

/* A disk is a boot module, private to the VM by copy-on-write, or an empty RAM
 * disk. */
struct config_disk {
	struct slice module; /* ptr NULL: RAM disk */
	uint64_t ram_size;   /* bytes, of a RAM disk */
	bool is_read_only;
};

struct config_nic {
	struct slice network; /* NICs of one network name see each other */
	uint8_t mac[6];	      /* all zero: to be chosen */
};

/* The CPU that a VM sees: the machine's, or a micro-architecture level of the
 * x86-64 psABI. */
enum config_cpu {
	CONFIG_CPU_HOST,
	CONFIG_CPU_V1,
	CONFIG_CPU_V2,
	CONFIG_CPU_V3,
	CONFIG_CPU_V4,
};

/* [control] or [vm.NAME]. The slices point into the file's text. */
struct config_vm {
	struct slice name; /* "control" for the control domain */
	struct slice kernel;
	struct slice initrd;
	struct slice firmware;
	struct slice cmdline;
	struct slice label;
	uint64_t memory; /* bytes, a multiple of 4 KiB */
	uint32_t vcpus;
	enum config_cpu cpu;
	uint32_t disk_count;
	uint32_t nic_count;
	uint32_t line; /* of the section's head, from 1 */
	bool is_control;
	bool is_autostarted; /* always, of the control domain */
	bool has_testdev;
	bool has_virtual_interrupts; /* where the CPU has them */
	struct config_disk disks[CONFIG_DISKS_MAX];
	struct config_nic nics[CONFIG_NICS_MAX];
};

/* Where config_next_vm goes on. Start with config_open. */
struct config_cursor {
	struct slice text;
	size_t offset;
	uint32_t line;
};

/* The values that hold where neither file nor command line says otherwise. */
void config_defaults(struct config_hypervisor *out);

/*
 * Check the whole @text (all sections, keys, types, ranges, names given twice)
 * and read [hypervisor] over what @out holds. -EINVAL with @diag
 * "basalt.conf:LINE: …"; then @out is as before.
 */
int config_parse(struct slice text, struct config_hypervisor *out,
		 struct diag *diag);

/* Read key=value words of the command line over what @out holds. -EINVAL with
 * @diag "command line: …". */
int config_parse_cmdline(struct slice words, struct config_hypervisor *out,
			 struct diag *diag);

/* Each [control] and [vm.*] section of a text that config_parse accepted, in
 * order: 1 and *out, or 0 at the end. */
struct config_cursor config_open(struct slice text);
int config_next_vm(struct config_cursor *cursor, struct config_vm *out);

/* Is every file that @text names among the boot modules? -ENOENT with file,
 * line, key, and the names there are. */
int config_check_modules(struct slice text, const struct boot_info *info,
			 struct diag *diag);

/* The module called @name, or NULL. */
const struct boot_module *boot_module_find(const struct boot_info *info,
					   struct slice name);

#endif
