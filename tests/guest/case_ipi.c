/* Interrupts between CPUs. SDM 3A 11.6 "Issuing Interprocessor Interrupts". */
#include "tests/guest/guest.h"

#define VECTOR 0x61

static volatile uint32_t received[CPUS_MAX];
static volatile bool is_over_now;
static volatile uint32_t listeners;

static void receive(struct trap_frame *frame)
{
	(void)frame;
	__atomic_fetch_add(&received[cpu_number()], 1, __ATOMIC_SEQ_CST);
	lapic_eoi();
}

static void listen(void *argument)
{
	void (*prepare)(void) = (void (*)(void))argument;

	if (prepare)
		prepare();
	__atomic_fetch_add(&listeners, 1, __ATOMIC_SEQ_CST);
	sti();
	while (!is_over_now)
		pause();
	cli();
}

static void start(void (*prepare)(void))
{
	trap_set_handler(VECTOR, receive);
	smp_start();
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_begin(i, listen, (void *)prepare);
	if (prepare)
		prepare();
	WAIT_FOR(listeners == case_vcpus - 1);
}

/* Received by exactly the CPUs of @mask, once each. */
static void check(uint32_t mask)
{
	sti();
	for (uint32_t i = 0; i < case_vcpus; i++)
		WAIT_FOR(received[i] >= (mask >> i & 1));
	delay_us(5000);
	cli();
	for (uint32_t i = 0; i < case_vcpus; i++) {
		CHECK_EQ(received[i], mask >> i & 1);
		received[i] = 0;
	}
}

static void finish(void)
{
	is_over_now = true;
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_wait(i);
}

static void check_shorthands(void)
{
	for (uint32_t i = 0; i < case_vcpus; i++) {
		lapic_send(i, ICR_ASSERT | VECTOR);
		check(1U << i);
	}
	lapic_send(0, ICR_SELF | ICR_ASSERT | VECTOR);
	check(1);
	lapic_send(0, ICR_ALL | ICR_ASSERT | VECTOR);
	check(0xf);
	lapic_send(0, ICR_OTHERS | ICR_ASSERT | VECTOR);
	check(0xe);
}

void case_ipi_physical(void)
{
	start(NULL);
	check_shorthands();
	lapic_send(0xff, ICR_ASSERT | VECTOR); /* broadcast */
	check(0xf);
	lapic_send(0x20, ICR_ASSERT | VECTOR); /* nobody */
	check(0);
	finish();
}

void case_ipi_x2apic(void)
{
	start(lapic_enter_x2apic);
	check_shorthands();
	lapic_send(0xffffffff, ICR_ASSERT | VECTOR);
	check(0xf);
	lapic_send(0xff, ICR_ASSERT | VECTOR); /* nobody: it is an id here */
	check(0);
	lapic_send(0x5, ICR_LOGICAL | ICR_ASSERT | VECTOR); /* 0 and 2 */
	check(0x5);
	lapic_send(0x10005, ICR_LOGICAL | ICR_ASSERT | VECTOR); /* cluster 1 */
	check(0);
	finish();
}

static void set_flat(void)
{
	lapic_write(LAPIC_DFR, 0xffffffff);
	lapic_write(LAPIC_LDR, 1U << (24 + cpu_number()));
}

void case_ipi_logical_flat(void)
{
	start(set_flat);
	for (uint32_t mask = 0; mask < 16; mask++) {
		lapic_send(mask, ICR_LOGICAL | ICR_ASSERT | VECTOR);
		check(mask);
	}
	finish();
}

/* Two clusters of two. */
static void set_cluster(void)
{
	uint32_t number = cpu_number();

	lapic_write(LAPIC_DFR, 0x0fffffff);
	lapic_write(LAPIC_LDR, (number / 2) << 28 | 1U << (24 + number % 2));
}

void case_ipi_logical_cluster(void)
{
	start(set_cluster);
	lapic_send(0x01, ICR_LOGICAL | ICR_ASSERT | VECTOR);
	check(0x1);
	lapic_send(0x03, ICR_LOGICAL | ICR_ASSERT | VECTOR);
	check(0x3);
	lapic_send(0x12, ICR_LOGICAL | ICR_ASSERT | VECTOR);
	check(0x8);
	lapic_send(0x13, ICR_LOGICAL | ICR_ASSERT | VECTOR);
	check(0xc);
	lapic_send(0x2f, ICR_LOGICAL | ICR_ASSERT | VECTOR);
	check(0);
	finish();
}

/* One of those that are named, and only one. */
void case_ipi_lowest(void)
{
	uint32_t sum;

	start(set_flat);
	for (int i = 0; i < 20; i++) {
		lapic_send(0xe, ICR_LOWEST | ICR_LOGICAL | ICR_ASSERT | VECTOR);
		WAIT_FOR(received[1] + received[2] + received[3] != 0);
		delay_us(2000);
		sum = received[0] + received[1] + received[2] + received[3];
		CHECK_EQ(sum, 1);
		for (uint32_t j = 0; j < 4; j++)
			received[j] = 0;
	}
	finish();
}

static void write_pattern(void *argument)
{
	*(volatile uint32_t *)argument = 0x600d;
}

/* INIT stops a CPU wherever it is; start-up IPIs start it anew. */
void case_ipi_init_again(void)
{
	uint32_t word = 0;

	smp_start();
	for (int i = 0; i < 3; i++) {
		word = 0;
		is_over_now = false;
		smp_begin(1, listen, NULL);
		delay_us(1000);
		lapic_send(1, ICR_INIT | ICR_ASSERT);
		delay_us(10000);
		smp_restart(1);
		smp_call(1, write_pattern, &word);
		CHECK_EQ(word, 0x600d);
	}
}

static void ping(void *argument)
{
	uint32_t from = cpu_number(), next = (from + 1) % case_vcpus;

	(void)argument;
	sti();
	for (uint32_t i = 1; i <= 500; i++) {
		lapic_send(next, ICR_ASSERT | VECTOR);
		/* two at a time would be one */
		WAIT_FOR(received[next] >= i);
	}
	WAIT_FOR(received[from] == 500);
	cli();
}

/* Every CPU sends to its neighbour, all at a time: none is lost. */
void case_ipi_ring(void)
{
	trap_set_handler(VECTOR, receive);
	smp_start();
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_begin(i, ping, NULL);
	ping(NULL);
	for (uint32_t i = 1; i < case_vcpus; i++)
		smp_wait(i);
}
