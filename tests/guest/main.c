/* Which case, and how it ended. */
#include "tests/guest/guest.h"

#define EXIT_PORT    0xf4
#define INFO_CMDLINE 16 /* multiboot information: offset of the address */

struct guest_case {
	const char *name;
	void (*function)(void);
	uint32_t vcpus;
};

static const struct guest_case cases[] = {
#define CASE(name, vcpus, memory, where) { #name, case_##name, vcpus },
#include "tests/guest/cases.def"
#undef CASE
};

extern uint32_t multiboot_info;
void guest_main(void) __attribute__((noreturn));

static const struct guest_case *chosen;
uint32_t case_vcpus;

static void leave(uint32_t value) __attribute__((noreturn));
static void leave(uint32_t value)
{
	for (;;) {
		out32(EXIT_PORT, value);
		asm volatile("cli; hlt");
	}
}

void case_fail(const char *file, int line, const char *what)
{
	print("case %s: FAIL %s:%d: %s", chosen ? chosen->name : "?", file,
	      line, what);
	leave(1);
}

void case_pass(void)
{
	print("case %s: ok", chosen->name);
	leave(0);
}

void case_check_equal(const char *file, int line, const char *what,
		      uint64_t got, uint64_t expected)
{
	if (got == expected)
		return;
	print("case %s: FAIL %s:%d: %s: 0x%lx, expected 0x%lx", chosen->name,
	      file, line, what, got, expected);
	leave(1);
}

bool is_guest(void)
{
	struct words words = cpuid(0x40000000, 0);

	return (cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR) &&
	       words.ebx == 0x4b4d564b; /* "KVMK" */
}

static bool is_named(const char *name, const char *word)
{
	while (*name && *name == *word) {
		name++;
		word++;
	}
	return !*name && (!*word || *word == ' ');
}

static const char *case_name(void)
{
	static const char key[] = "case=";
	const char *line =
		(const char *)(uint64_t)mmio32(multiboot_info + INFO_CMDLINE);

	for (; *line; line++) {
		if (!memcmp(line, key, sizeof(key) - 1))
			return line + sizeof(key) - 1;
	}
	return "";
}

static void choose(const char *name)
{
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (is_named(cases[i].name, name))
			chosen = &cases[i];
	}
	if (!chosen) {
		print("no case %s", name);
		leave(2);
	}
	case_vcpus = chosen->vcpus;
}

void guest_main(void)
{
	const char *name = case_name();

	/* a VM that holds the console, so that all others' lines are marked */
	if (is_named("silence", name)) {
		for (;;)
			asm volatile("cli; hlt");
	}
	choose(name);
	trap_init();
	trap_init_cpu(0);
	out8(0x21, 0xff);
	out8(0xa1, 0xff);
	lapic_init();
	chosen->function();
	case_pass();
}
