/* What basalt.conf and the command line must not be, and the error lines. */
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

#define HV(pairs) "[hypervisor]\n" pairs
#define VM(pairs) "[vm.a]\nkernel = \"k\"\nmemory = \"1M\"\n" pairs
#define HV_KEYS	  "console, serial_port, serial_baud, log_level, memory, selftest"
#define DOMAIN_KEYS                                                       \
	"kernel, initrd, firmware, cmdline, memory, vcpus, disks, nics, " \
	"label"
#define A32 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A64 A32 A32
#define DISKS                                                              \
	"a list of at most 16, such as [\"MODULE\", \"MODULE,readonly\", " \
	"\"ram:64M\"]"
#define NICS                                          \
	"a list of at most 8, such as [\"NETWORK\", " \
	"\"NETWORK,mac=52:54:00:12:34:56\"]"
#define MODULE \
	"the \"name\" of a boot module, of letters, digits and . _ + ~ @ -"
#define NAME	  "a \"name\" of a-z, 0-9 and . _ -, at most 32 bytes"
#define VM_MEMORY "a size such as \"512M\", from 1M to 65536G in steps of 4K"
#define HV_MEMORY "a size such as \"512M\", from 0K to 65536G in steps of 4K"
#define BAUD	  "115200 or a whole part of it, such as 38400 or 9600"
#define PORT	  "\"com1\" to \"com4\", or \"0x100\" to \"0xfff8\" in steps of 8"
#define LEVEL	  "\"error\", \"warn\", \"info\" or \"debug\""
#define CPU                                                         \
	"\"host\", \"x86-64-v1\", \"x86-64-v2\", \"x86-64-v3\" or " \
	"\"x86-64-v4\""
#define CONSOLES "a list of \"serial\" and \"framebuffer\""
#define WORD	 "a \"word\" of a-z, 0-9, _ and -, at most 31 bytes"
#define ARRAY	 "an array of strings with commas between them and ] at its end"
#define HEAD_NAME                                                              \
	"a NAME of a-z, 0-9 and . _ -, at most 32 bytes, in \"quotes\" if it " \
	"has a dot"
#define HEAD	 "[hypervisor], [control] or [vm.NAME]"
#define BRACKETS "[hypervisor], [control], [vm.NAME] or [vm.\"NAME\"]"
#define TEXT	 "UTF-8 without control characters"
#define VALUE	 "a \"string\", a number, true, false or an array behind the ="
#define BEHIND	 "the end of the line behind "
#define ITEM	 "[SECTION] or KEY = VALUE"

/* @text is refused with the line "basalt.conf:@why". */
struct refusal {
	const char *text;
	const char *why;
};

/* clang-format off */
static const struct refusal bytes[] = {
	{ "# \x01", "1: byte 0x01: expected " TEXT },
	{ "\n\x1b[2J", "2: byte 0x1b: expected " TEXT },
	{ "# \x7f", "1: byte 0x7f: expected " TEXT },
	{ "# \r# \n", "1: byte 0x0d: expected " TEXT },
	{ "\n\n\r", "3: byte 0x0d: expected " TEXT },
	{ "# \x80", "1: byte 0x80: expected " TEXT },
	{ "# \xc0\xaf", "1: byte 0xc0: expected " TEXT },
	{ "# \xc2\x9b", "1: byte 0xc2: expected " TEXT },
	{ "# \xc3", "1: byte 0xc3: expected " TEXT },
	{ "# \xc3x", "1: byte 0xc3: expected " TEXT },
	{ "# \xe0\x9f\xbf", "1: byte 0xe0: expected " TEXT },
	{ "# \xe2\x82x", "1: byte 0xe2: expected " TEXT },
	{ "# \xed\xa0\x80", "1: byte 0xed: expected " TEXT },
	{ "# \xf0\x8f\xbf\xbf", "1: byte 0xf0: expected " TEXT },
	{ "# \xf4\x90\x80\x80", "1: byte 0xf4: expected " TEXT },
	{ "# \xf5\x80\x80\x80", "1: byte 0xf5: expected " TEXT },
	{ "# \xff", "1: byte 0xff: expected " TEXT },
};

static const struct refusal syntax[] = {
	{ "x", "1: x: expected " ITEM },
	{ "= 1", "1: = 1: expected " ITEM },
	{ "\"vcpus\" = 1", "1: \"vcpus\" = 1: expected " ITEM },
	{ "a.b = 1", "1: a.b = 1: expected " ITEM },
	{ "\xef\xbb\xbf# bom", "1: \xef\xbb\xbf# bom: expected " ITEM },
	{ "vcpus = 1", "1: vcpus: expected a section such as [hypervisor] before the first key" },
	{ HV("memory ="), "2: memory =: expected " VALUE },
	{ HV("memory = # none"), "2: memory = # none: expected " VALUE },
	{ HV("memory = {}"), "2: memory = {}: expected " VALUE },
	{ HV("memory = \"4K\" x"), "2: x: expected " BEHIND "\"4K\"" },
	{ HV("memory = \"\"\"4K\"\"\""), "2: \"4K\"\"\": expected " BEHIND "\"\"" },
	{ "[control] x", "1: x: expected " BEHIND "[control]" },
	{ HV("memory = \"4K\n"), "2: \"4K: the string has no end: expected \" on this line" },
	{ HV("memory = '4K"), "2: '4K: the string has no end: expected ' on this line" },
	{ HV("memory = \"4\\u004b\""), "2: \"4\\u004b\": no escapes are known: expected a string in 'single quotes'" },
	{ HV("console = [\"serial\""), "2: end of file: expected " ARRAY },
	{ HV("console = [\n\"serial\"\n\"x\"]"), "4: \"x\"]: expected " ARRAY },
	{ HV("console = [,]"), "2: ,]: expected " ARRAY },
	{ HV("console = ['serial',,]"), "2: ,]: expected " ARRAY },
	{ HV("console = [1]"), "2: 1]: expected " ARRAY },
	{ HV("console = [[]]"), "2: []]: expected " ARRAY },
	{ HV("console = ["), "2: end of file: expected " ARRAY },
	{ HV("console = [\"\\\"]"), "2: \"\\\"]: no escapes are known: expected a string in 'single quotes'" },
	{ "[", "1: [: expected " BRACKETS },
	{ "[control", "1: [control: expected " BRACKETS },
	{ "[[vm.a]]", "1: [[vm.a]]: expected " BRACKETS },
	{ "[ control ]", "1: [ control ]: expected " BRACKETS },
	{ "[vm.a.b]", "1: [vm.a.b]: expected " BRACKETS },
	{ "[vm.\"a]", "1: \"a]: the string has no end: expected \" on this line" },
	{ "[vm." A64 "\n", "1: [vm.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: expected " BRACKETS },
	{ "[vm.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xbc",
	  "1: [vm.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa: expected " BRACKETS },
};

static const struct refusal sections[] = {
	{ "[]", "1: []: expected " HEAD },
	{ "[vm]", "1: [vm]: expected " HEAD },
	{ "[Control]", "1: [Control]: expected " HEAD },
	{ "[control.a]", "1: [control.a]: expected " HEAD },
	{ "[hypervisor.\"\"]", "1: [hypervisor.\"\"]: expected " HEAD },
	{ "[guest.a]", "1: [guest.a]: expected " HEAD },
	{ "[vm.]", "1: [vm.]: expected " HEAD_NAME },
	{ "[vm.\"\"]", "1: [vm.\"\"]: expected " HEAD_NAME },
	{ "[vm.Web]", "1: [vm.Web]: expected " HEAD_NAME },
	{ "[vm.-a]", "1: [vm.-a]: expected " HEAD_NAME },
	{ "[vm.\".a\"]", "1: [vm.\".a\"]: expected " HEAD_NAME },
	{ "[vm.'a b']", "1: [vm.'a b']: expected " HEAD_NAME },
	{ "[vm.a" A32 "]", "1: [vm.a" A32 "]: expected " HEAD_NAME },
	{ "[vm.control]", "1: [vm.control]: expected a name other than hypervisor and control" },
	{ "\n[vm.'hypervisor']", "2: [vm.'hypervisor']: expected a name other than hypervisor and control" },
	{ HV(HV("")), "2: [hypervisor]: expected a name that is not taken by line 1" },
	{ VM(HV(VM(""))), "5: [vm.a]: expected a name that is not taken by line 1" },
	{ VM("[vm.'a']\nkernel='k'\nmemory='1M'"), "4: [vm.'a']: expected a name that is not taken by line 1" },
	{ "\n[vm.b]", "2: [vm.b]: no memory: expected memory = \"SIZE\"" },
	{ "[control]\nkernel = \"k\"", "1: [control]: no memory: expected memory = \"SIZE\"" },
	{ "[vm.b]\nmemory = \"1M\"\n" VM(""), "1: [vm.b]: nothing to start: expected kernel or firmware" },
	{ VM("firmware = \"f\""), "1: [vm.a]: kernel and firmware: expected one of them" },
	{ "[vm.a]\nmemory='1M'\nfirmware='f'\ninitrd='i'", "1: [vm.a]: initrd without kernel: expected both" },
	{ "[vm.a]\nmemory='1M'\nfirmware='f'\ncmdline=''", "1: [vm.a]: cmdline without kernel: expected both" },
};

static const struct refusal keys[] = {
	{ HV("vcpus = 1"), "2: vcpus: unknown key: [hypervisor] expected one of " HV_KEYS },
	{ "[control]\nautostart = true", "2: autostart: unknown key: [control] expected one of " DOMAIN_KEYS },
	{ VM("console = []"), "4: console: unknown key: [vm.NAME] expected one of " DOMAIN_KEYS ", cpu, autostart, testdev, virtual_interrupts" },
	{ VM("Label = 'x'"), "4: Label: unknown key: [vm.NAME] expected one of " DOMAIN_KEYS ", cpu, autostart, testdev, virtual_interrupts" },
	{ VM("memory = '2M'"), "4: memory: key given twice: expected it once in this section" },
	{ VM("disks = []\ndisks = []"), "5: disks: key given twice: expected it once in this section" },
	{ HV("console = \"serial\""), "2: console = \"serial\": expected " CONSOLES },
	{ HV("console = [\n'serial',\n'vga'\n]"), "4: console = 'vga': expected " CONSOLES },
	{ HV("serial_port = 1016"), "2: serial_port = 1016: expected " PORT },
	{ HV("serial_port = 'com5'"), "2: serial_port = 'com5': expected " PORT },
	{ HV("serial_port = ''"), "2: serial_port = '': expected " PORT },
	{ HV("serial_port = '0x'"), "2: serial_port = '0x': expected " PORT },
	{ HV("serial_port = '0xf8'"), "2: serial_port = '0xf8': expected " PORT },
	{ HV("serial_port = '0x3f9'"), "2: serial_port = '0x3f9': expected " PORT },
	{ HV("serial_port = '0xfff9'"), "2: serial_port = '0xfff9': expected " PORT },
	{ HV("serial_port = '0x3g8'"), "2: serial_port = '0x3g8': expected " PORT },
	{ HV("serial_baud = \"9600\""), "2: serial_baud = \"9600\": expected " BAUD },
	{ HV("serial_baud = 1"), "2: serial_baud = 1: expected " BAUD },
	{ HV("serial_baud = 9601"), "2: serial_baud = 9601: expected " BAUD },
	{ HV("serial_baud = 230400"), "2: serial_baud = 230400: expected " BAUD },
	{ HV("log_level = 'trace'"), "2: log_level = 'trace': expected " LEVEL },
	{ HV("log_level = 3"), "2: log_level = 3: expected " LEVEL },
	{ HV("memory = 512"), "2: memory = 512: expected " HV_MEMORY },
	{ HV("memory = ''"), "2: memory = '': expected " HV_MEMORY },
	{ HV("memory = 'M'"), "2: memory = 'M': expected " HV_MEMORY },
	{ HV("memory = '512'"), "2: memory = '512': expected " HV_MEMORY },
	{ HV("memory = '512m'"), "2: memory = '512m': expected " HV_MEMORY },
	{ HV("memory = '5K'"), "2: memory = '5K': expected " HV_MEMORY },
	{ HV("memory = '04K'"), "2: memory = '04K': expected " HV_MEMORY },
	{ HV("memory = '-4K'"), "2: memory = '-4K': expected " HV_MEMORY },
	{ HV("memory = '65537G'"), "2: memory = '65537G': expected " HV_MEMORY },
	{ HV("memory = '18014398509481988K'"), "2: memory = '18014398509481988K': expected " HV_MEMORY },
	{ HV("selftest = 'A'"), "2: selftest = 'A': expected " WORD },
	{ HV("selftest = '" A32 "'"), "2: selftest = '" A32 "': expected " WORD },
	{ "[vm.a]\nmemory = \"0M\"", "2: memory = \"0M\": expected " VM_MEMORY },
	{ "[vm.a]\nmemory = \"1020K\"", "2: memory = \"1020K\": expected " VM_MEMORY },
	{ "[vm.a]\nkernel = vmlinuz", "2: kernel = vmlinuz: expected " MODULE },
	{ "[vm.a]\nkernel = ['k']", "2: kernel = ['k']: expected " MODULE },
	{ "[vm.a]\nkernel = ['k',\n]", "2: kernel = ['k',: expected " MODULE },
	{ "[vm.a]\nkernel = ''", "2: kernel = '': expected " MODULE },
	{ "[vm.a]\nkernel = '.k'", "2: kernel = '.k': expected " MODULE },
	{ VM("initrd = 'a/b'"), "4: initrd = 'a/b': expected " MODULE },
	{ VM("initrd = 'a b'"), "4: initrd = 'a b': expected " MODULE },
	{ "[vm.a]\nfirmware = '" A64 "'", "2: firmware = '" A32 "aaaaaaaaaaaaaaa: expected " MODULE },
	{ VM("vcpus = 0"), "4: vcpus = 0: expected a number from 1 to 255" },
	{ VM("vcpus = 256"), "4: vcpus = 256: expected a number from 1 to 255" },
	{ VM("vcpus = -1"), "4: vcpus = -1: expected a number from 1 to 255" },
	{ VM("vcpus = +1"), "4: vcpus = +1: expected a number from 1 to 255" },
	{ VM("vcpus = 01"), "4: vcpus = 01: expected a number from 1 to 255" },
	{ VM("vcpus = 1_0"), "4: vcpus = 1_0: expected a number from 1 to 255" },
	{ VM("vcpus = 0x1"), "4: vcpus = 0x1: expected a number from 1 to 255" },
	{ VM("vcpus = 1.0"), "4: vcpus = 1.0: expected a number from 1 to 255" },
	{ VM("vcpus = 18446744073709551617"), "4: vcpus = 18446744073709551617: expected a number from 1 to 255" },
	{ VM("vcpus = '1'"), "4: vcpus = '1': expected a number from 1 to 255" },
	{ VM("disks = 'a'"), "4: disks = 'a': expected " DISKS },
	{ VM("disks = ['']"), "4: disks = '': expected " DISKS },
	{ VM("disks = ['a,']"), "4: disks = 'a,': expected " DISKS },
	{ VM("disks = ['a,rw']"), "4: disks = 'a,rw': expected " DISKS },
	{ VM("disks = ['a,readonly,readonly']"), "4: disks = 'a,readonly,readonly': expected " DISKS },
	{ VM("disks = [',readonly']"), "4: disks = ',readonly': expected " DISKS },
	{ VM("disks = ['ram:']"), "4: disks = 'ram:': expected " DISKS },
	{ VM("disks = ['ram:0M']"), "4: disks = 'ram:0M': expected " DISKS },
	{ VM("disks = ['ram:1M,readonly']"), "4: disks = 'ram:1M,readonly': expected " DISKS },
	{ VM("disks = ['a','a','a','a','a','a','a','a',\n'a','a','a','a','a','a','a','a',\n'b']"),
	  "6: disks = 'b': expected " DISKS },
	{ VM("nics = 'a'"), "4: nics = 'a': expected " NICS },
	{ VM("nics = ['']"), "4: nics = '': expected " NICS },
	{ VM("nics = ['LAN']"), "4: nics = 'LAN': expected " NICS },
	{ VM("nics = ['a,']"), "4: nics = 'a,': expected " NICS },
	{ VM("nics = ['a,mac=']"), "4: nics = 'a,mac=': expected " NICS },
	{ VM("nics = ['a,mac=52:54:00:12:34:5']"), "4: nics = 'a,mac=52:54:00:12:34:5': expected " NICS },
	{ VM("nics = ['a,mac=52:54:00:12:34-56']"), "4: nics = 'a,mac=52:54:00:12:34-56': expected " NICS },
	{ VM("nics = ['a,mac=5g:54:00:12:34:56']"), "4: nics = 'a,mac=5g:54:00:12:34:56': expected " NICS },
	{ VM("nics = ['a,mac=53:54:00:12:34:56']"), "4: nics = 'a,mac=53:54:00:12:34:56': expected " NICS },
	{ VM("nics = ['a,mac=00:00:00:00:00:00']"), "4: nics = 'a,mac=00:00:00:00:00:00': expected " NICS },
	{ VM("nics = ['a','a','a','a','a','a','a','a','b']"), "4: nics = 'b': expected " NICS },
	{ VM("label = 'Red'"), "4: label = 'Red': expected " NAME },
	{ VM("label = ''"), "4: label = '': expected " NAME },
	{ VM("label = 'a" A32 "'"), "4: label = 'a" A32 "': expected " NAME },
	{ VM("cpu = 'x86-64'"), "4: cpu = 'x86-64': expected " CPU },
	{ VM("cpu = 'x86-64-v5'"), "4: cpu = 'x86-64-v5': expected " CPU },
	{ VM("cpu = 'Host'"), "4: cpu = 'Host': expected " CPU },
	{ VM("cpu = ''"), "4: cpu = '': expected " CPU },
	{ VM("cpu = 3"), "4: cpu = 3: expected " CPU },
	{ "[control]\ncpu = 'host'", "2: cpu: unknown key: [control] expected one of " DOMAIN_KEYS },
	{ VM("autostart = 1"), "4: autostart = 1: expected true or false" },
	{ VM("autostart = 'true'"), "4: autostart = 'true': expected true or false" },
	{ VM("testdev = True"), "4: testdev = True: expected true or false" },
};

static const struct refusal words[] = {
	{ "quiet", "quiet: expected KEY=VALUE, KEY one of " HV_KEYS },
	{ "log_level", "log_level: expected KEY=VALUE, KEY one of " HV_KEYS },
	{ "kernel=k", "kernel=k: expected KEY=VALUE, KEY one of " HV_KEYS },
	{ "=", "=: expected KEY=VALUE, KEY one of " HV_KEYS },
	{ "memory=1M  memory=1M", "memory=1M: expected memory only once" },
	{ "log_level=", "log_level=: expected " LEVEL },
	{ "log_level=\"info\"", "log_level=\"info\": expected " LEVEL },
	{ "serial_baud=0", "serial_baud=0: expected " BAUD },
	{ "serial_port=", "serial_port=: expected " PORT },
	{ "serial_port=1016", "serial_port=1016: expected " PORT },
	{ "memory=512", "memory=512: expected " HV_MEMORY },
	{ "memory=", "memory=: expected " HV_MEMORY },
	{ "console=vga", "console=vga: expected " CONSOLES },
	{ "console=,serial", "console=,serial: expected " CONSOLES },
	{ "selftest=a=b", "selftest=a=b: expected " WORD },
	{ "memory=1M\tx", "byte 0x09 at 9: expected printable ASCII" },
	{ "\x1b[2J", "byte 0x1b at 0: expected printable ASCII" },
	{ "memory=\xc3\xbc", "byte 0xc3 at 7: expected printable ASCII" },
};
/* clang-format on */

static struct diag diag;
static struct config_hypervisor hypervisor;

static int parse(const char *text, size_t len)
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

static void check_rows(const struct refusal *rows, size_t count)
{
	char why[2 * DIAG_TEXT_MAX];

	for (size_t i = 0; i < count; i++) {
		snprintf(why, sizeof(why), "basalt.conf:%s", rows[i].why);
		if (parse(rows[i].text, strlen(rows[i].text)) != -EINVAL)
			fail_msg("accepted: %s", rows[i].text);
		assert_string_equal(diag.text, why);
	}
}

static void refuses_bytes(void **state)
{
	(void)state;
	check_rows(bytes, ARRAY_SIZE(bytes));
	assert_int_equal(parse("# \0", 3), -EINVAL);
	assert_string_equal(diag.text,
			    "basalt.conf:1: byte 0x00: expected " TEXT);
}

static void takes_other_scripts(void **state)
{
	const char text[] = "# \xc2\xa0 \xdf\xbf \xe0\xa0\x80 \xe1\x80\x80"
			    " \xed\x9f\xbf \xee\x80\x80 \xf0\x90\x80\x80"
			    " \xf1\x80\x80\x80 \xf4\x8f\xbf\xbf";

	(void)state;
	assert_int_equal(parse(text, sizeof(text) - 1), 0);
}

static void refuses_syntax(void **state)
{
	(void)state;
	check_rows(syntax, ARRAY_SIZE(syntax));
}

static void refuses_sections(void **state)
{
	(void)state;
	check_rows(sections, ARRAY_SIZE(sections));
}

static void refuses_keys(void **state)
{
	(void)state;
	check_rows(keys, ARRAY_SIZE(keys));
}

static void refuses_long_cmdline(void **state)
{
	char text[4096];
	int head = snprintf(text, sizeof(text), VM("cmdline = '"));

	(void)state;
	memset(text + head, 'x', 2047);
	strcpy(text + head + 2047, "'");
	assert_int_equal(parse(text, strlen(text)), 0);
	strcpy(text + head + 2047, "x'");
	assert_int_equal(parse(text, strlen(text)), -EINVAL);
	assert_non_null(
		strstr(diag.text, "a \"string\" of at most 2047 bytes"));
}

static void refuses_words(void **state)
{
	char why[2 * DIAG_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		config_defaults(&hypervisor);
		hypervisor.serial_baud = 300;
		snprintf(why, sizeof(why), "command line: %s", words[i].why);
		if (config_parse_cmdline(slice_from(words[i].text), &hypervisor,
					 &diag) != -EINVAL)
			fail_msg("accepted: %s", words[i].text);
		assert_string_equal(diag.text, why);
		assert_int_equal(hypervisor.memory, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_bytes),
		cmocka_unit_test(takes_other_scripts),
		cmocka_unit_test(refuses_syntax),
		cmocka_unit_test(refuses_sections),
		cmocka_unit_test(refuses_keys),
		cmocka_unit_test(refuses_long_cmdline),
		cmocka_unit_test(refuses_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
