/* Non-maskable interrupts. SDM 3A 6.7 "Nonmaskable Interrupt (NMI)". */
#include "tests/guest/guest.h"

static volatile uint32_t count, depth, depth_max, wanted;
static volatile bool is_over_now;

static void send_nmi(uint32_t to)
{
	lapic_send(to, ICR_NMI | ICR_ASSERT);
}

/* Sends @wanted more while NMIs are blocked. */
static void on_nmi(struct trap_frame *frame)
{
	uint32_t more = wanted;

	(void)frame;
	depth++;
	if (depth > depth_max)
		depth_max = depth;
	wanted = 0;
	for (uint32_t i = 0; i < more; i++)
		send_nmi(cpu_number());
	for (int i = 0; i < 100; i++)
		cpuid(0, 0); /* exits, at which it must not come in */
	count++;
	depth--;
}

static void start(uint32_t more)
{
	count = depth = depth_max = 0;
	wanted = more;
	trap_set_handler(VECTOR_NMI, on_nmi);
}

/* With interrupts off. */
void case_nmi_self(void)
{
	start(0);
	for (uint32_t i = 1; i <= 200; i++) {
		send_nmi(0);
		WAIT_FOR(count == i);
	}
	CHECK_EQ(depth_max, 1);
}

void case_nmi_self_x2apic(void)
{
	lapic_enter_x2apic();
	case_nmi_self();
}

/* Blocked until IRET, and then delivered. */
void case_nmi_blocked(void)
{
	for (int i = 0; i < 50; i++) {
		start(1);
		send_nmi(0);
		WAIT_FOR(count == 2);
		CHECK_EQ(depth_max, 1);
	}
}

/* Only one waits. */
void case_nmi_collapse(void)
{
	start(3);
	send_nmi(0);
	WAIT_FOR(count == 2);
	delay_us(10000);
	CHECK_EQ(count, 2);
	CHECK_EQ(depth_max, 1);
}

static void on_nmi_with_iret(struct trap_frame *frame)
{
	uint32_t before;

	(void)frame;
	depth++;
	if (depth > depth_max)
		depth_max = depth;
	count++;
	if (depth == 1) {
		send_nmi(0);
		before = count;
		asm volatile("int $0x41"); /* its IRET ends the block */
		for (int i = 0; i < 100; i++)
			cpuid(0, 0);
		CHECK_EQ(count, before + 1);
	}
	depth--;
}

static void nothing(struct trap_frame *frame)
{
	(void)frame;
}

void case_nmi_unblocked_by_iret(void)
{
	start(0);
	trap_set_handler(VECTOR_NMI, on_nmi_with_iret);
	trap_set_handler(0x41, nothing);
	send_nmi(0);
	WAIT_FOR(count == 2);
	CHECK_EQ(depth_max, 2);
}

/* Sent by the instruction that stands in the shadow of STI, of MOV SS. */
void case_nmi_shadow(void)
{
	uint32_t icr = ICR_NMI | ICR_ASSERT;
	volatile uint32_t *low = (volatile uint32_t *)(LAPIC_BASE + LAPIC_ICR);

	start(0);
	mmio_put32(LAPIC_BASE + LAPIC_ICR_HIGH, 0);
	for (uint32_t i = 1; i <= 100; i++) {
		asm volatile("sti; mov %1, %0; nop; cli"
			     : "=m"(*low)
			     : "r"(icr));
		WAIT_FOR(count == 2 * i - 1);
		asm volatile("mov %%ss, %%eax; mov %%eax, %%ss; mov %1, %0"
			     : "=m"(*low)
			     : "r"(icr)
			     : "rax");
		WAIT_FOR(count == 2 * i);
	}
}

static void spin_until(void *argument)
{
	WAIT_FOR(count == (uint32_t)(uint64_t)argument);
}

void case_nmi_other(void)
{
	start(0);
	smp_start();
	smp_begin(1, spin_until, (void *)1);
	delay_us(1000);
	send_nmi(1);
	smp_wait(1);
	CHECK_EQ(count, 1);
}

static void spin_with_exits(void *argument)
{
	(void)argument;
	while (!is_over_now)
		cpuid(0, 0);
}

/* Never two at a time, and the last one sent is not lost. */
void case_nmi_many(void)
{
	uint32_t before;

	start(0);
	smp_start();
	smp_begin(1, spin_with_exits, NULL);
	for (int i = 0; i < 500; i++)
		send_nmi(1);
	delay_us(10000);
	before = count;
	send_nmi(1);
	WAIT_FOR(count > before);
	CHECK_EQ(depth_max, 1);
	is_over_now = true;
	smp_wait(1);
}

static void halt_once(void *argument)
{
	(void)argument;
	asm volatile("hlt" : : : "memory"); /* interrupts are off */
}

/* Some may come before the HLT: the next one ends it. */
void case_nmi_halt(void)
{
	uint32_t before;

	start(0);
	smp_start();
	for (int i = 0; i < 20; i++) {
		before = count;
		smp_begin(1, halt_once, NULL);
		while (smp_is_running(1)) {
			delay_us(1000);
			send_nmi(1);
		}
		CHECK(count > before);
	}
}
