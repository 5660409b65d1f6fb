/* The other CPUs: started, then asleep until they have something to run. */
#include "tests/guest/guest.h"

struct cpu {
	uint32_t is_online;
	uint32_t is_asked;
	void (*function)(void *argument);
	void *argument;
};

extern char trampoline[], trampoline_end[];
void guest_main_ap(uint32_t number) __attribute__((noreturn));

static struct cpu cpus[CPUS_MAX];

static void wake(struct trap_frame *frame)
{
	(void)frame;
	lapic_eoi();
}

static void serve(struct cpu *cpu)
{
	if (!__atomic_load_n(&cpu->is_asked, __ATOMIC_ACQUIRE))
		return;
	cpu->function(cpu->argument);
	cli();
	__atomic_store_n(&cpu->is_asked, 0, __ATOMIC_RELEASE);
}

void guest_main_ap(uint32_t number)
{
	struct cpu *cpu = &cpus[number];

	trap_init_cpu(number);
	lapic_init();
	__atomic_store_n(&cpu->is_online, 1, __ATOMIC_RELEASE);
	for (;;) {
		serve(cpu);
		/* the interrupt that is missed here has to be its last */
		if (!__atomic_load_n(&cpu->is_asked, __ATOMIC_ACQUIRE))
			sti_hlt_cli();
	}
}

void smp_start(void)
{
	trap_set_handler(VECTOR_CALL, wake);
	memcpy((void *)TRAMPOLINE, trampoline,
	       (unsigned long)(trampoline_end - trampoline));
	lapic_send(0, ICR_INIT | ICR_ASSERT | ICR_OTHERS);
	delay_us(10000);
	for (int i = 0; i < 2; i++) {
		lapic_send(0, ICR_STARTUP | ICR_ASSERT | ICR_OTHERS |
				      TRAMPOLINE >> 12);
		delay_us(200);
	}
	for (uint32_t i = 1; i < case_vcpus; i++)
		WAIT_FOR(__atomic_load_n(&cpus[i].is_online, __ATOMIC_ACQUIRE));
}

void smp_restart_at(uint32_t number, uint8_t page)
{
	struct cpu *cpu = &cpus[number];

	cpu->is_asked = 0;
	__atomic_store_n(&cpu->is_online, 0, __ATOMIC_SEQ_CST);
	gdt[SELECTOR_TSS / 8 + number * 2] &= ~(2UL << 40); /* not busy */
	lapic_send(number, ICR_STARTUP | ICR_ASSERT | page);
	WAIT_FOR(__atomic_load_n(&cpu->is_online, __ATOMIC_ACQUIRE));
}

void smp_restart(uint32_t number)
{
	smp_restart_at(number, TRAMPOLINE >> 12);
}

void smp_begin(uint32_t number, void (*function)(void *argument),
	       void *argument)
{
	struct cpu *cpu = &cpus[number];

	cpu->function = function;
	cpu->argument = argument;
	__atomic_store_n(&cpu->is_asked, 1, __ATOMIC_SEQ_CST);
	lapic_send(number, ICR_ASSERT | VECTOR_CALL);
}

bool smp_is_running(uint32_t number)
{
	return __atomic_load_n(&cpus[number].is_asked, __ATOMIC_ACQUIRE);
}

void smp_wait(uint32_t number)
{
	WAIT_FOR(!smp_is_running(number));
}

void smp_call(uint32_t number, void (*function)(void *argument), void *argument)
{
	smp_begin(number, function, argument);
	smp_wait(number);
}
