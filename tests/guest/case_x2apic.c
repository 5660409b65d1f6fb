/* The local APIC in x2APIC mode, where the machine's CPU may do much of its work:
 * nothing of that is to be seen. SDM 3A 11.12 "Extended XAPIC (x2APIC)". */
#include "tests/guest/guest.h"

#define LOW    0x41
#define HIGH   0x62
#define IRQ    5
#define EXTINT (0x20 + IRQ)

#define PIC	 0x20
#define LINES	 0x2000
#define MSR_SELF 0x83f
#define MSR_TMR	 0x818
#define MSR_IRR	 0x820
#define ICR_DEAD 0x500000000UL /* nobody's id */

/* ---- what the other cases check, once more */

#define AGAIN(name)                   \
	void case_x2apic_##name(void) \
	{                             \
		lapic_enter_x2apic(); \
		case_##name();        \
	}

AGAIN(lapic_tpr)
AGAIN(lapic_tpr_halt)
AGAIN(lapic_order)
AGAIN(lapic_merge)
AGAIN(lapic_esr)
AGAIN(lapic_disabled)
AGAIN(timer_one_shot)
AGAIN(timer_periodic)
AGAIN(timer_deadline)
AGAIN(ioapic_edge)
AGAIN(ioapic_level)
AGAIN(ioapic_two)
AGAIN(ioapic_no_broadcast)
AGAIN(pic_edge)
AGAIN(pic_level)
AGAIN(nmi_blocked)
AGAIN(nmi_unblocked_by_iret)
AGAIN(halt_nmi)
AGAIN(halt_two_vectors)
AGAIN(halt_user)

/* ---- registers */

/* What was written is read, whoever answers. */
void case_x2apic_read_back(void)
{
	static const struct {
		uint32_t msr;
		uint64_t value;
	} rows[] = {
		{ 0x80f, 0x11ff },
		{ 0x832, 0x20041 },
		{ 0x833, 0x10042 },
		{ 0x834, 0x10443 },
		{ 0x835, 0x10700 },
		{ 0x836, 0x10400 },
		{ 0x837, 0x44 },
		{ 0x838, 0 },
		{ 0x83e, 9 },
		{ 0x808, 0x34 },
		{ 0x830, ICR_DEAD | 0x4041 },
	};

	lapic_enter_x2apic();
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		wrmsr(rows[i].msr, rows[i].value);
		CHECK_EQ(rdmsr(rows[i].msr), rows[i].value);
	}
	CHECK_EQ(rdmsr(0x80a), 0x34); /* PPR */
	CHECK_EQ(read_cr8(), 3);
	wrmsr(0x80f, 0xfe); /* masks all entries */
	CHECK_EQ(rdmsr(0x837), LVT_MASKED | 0x44);
	for (uint32_t i = 0; i < 8; i++)
		CHECK_EQ(rdmsr(0x810 + i) | rdmsr(MSR_TMR + i) |
				 rdmsr(MSR_IRR + i),
			 0);
}

/* TMR is set for a level until an edge comes. */
void case_x2apic_tmr(void)
{
	lapic_enter_x2apic();
	case_ioapic_level();
	CHECK(lapic_has(LAPIC_TMR, 0x71));
	count_vector(0x71);
	lapic_send(0, ICR_ASSERT | 0x71);
	let_in();
	CHECK_EQ(counts[0x71], 1);
	CHECK(!lapic_has(LAPIC_TMR, 0x71));
}

/* ---- vectors */

/* An interrupt that came in xAPIC mode ends in x2APIC mode. */
static void on_switch(struct trap_frame *frame)
{
	(void)frame;
	counts[LOW]++;
	lapic_send(0, ICR_SELF | ICR_ASSERT | (LOW + 1));
	lapic_enter_x2apic();
	CHECK(lapic_has(LAPIC_ISR, LOW));
	CHECK(lapic_has(LAPIC_IRR, LOW + 1));
	let_in();
	CHECK_EQ(counts[LOW + 1], 0);
	lapic_eoi();
	CHECK(!lapic_has(LAPIC_ISR, LOW));
}

void case_x2apic_switch_in_service(void)
{
	trap_set_handler(LOW, on_switch);
	count_vector(LOW + 1);
	lapic_send(0, ICR_SELF | ICR_ASSERT | LOW);
	let_in();
	CHECK_EQ(counts[LOW], 1);
	CHECK_EQ(counts[LOW + 1], 1);
}

/* Off with vectors in service and waiting, and on again: all forgotten. */
static void on_off(struct trap_frame *frame)
{
	uint64_t base = rdmsr(MSR_IA32_APIC_BASE);

	(void)frame;
	counts[HIGH]++;
	wrmsr(MSR_SELF, LOW);
	wrmsr(MSR_IA32_APIC_BASE, base & ~(BIT(10) | BIT(11)));
	wrmsr(MSR_IA32_APIC_BASE, (base & ~BIT(10)) | BIT(11));
	lapic_init();
}

void case_x2apic_off(void)
{
	trap_set_handler(HIGH, on_off);
	count_vector(LOW);
	for (uint32_t i = 1; i <= 20; i++) {
		lapic_enter_x2apic();
		wrmsr(MSR_SELF, HIGH);
		let_in();
		CHECK_EQ(counts[HIGH], i);
		let_in();
		CHECK_EQ(counts[LOW], 0);
		CHECK(!lapic_is_x2apic());
		CHECK(!lapic_has(LAPIC_ISR, HIGH));
		CHECK(!lapic_has(LAPIC_IRR, LOW));
	}
}

/* Behind STI and MOV SS nothing comes in; HLT behind STI does not sleep. */
void case_x2apic_shadow(void)
{
	lapic_enter_x2apic();
	count_vector(LOW);
	for (uint32_t i = 1; i <= 200; i++) {
		uint32_t within;

		wrmsr(MSR_SELF, LOW);
		asm volatile("sti\n"
			     "mov %1, %0\n"
			     "nop\n"
			     "cli"
			     : "=&r"(within)
			     : "m"(counts[LOW])
			     : "memory");
		CHECK_EQ(within, i - 1);
		CHECK_EQ(counts[LOW], i);
		wrmsr(MSR_SELF, LOW);
		sti_hlt_cli();
		CHECK_EQ(counts[LOW], i + 1);
		counts[LOW] = i;
	}
}

/* ---- the 8259's interrupts, NMIs and vectors at a time */

static void on_extint(struct trap_frame *frame)
{
	(void)frame;
	counts[EXTINT]++;
	out8(PIC, 0x20);
}

void case_x2apic_all_at_once(void)
{
	lapic_enter_x2apic();
	case_pic_mask(); /* sets the 8259s up */
	out8(PIC, 0x11);
	out8(PIC + 1, 0x20);
	out8(PIC + 1, 4);
	out8(PIC + 1, 1);
	out8(PIC + 1, (uint8_t)~BIT(IRQ));
	lapic_write(LAPIC_LVT_LINT0, 0x700);
	trap_set_handler(EXTINT, on_extint);
	trap_set_handler(VECTOR_NMI, count_handler);
	count_vector(LOW);
	count_vector(HIGH);
	counts[EXTINT] = counts[VECTOR_NMI] = 0;
	for (uint32_t i = 1; i <= 100; i++) {
		wrmsr(MSR_SELF, LOW);
		out8(LINES + IRQ, 1);
		lapic_send(0, ICR_NMI | ICR_ASSERT);
		wrmsr(MSR_SELF, HIGH);
		WAIT_FOR(counts[VECTOR_NMI] == i);
		sti();
		WAIT_FOR(counts[LOW] == i && counts[HIGH] == i &&
			 counts[EXTINT] == i);
		cli();
		out8(LINES + IRQ, 0);
	}
	CHECK_EQ(rdmsr(0x80a), 0);
}

/* INIT takes away what is in service; the CPU starts anew in x2APIC mode. */
static volatile uint32_t is_inside;

static void stay(struct trap_frame *frame)
{
	(void)frame;
	is_inside = 1;
	for (;;)
		pause();
}

static void be_interrupted(void *argument)
{
	(void)argument;
	if (!lapic_is_x2apic())
		lapic_enter_x2apic();
	lapic_write(LAPIC_SVR, 0x1ff);
	wrmsr(MSR_SELF, LOW);
	wrmsr(MSR_SELF, HIGH);
	sti();
	for (;;)
		pause();
}

static void look(void *argument)
{
	uint32_t *left = argument;

	*left = 0;
	for (uint32_t i = 0; i < 8; i++)
		*left |= (uint32_t)(rdmsr(0x810 + i) | rdmsr(MSR_IRR + i));
	*left |= !lapic_is_x2apic();
}

void case_x2apic_init(void)
{
	uint32_t left = ~0U;

	trap_set_handler(HIGH, stay);
	smp_start();
	for (int i = 0; i < 3; i++) {
		is_inside = 0;
		smp_begin(1, be_interrupted, NULL);
		WAIT_FOR(is_inside);
		lapic_send(1, ICR_INIT | ICR_ASSERT);
		delay_us(10000);
		smp_restart(1);
		smp_call(1, look, &left);
		CHECK_EQ(left, 0);
	}
}
