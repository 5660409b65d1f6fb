/* Self-tests that must end in a panic; whoever asked for one looks at it. */
#include "kernel/selftest_panic.h"

#include "kernel/cpu/percpu.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/spinlock.h"
#include "kernel/lib/string.h"
#include "kernel/smp.h"
#include "kernel/lib/stop.h"
#include "mm/heap.h"

static void test_panic(void)
{
	panic("on request, %d", 42);
}

static void test_null(void)
{
	*(volatile uint32_t *)(uint64_t)cpu_number() = 1;
}

/* Far deeper than any stack; the bound only tells the compiler that it ends. */
static uint32_t overflow_stack(uint32_t depth)
{
	volatile uint32_t frame[32];

	frame[depth % 32] = depth;
	if (depth == 1000000)
		return 0;
	return overflow_stack(depth + 1) + frame[0];
}

static void test_stack_overflow(void)
{
	overflow_stack(0);
}

static void smash(volatile char *buffer, size_t size)
{
	for (size_t i = 0; i < size; i++)
		buffer[i] = (char)0xff;
}

static void test_canary(void)
{
	char buffer[32];

	smash(buffer, 40); /* the buffer and the canary above it */
}

static void test_write_text(void)
{
	*(volatile char *)(uint64_t)test_panic = 0;
}

static void test_execute_data(void)
{
	static char ret[1] = { (char)0xc3 };

	((void (*)(void))(uint64_t)ret)();
}

static struct spinlock outer = SPINLOCK_INIT(LOCK_RANK_LOG);
static struct spinlock inner = SPINLOCK_INIT(LOCK_RANK_HEAP);

static void test_lock_rank(void)
{
	spin_lock(&outer);
	spin_lock(&inner);
}

static void test_double_free(void)
{
	void *object = heap_alloc(100);

	heap_free(object);
	heap_free(object);
}

static void panic_here(void *argument)
{
	(void)argument;
	panic("on cpu %u", cpu_number());
}

static void test_panic_elsewhere(void)
{
	smp_call(smp_cpu_limit() - 1, panic_here, NULL);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "panic", test_panic },
	{ "null", test_null },
	{ "stack-overflow", test_stack_overflow },
	{ "canary", test_canary },
	{ "write-text", test_write_text },
	{ "execute-data", test_execute_data },
	{ "lock-rank", test_lock_rank },
	{ "double-free", test_double_free },
	{ "panic-elsewhere", test_panic_elsewhere },
};

void selftest_panic(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		if (strcmp(tests[i].name, name) == 0) {
			tests[i].run();
			stop("selftest %s: no panic", name);
		}
	}
}
