/* basalt.conf and the command line: every key, and that all of it is TOML. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "boot/config.h"
#include "kernel/lib/errno.h"

#define VM(more) "[vm.a]\nkernel = \"k\"\nmemory = \"1M\"\n" more
#define PYTHON_TOML                                           \
	"python3 -c 'import sys, tomllib\n"                   \
	"for t in sys.stdin.buffer.read().split(bytes(1)):\n" \
	" tomllib.loads(t.decode())'"

static const char good_hypervisor[] =
	"# a comment\n"
	"[hypervisor] # another\r\n"
	"console = ['serial', # in between\n\t\"serial\",]\n"
	"serial_port = \"com2\"\n"
	"serial_baud=9600\r\n"
	"log_level = 'debug'\n"
	"\tmemory\t=\t\"256M\"\t\n"
	"selftest = \"heap_2-x\"";

static const char good_vm[] =
	"[control]\n"
	"kernel = \"vmlinuz\"\ninitrd = \"initrd.img\"\n"
	"cmdline = 'a=\"b c\" d=\\e \xc3\xbc'\nmemory = \"4096K\"\n"
	"[hypervisor]\n"
	"[vm.web-1]\n"
	"firmware = \"OVMF_CODE.fd\"\nmemory = \"65536G\"\nvcpus = 255\n"
	"disks = [\n  \"a.img\"  ,\n  # comment\n  'b.img,readonly',\n"
	"  \"ram:64M\"\n]\n"
	"nics = [\"lan\", \"d.m-z,mac=52:54:00:aB:cD:eF\"]\n"
	"label = \"red\"\ncpu = \"x86-64-v3\"\n"
	"autostart = false\ntestdev = true\n"
	"virtual_interrupts = false\n"
	"[vm.\"a.b\"]\nmemory='1M'\nkernel='k'\n"
	"[vm.'7']\nmemory='2M'\nfirmware='f'";

static const char good_empty[] = " \t# nothing\n\n";
static const char good_lists[] =
	"[hypervisor]\nconsole = []\nmemory = \"0K\"\nselftest = \"\"\n" VM(
		"disks = [ ]\nnics = [#\n]\ncmdline = \"\"\nautostart = true\n"
		"testdev = false\n");

static struct diag diag;
static struct config_hypervisor hypervisor;

static int parse_bytes(const char *text, size_t len)
{
	char *copy = malloc(len ? len : 1); /* no NUL: ASan watches the end */
	int err;

	assert_non_null(copy);
	memcpy(copy, text, len);
	memset(&diag, 0, sizeof(diag));
	config_defaults(&hypervisor);
	err = config_parse((struct slice){ copy, len }, &hypervisor, &diag);
	free(copy);
	return err;
}

static int parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void assert_slice(struct slice s, const char *text)
{
	assert_non_null(s.ptr);
	assert_int_equal(s.len, strlen(text));
	assert_memory_equal(s.ptr, text, s.len);
}

static void assert_accepted(const char *text)
{
	if (parse(text))
		fail_msg("refused: %s\n%s", diag.text, text);
}

static void has_defaults(void **state)
{
	struct config_hypervisor out;
	struct config_cursor cursor = config_open((struct slice){ NULL, 0 });
	struct config_vm vm;

	(void)state;
	config_defaults(&out);
	assert_int_equal(config_parse(cursor.text, &out, &diag), 0);
	assert_int_equal(config_next_vm(&cursor, &vm), 0);
	assert_true(out.has_serial && out.has_framebuffer);
	assert_int_equal(out.serial_port, 0x3f8);
	assert_int_equal(out.serial_baud, 115200);
	assert_int_equal(out.log_level, LOG_INFO);
	assert_int_equal(out.memory, 0);
	assert_string_equal(out.selftest, "");
}

static void reads_hypervisor(void **state)
{
	(void)state;
	assert_accepted(good_hypervisor);
	assert_true(hypervisor.has_serial);
	assert_false(hypervisor.has_framebuffer);
	assert_int_equal(hypervisor.serial_port, 0x2f8);
	assert_int_equal(hypervisor.serial_baud, 9600);
	assert_int_equal(hypervisor.log_level, LOG_DEBUG);
	assert_int_equal(hypervisor.memory, 256 * MIB);
	assert_string_equal(hypervisor.selftest, "heap_2-x");
	assert_accepted(good_lists);
	assert_false(hypervisor.has_serial || hypervisor.has_framebuffer);
}

static void reads_control(void **state)
{
	struct config_cursor cursor = config_open(slice_from(good_vm));
	struct config_vm vm;

	(void)state;
	assert_accepted(good_vm);
	assert_int_equal(config_next_vm(&cursor, &vm), 1);
	assert_slice(vm.name, "control");
	assert_true(vm.is_control && vm.is_autostarted);
	assert_slice(vm.kernel, "vmlinuz");
	assert_slice(vm.initrd, "initrd.img");
	assert_slice(vm.cmdline, "a=\"b c\" d=\\e \xc3\xbc");
	assert_null(vm.firmware.ptr);
	assert_null(vm.label.ptr);
	assert_int_equal(vm.memory, 4 * MIB);
	assert_int_equal(vm.vcpus, 1);
	assert_int_equal(vm.line, 1);
	assert_int_equal(vm.disk_count + vm.nic_count, 0);
	assert_false(vm.has_testdev);
	assert_true(vm.has_virtual_interrupts);
	assert_int_equal(vm.cpu, CONFIG_CPU_HOST);
}

static void check_web(const struct config_vm *vm)
{
	const uint8_t mac[6] = { 0x52, 0x54, 0, 0xab, 0xcd, 0xef };
	const uint8_t none[6] = { 0 };

	assert_slice(vm->name, "web-1");
	assert_slice(vm->firmware, "OVMF_CODE.fd");
	assert_null(vm->kernel.ptr);
	assert_int_equal(vm->memory, 64 * TIB);
	assert_int_equal(vm->vcpus, 255);
	assert_int_equal(vm->line, 7);
	assert_int_equal(vm->disk_count, 3);
	assert_slice(vm->disks[0].module, "a.img");
	assert_false(vm->disks[0].is_read_only);
	assert_slice(vm->disks[1].module, "b.img");
	assert_true(vm->disks[1].is_read_only);
	assert_null(vm->disks[2].module.ptr);
	assert_int_equal(vm->disks[2].ram_size, 64 * MIB);
	assert_int_equal(vm->nic_count, 2);
	assert_slice(vm->nics[0].network, "lan");
	assert_memory_equal(vm->nics[0].mac, none, 6);
	assert_slice(vm->nics[1].network, "d.m-z");
	assert_memory_equal(vm->nics[1].mac, mac, 6);
	assert_slice(vm->label, "red");
	assert_false(vm->is_control || vm->is_autostarted);
	assert_true(vm->has_testdev);
	assert_false(vm->has_virtual_interrupts);
	assert_int_equal(vm->cpu, CONFIG_CPU_V3);
}

static void walks_vms(void **state)
{
	struct config_cursor cursor = config_open(slice_from(good_vm));
	struct config_vm vm;

	(void)state;
	assert_int_equal(config_next_vm(&cursor, &vm), 1);
	assert_int_equal(config_next_vm(&cursor, &vm), 1);
	check_web(&vm);
	assert_int_equal(config_next_vm(&cursor, &vm), 1);
	assert_slice(vm.name, "a.b");
	assert_int_equal(vm.memory, MIB);
	assert_int_equal(config_next_vm(&cursor, &vm), 1);
	assert_slice(vm.name, "7");
	assert_int_equal(vm.disk_count, 0);
	assert_int_equal(config_next_vm(&cursor, &vm), 0);
	assert_int_equal(config_next_vm(&cursor, &vm), 0);
}

static void names_cpus(void **state)
{
	static const char *const names[] = { "host", "x86-64-v1", "x86-64-v2",
					     "x86-64-v3", "x86-64-v4" };
	char text[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct config_cursor cursor;
		struct config_vm vm;

		snprintf(text, sizeof(text), VM("cpu = '%s'"), names[i]);
		cursor = config_open(slice_from(text));
		assert_accepted(text);
		assert_int_equal(config_next_vm(&cursor, &vm), 1);
		assert_int_equal(vm.cpu, (enum config_cpu)i);
	}
}

/* Every value with a name or a limit: what goes in, what comes out. */
static void reads_values(void **state)
{
	const struct {
		const char *text;
		uint64_t port, baud, memory;
		enum log_level level;
	} rows[] = {
		{ "serial_port = \"com1\"", 0x3f8, 115200, 0, LOG_INFO },
		{ "serial_port = \"com3\"", 0x3e8, 115200, 0, LOG_INFO },
		{ "serial_port = \"com4\"", 0x2e8, 115200, 0, LOG_INFO },
		{ "serial_port = \"0x100\"", 0x100, 115200, 0, LOG_INFO },
		{ "serial_port = \"0xFfF8\"", 0xfff8, 115200, 0, LOG_INFO },
		{ "serial_baud = 2", 0x3f8, 2, 0, LOG_INFO },
		{ "serial_baud = 115200", 0x3f8, 115200, 0, LOG_INFO },
		{ "log_level = \"error\"", 0x3f8, 115200, 0, LOG_ERROR },
		{ "log_level = \"warn\"", 0x3f8, 115200, 0, LOG_WARN },
		{ "log_level = \"info\"", 0x3f8, 115200, 0, LOG_INFO },
		{ "memory = \"4K\"", 0x3f8, 115200, 4096, LOG_INFO },
		{ "memory = \"3G\"", 0x3f8, 115200, 3 * GIB, LOG_INFO },
	};
	char text[80];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(text, sizeof(text), "[hypervisor]\n%s", rows[i].text);
		assert_accepted(text);
		assert_int_equal(hypervisor.serial_port, rows[i].port);
		assert_int_equal(hypervisor.serial_baud, rows[i].baud);
		assert_int_equal(hypervisor.memory, rows[i].memory);
		assert_int_equal(hypervisor.log_level, rows[i].level);
	}
}

static void keeps_what_is_not_said(void **state)
{
	struct config_hypervisor out;

	(void)state;
	config_defaults(&out);
	out.memory = 5 * MIB;
	assert_int_equal(config_parse(slice_from("[hypervisor]\n"
						 "serial_baud = 9600"),
				      &out, &diag),
			 0);
	assert_int_equal(out.memory, 5 * MIB);
	assert_int_equal(config_parse(slice_from("[hypervisor]\n"
						 "serial_baud = 300\nx"),
				      &out, &diag),
			 -EINVAL);
	assert_int_equal(out.serial_baud, 9600);
}

static void reads_command_line(void **state)
{
	struct config_hypervisor out;

	(void)state;
	config_defaults(&out);
	assert_int_equal(
		config_parse_cmdline(
			slice_from("  console=serial log_level=warn  memory=64M"
				   " serial_port=0x2e8 serial_baud=38400"
				   " selftest=x "),
			&out, &diag),
		0);
	assert_true(out.has_serial);
	assert_false(out.has_framebuffer);
	assert_int_equal(out.log_level, LOG_WARN);
	assert_int_equal(out.memory, 64 * MIB);
	assert_int_equal(out.serial_port, 0x2e8);
	assert_int_equal(out.serial_baud, 38400);
	assert_string_equal(out.selftest, "x");
	assert_int_equal(
		config_parse_cmdline(slice_from("selftest="), &out, &diag), 0);
	assert_string_equal(out.selftest, "");
	assert_int_equal(
		config_parse_cmdline(slice_from("console=framebuffer,serial"),
				     &out, &diag),
		0);
	assert_true(out.has_serial && out.has_framebuffer);
	assert_int_equal(
		config_parse_cmdline(slice_from("console="), &out, &diag), 0);
	assert_false(out.has_serial || out.has_framebuffer);
	assert_int_equal(config_parse_cmdline((struct slice){ NULL, 0 }, &out,
					      &diag),
			 0);
	assert_int_equal(out.serial_baud, 38400);
}

static void finds_modules(void **state)
{
	struct boot_info *info = calloc(1, sizeof(*info));

	(void)state;
	assert_non_null(info);
	info->module_count = 2;
	strcpy(info->modules[0].name, "vmlinuz");
	strcpy(info->modules[1].name, "initrd.img");
	assert_ptr_equal(boot_module_find(info, slice_from("initrd.img")),
			 &info->modules[1]);
	assert_null(boot_module_find(info, slice_from("initrd")));
	assert_null(boot_module_find(info, slice_from("vmlinuz2")));
	free(info);
}

/* All of @path, NUL-terminated. */
static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = calloc(1, 65536);

	if (!file || !text)
		fail_msg("%s: cannot be read", path);
	assert_in_range(fread(text, 1, 65535, file), 1, 65534);
	fclose(file);
	return text;
}

static void give_python(FILE *python, const char *text)
{
	assert_int_equal(fwrite("", 1, 1, python), 1);
	fputs(text, python);
}

/* What config_parse takes, Python's TOML reader takes. */
static void is_toml(void **state)
{
	FILE *python = popen(PYTHON_TOML, "w");

	(void)state;
	assert_non_null(python);
	give_python(python, good_hypervisor);
	give_python(python, good_vm);
	give_python(python, good_empty);
	give_python(python, good_lists);
	assert_accepted(good_empty);
	assert_int_equal(pclose(python), 0);
}

/* The examples of the user's guide are valid, and TOML. */
static void documents_examples(void **state)
{
	char *guide = read_file("docs/config.md"), *at = guide, *end;
	FILE *python = popen(PYTHON_TOML, "w");
	uint32_t count = 0;

	(void)state;
	assert_non_null(python);
	while ((at = strstr(at, "```toml\n"))) {
		at += strlen("```toml\n");
		end = strstr(at, "```");
		assert_non_null(end);
		*end = '\0';
		assert_accepted(at);
		give_python(python, at);
		at = end + 1;
		count++;
	}
	assert_int_equal(count, 2);
	assert_int_equal(pclose(python), 0);
	free(guide);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_defaults),
		cmocka_unit_test(reads_hypervisor),
		cmocka_unit_test(reads_control),
		cmocka_unit_test(walks_vms),
		cmocka_unit_test(names_cpus),
		cmocka_unit_test(reads_values),
		cmocka_unit_test(keeps_what_is_not_said),
		cmocka_unit_test(reads_command_line),
		cmocka_unit_test(finds_modules),
		cmocka_unit_test(is_toml),
		cmocka_unit_test(documents_examples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
