/*
 * Starting the CPUs: INIT, then start-up IPIs to all at once (SDM 3A 9.4.4.1
 * "Typical BSP Initialization Sequence"; MP Initialization Protocol). They come
 * up in parallel through trampoline.asm, each finds its number by its APIC id.
 *
 *	ABSENT --boot CPU--> STARTING --the CPU itself--> RUNNING
 *	                        |  \--the CPU itself--> UNFIT
 *	                        +-----boot CPU, time over--> LEFT_OUT
 *
 * Both sides leave STARTING by compare-and-exchange, so a CPU that answers too
 * late finds LEFT_OUT and halts for ever. Its stack and the trampoline
 * therefore stay allocated.
 */
#include "kernel/smp.h"

#include "kernel/cpu/apic.h"
#include "kernel/cpu/cpu.h"
#include "kernel/cpu/descriptors.h"
#include "kernel/cpu/percpu.h"
#include "kernel/cpu/percpu_area.h"
#include "kernel/cpu/time.h"
#include "kernel/lib/log.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/spinlock.h"
#include "kernel/lib/string.h"
#include "kernel/thread.h"
#include "mm/frame.h"
#include "mm/host_space.h"
#include "mm/phys.h"
#include "mm/stack.h"

#define LOW_MEMORY_LIMIT 0xa0000UL
#define XAPIC_ID_LIMIT	 255U
#define INIT_DELAY_NS	 (10 * NS_PER_MS)  /* SDM 3A 9.4.4.1, step 15 */
#define SECOND_SIPI_NS	 (200 * NS_PER_US) /* the same */
/* No answer from anybody for so long means that the rest is dead. Emulated CPUs
 * on a loaded machine can take seconds. */
#define SILENCE_NS (8 * NS_PER_SEC)

enum cpu_state {
	CPU_ABSENT,
	CPU_STARTING,
	CPU_RUNNING,
	CPU_UNFIT,
	CPU_LEFT_OUT
};

/* What trampoline.asm looks up; `smp_stacks[i]` is the idle stack of the CPU
 * with APIC id `smp_apic_ids[i]`. */
uint32_t smp_apic_ids[CPUS_MAX];
void *smp_stacks[CPUS_MAX];
uint32_t smp_limit;
uint32_t smp_claimed
	[CPUS_MAX /
	 32]; /* by number: two CPUs of one id may not share a stack */

static uint32_t states[CPUS_MAX]; /* enum cpu_state; atomic */
static bool takes_nmi[CPUS_MAX];  /* atomic: its IDT is loaded */
static uint32_t running_count = 1;
static hpa_t low_memory = HPA_NONE;
/* trampoline.asm */
extern char trampoline_start[], trampoline_end[];
extern char trampoline_gdt[], trampoline_gdt_base[], trampoline_root[],
	trampoline_entry[], trampoline_long_mode[];

void smp_reserve(struct memmap *map)
{
	low_memory =
		memmap_take(map, 2 * PAGE_SIZE, PAGE_SIZE, LOW_MEMORY_LIMIT);
}

uint32_t smp_cpu_count(void)
{
	return running_count;
}

uint32_t smp_cpu_limit(void)
{
	return smp_limit ? smp_limit : 1;
}

bool smp_is_running(uint32_t cpu)
{
	return cpu == 0 ||
	       __atomic_load_n(&states[cpu], __ATOMIC_ACQUIRE) == CPU_RUNNING;
}

uint32_t smp_send_nmi_to_others(void)
{
	uint32_t self = cpu_number(), sent = 0;

	for (uint32_t cpu = 0; cpu < smp_limit; cpu++) {
		if (cpu == self ||
		    !__atomic_load_n(&takes_nmi[cpu], __ATOMIC_ACQUIRE))
			continue;
		apic_send_nmi(smp_apic_ids[cpu]);
		sent++;
	}
	return sent;
}

void smp_interrupt(uint32_t cpu, uint8_t vector)
{
	apic_send(smp_apic_ids[cpu], vector);
}

static bool leave_starting(uint32_t cpu, enum cpu_state to)
{
	uint32_t expected = CPU_STARTING;

	return __atomic_compare_exchange_n(&states[cpu], &expected, to, false,
					   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* Halt for good, and leave panic in no doubt about it. */
static _Noreturn void drop_out(uint32_t cpu)
{
	__atomic_store_n(&takes_nmi[cpu], false, __ATOMIC_RELEASE);
	x86_halt_forever();
}

void hv_main_ap(uint32_t cpu)
{
	percpu_area_use(cpu);
	if (__atomic_load_n(&states[cpu], __ATOMIC_ACQUIRE) != CPU_STARTING)
		x86_halt_forever(); /* given up already */
	descriptors_load();	    /* GDT, TSS, IDT */
	__atomic_store_n(&takes_nmi[cpu], true, __ATOMIC_RELEASE);
	if (cpu_missing_feature()) {
		leave_starting(cpu, CPU_UNFIT);
		drop_out(cpu);
	}
	cpu_init();	    /* control registers, NX, SMEP, SMAP */
	host_space_enter(); /* leave the trampoline's page tables */
	apic_init();
	time_init_cpu();
	if (thread_adopt_idle(smp_stacks[cpu]) ||
	    !leave_starting(cpu, CPU_RUNNING))
		drop_out(cpu);
	thread_idle();
}

/* The per-CPU area and stacks of CPU @cpu. */
static bool prepare(uint32_t cpu, const struct platform_cpu *from)
{
	uint64_t size = align_up(percpu_area_size(), PAGE_SIZE);
	unsigned int order = 0;
	hpa_t area;

	while ((PAGE_SIZE << order) < size)
		order++;
	area = frame_alloc_zeroed(order, from->node);
	smp_stacks[cpu] = stack_alloc(THREAD_STACK_PAGES);
	if (hpa_equals(area, HPA_NONE) || !smp_stacks[cpu])
		return false;
	percpu_area_init(phys_to_virt(area), cpu, from->node);
	smp_apic_ids[cpu] = from->apic_id;
	return smp_give_stacks(cpu);
}

bool smp_give_stacks(uint32_t cpu)
{
	for (enum interrupt_stack i = IST_NMI; i < IST_COUNT; i++) {
		void *top = stack_alloc(1);

		if (!top)
			return false;
		descriptors_set_stack(cpu, i, top);
	}
	return true;
}

/* Number the CPUs: the boot CPU is 0, the others follow in the order of
 * @platform. */
static void prepare_all(const struct platform *platform)
{
	smp_apic_ids[0] = apic_id();
	takes_nmi[0] = true;
	smp_limit = 1;
	for (uint32_t i = 0; i < platform->cpu_count; i++) {
		const struct platform_cpu *from = &platform->cpus[i];

		if (from->apic_id == smp_apic_ids[0])
			continue;
		if (!apic_is_x2apic() && from->apic_id >= XAPIC_ID_LIMIT) {
			log_warn("smp: CPU with APIC id %u left out: it needs "
				 "x2APIC",
				 from->apic_id);
			continue;
		}
		if (smp_limit == CPUS_MAX) {
			log_warn("smp: CPUs beyond %u left out", CPUS_MAX);
			return;
		}
		if (!prepare(smp_limit, from)) {
			log_warn("smp: no memory for CPU with APIC id %u",
				 from->apic_id);
			return;
		}
		states[smp_limit++] = CPU_STARTING;
	}
}

static void *in_trampoline(void *code, const char *symbol)
{
	return (char *)code + (symbol - trampoline_start);
}

static void set_word(void *code, const char *symbol, uint64_t value)
{
	uint32_t word = (uint32_t)value;

	memcpy(in_trampoline(code, symbol), &word, sizeof(word));
}

/*
 * The code page is written through a mapping that is gone before the page
 * becomes executable; its root maps that page at its own address and shares the
 * upper half with ours.
 */
static bool place_trampoline(void)
{
	hpa_t root = hpa_add(low_memory, PAGE_SIZE);
	void *code;

	if (hpa_equals(low_memory, HPA_NONE))
		return false;
	code = host_space_map_device(low_memory, PAGE_SIZE, PT_WRITE);
	if (!code || !host_space_copy_root(root, low_memory))
		return false;
	memcpy(code, trampoline_start,
	       (size_t)(trampoline_end - trampoline_start));
	set_word(code, trampoline_gdt_base,
		 low_memory.value +
			 (uint64_t)(trampoline_gdt - trampoline_start));
	set_word(code, trampoline_root, root.value);
	set_word(code, trampoline_entry,
		 low_memory.value +
			 (uint64_t)(trampoline_long_mode - trampoline_start));
	host_space_unmap_device(code, PAGE_SIZE);
	return true;
}

static uint32_t count_in_state(enum cpu_state state)
{
	uint32_t count = 0;

	for (uint32_t cpu = 1; cpu < smp_limit; cpu++)
		count += __atomic_load_n(&states[cpu], __ATOMIC_ACQUIRE) ==
			 state;
	return count;
}

static void send_startup(void)
{
	for (uint32_t cpu = 1; cpu < smp_limit; cpu++) {
		if (__atomic_load_n(&states[cpu], __ATOMIC_RELAXED) ==
		    CPU_STARTING)
			apic_send_startup(smp_apic_ids[cpu],
					  (uint8_t)(low_memory.value >>
						    PAGE_SHIFT));
	}
}

static void send_all(void)
{
	for (uint32_t cpu = 1; cpu < smp_limit; cpu++)
		apic_send_init(smp_apic_ids[cpu]);
	time_delay(INIT_DELAY_NS);
	send_startup();
	time_delay(SECOND_SIPI_NS);
	send_startup(); /* to those that have not answered yet: it does not harm
			   a CPU that runs */
}

/* Until nobody is missing, or nobody new has answered for SILENCE_NS. */
static void wait_for_all(void)
{
	uint32_t missing = count_in_state(CPU_STARTING);
	uint64_t last_answer = time_now();

	while (missing && time_now() - last_answer < SILENCE_NS) {
		uint32_t now_missing = count_in_state(CPU_STARTING);

		if (now_missing != missing)
			last_answer = time_now();
		missing = now_missing;
		x86_pause();
	}
}

static void report(uint32_t cpu)
{
	if (leave_starting(cpu, CPU_LEFT_OUT))
		log_warn("smp: CPU with APIC id %u did not answer",
			 smp_apic_ids[cpu]);
	else if (states[cpu] == CPU_UNFIT)
		log_warn("smp: CPU with APIC id %u left out: it lacks features "
			 "of the boot CPU",
			 smp_apic_ids[cpu]);
}

uint32_t smp_start(const struct platform *platform)
{
	prepare_all(platform);
	if (smp_limit == 1)
		return 1;
	if (!place_trampoline()) {
		log_warn("smp: no memory below 640 KiB to start other CPUs");
		return 1;
	}
	send_all();
	wait_for_all();
	for (uint32_t cpu = 1; cpu < smp_limit; cpu++)
		report(cpu);
	running_count = 1 + count_in_state(CPU_RUNNING);
	return running_count;
}
