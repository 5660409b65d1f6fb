/* Guests that want to hurt others, or whose processes want to hurt them. */
#include "tests/guest/guest.h"

#define IST1_OFFSET	36 /* in a task state: SDM 3A figure 8-11 */
#define DR7_WATCH_PUSH	(BIT(0) | 1UL << 16 | 2UL << 18) /* writes of 8 bytes */
#define USER_CODE32	0x00cffb000000ffffUL
#define LAST_PAGE_INDEX 2047 /* page_directories: the 2 MiB below 4 GiB */
#define SPARE_RAM	(6UL << 20)
#define LARGE_PAGE	(2UL << 20)

static volatile uint32_t progress[CPUS_MAX];

static void be_there(void *argument)
{
	(void)argument;
	for (;;) {
		progress[cpu_number()]++;
		pause();
	}
}

static uint64_t debug_stack(uint32_t number)
{
	uint64_t low = gdt[SELECTOR_TSS / 8 + number * 2];
	uint64_t base = (low >> 16 & 0xffffff) | (low >> 56) << 24;

	return *(volatile uint64_t *)(base + IST1_OFFSET);
}

static void stay(struct trap_frame *frame)
{
	(void)frame;
	be_there(NULL);
}

/* Each #DB's first push is the data breakpoint of the next, so the CPU never comes
 * to an instruction, nor to an interrupt (CVE-2015-8104). */
static void raise_for_ever(void *argument)
{
	(void)argument;
	write_dr0(debug_stack(cpu_number()) - 8);
	write_dr7(DR7_RESET | DR7_WATCH_PUSH);
	asm volatile("int $1");
}

static bool are_moving(uint32_t first)
{
	for (uint32_t i = first; i < case_vcpus; i++) {
		uint32_t before = progress[i];

		WAIT_FOR(progress[i] != before);
	}
	return true;
}

/* Two of four share the CPU of the one that does it, or one does. */
void case_hostile_debug_loop(void)
{
	trap_set_stack(VECTOR_DB, 1);
	trap_set_handler(VECTOR_DB, stay);
	smp_start();
	for (uint32_t i = 2; i < case_vcpus; i++)
		smp_begin(i, be_there, NULL);
	are_moving(2);
	smp_begin(1, raise_for_ever, NULL);
	WAIT_FOR(smp_is_running(1));
	delay_us(20000);
	for (int i = 0; i < 10; i++)
		are_moving(2);
}

/* A process goes on in 32-bit code whose last instruction exits: EIP wraps. */
static void wrap(void *argument)
{
	static const struct __attribute__((packed)) {
		uint32_t offset;
		uint16_t selector;
	} target = { 0xfffffffe, SELECTOR_SPARE | 3 };

	(void)argument;
	asm volatile("xor %%eax, %%eax; xor %%ecx, %%ecx; ljmp *%0"
		     :
		     : "m"(target)
		     : "rax", "rcx");
}

void case_hostile_wrap(void)
{
	static const uint8_t cpuid_code[] = { 0x0f, 0xa2 };
	static const uint8_t return_code[] = { 0xcd, VECTOR_USER };
	volatile uint8_t *first = (volatile uint8_t *)4096;

	/* the compiler does not believe in memory at 0 */
	first -= 4096;
	gdt[SELECTOR_SPARE / 8] = USER_CODE32;
	page_directories[LAST_PAGE_INDEX] = SPARE_RAM | 0x87;
	write_cr3(read_cr3());
	memcpy((void *)(SPARE_RAM + LARGE_PAGE - sizeof(cpuid_code)),
	       cpuid_code, sizeof(cpuid_code));
	asm volatile("" : "+r"(first));
	for (unsigned int i = 0; i < sizeof(return_code); i++)
		first[i] = return_code[i];
	user_run(wrap, NULL);
}
