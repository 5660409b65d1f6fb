/*
 * Tests that need the machine, by name: `selftest=NAME` on the command line of a
 * debug build. A test that returns has passed; one that fails panics.
 */
#include "kernel/selftest.h"

#include "kernel/cpu/percpu.h"
#include "kernel/cpu/time.h"
#include "kernel/lib/bits.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "kernel/selftest_panic.h"
#include "kernel/smp.h"
#include "kernel/lib/stop.h"
#include "kernel/thread.h"
#include "kernel/timer.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/host_audit.h"
#include "mm/phys.h"

#define ROUNDS	1000U
#define WORKERS 64U
#define IDLE_NS (2 * NS_PER_SEC)
/* Tickets of a lock are slow to pass where many emulated CPUs share a real one. */
#define RUN_BOUND (200 * NS_PER_SEC)

static uint32_t counter; /* atomic */

static uint32_t count(void)
{
	return __atomic_load_n(&counter, __ATOMIC_ACQUIRE);
}

/* Sleep until @counter is @target; a lost wake-up or call ends here. */
static void wait_for_count(uint32_t target)
{
	uint64_t bound = time_now() + RUN_BOUND;

	while (count() != target) {
		if (time_now() > bound)
			panic("counter is %u, expected %u", count(), target);
		thread_sleep_until(time_now() + NS_PER_MS);
	}
}

/* ---- threads: ping-pong between every pair of neighbours, all at once ---- */

/* Two threads that pass a ball; the ball's number says whose turn it is. */
struct game {
	uint32_t ball; /* atomic */
	struct thread *players[2];
};

struct player {
	struct game *game;
	uint32_t side;
};

static bool may_end; /* atomic: nobody will unpark a player any more */

static void wait_for_ball(struct game *game, uint32_t ball)
{
	while (__atomic_load_n(&game->ball, __ATOMIC_ACQUIRE) != ball)
		thread_park();
}

static void play(void *argument)
{
	struct player *player = argument;
	struct game *game = player->game;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		wait_for_ball(game, 2 * i + player->side);
		__atomic_fetch_add(&game->ball, 1, __ATOMIC_RELEASE);
		thread_unpark(game->players[1 - player->side]);
	}
	__atomic_fetch_add(&counter, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&may_end, __ATOMIC_ACQUIRE))
		thread_park();
}

/* Nobody plays before both are known: the first ball is thrown by start_games. */
static void make_players(struct game *game, struct player *players,
			 uint32_t cpu, uint32_t other_cpu)
{
	game->ball = UINT32_MAX;
	for (uint32_t side = 0; side < 2; side++) {
		players[side] = (struct player){ game, side };
		game->players[side] = thread_create(side ? other_cpu : cpu,
						    play, &players[side],
						    "player/%u.%u", cpu, side);
		CHECK(game->players[side]);
	}
}

static void start_games(struct game *games, uint32_t game_count)
{
	for (uint32_t i = 0; i < game_count; i++) {
		__atomic_store_n(&games[i].ball, 0, __ATOMIC_RELEASE);
		thread_unpark(games[i].players[0]);
	}
}

static void end_games(struct game *games, uint32_t game_count, uint64_t threads)
{
	uint64_t bound = time_now() + RUN_BOUND;

	__atomic_store_n(&may_end, true, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < 2 * game_count; i++)
		thread_unpark(games[i / 2].players[i % 2]);
	while (thread_count() != threads) {
		CHECK(time_now() < bound);
		thread_sleep_until(time_now() + NS_PER_MS);
	}
}

static void test_threads(void)
{
	uint32_t limit = smp_cpu_limit(), games_made = 0;
	struct game *games = heap_alloc(limit * sizeof(*games));
	struct player *players = heap_alloc(2 * limit * sizeof(*players));
	uint64_t threads = thread_count();

	CHECK(games && players);
	for (uint32_t cpu = 0; cpu < limit; cpu++) {
		uint32_t next = (cpu + 1) % limit;

		if (smp_is_running(cpu) && smp_is_running(next)) {
			make_players(&games[games_made],
				     &players[2 * games_made], cpu, next);
			games_made++;
		}
	}
	start_games(games, games_made);
	wait_for_count(2 * games_made);
	end_games(games, games_made, threads);
	heap_free(players);
	heap_free(games);
}

/* ---- calls: from every CPU to every CPU, and broadcasts that cross ---- */

static void bump(void *argument)
{
	(void)argument;
	__atomic_fetch_add(&counter, 1, __ATOMIC_RELEASE);
}

static void call_everybody(void *argument)
{
	(void)argument;
	for (uint32_t i = 0; i < 20; i++) {
		for (uint32_t cpu = 0; cpu < smp_cpu_limit(); cpu++) {
			if (smp_is_running(cpu))
				smp_call(cpu, bump, NULL);
		}
		smp_call_all(bump, NULL);
		thread_window();
	}
}

static void test_calls(void)
{
	uint32_t cpus = smp_cpu_count();

	for (uint32_t cpu = 0; cpu < smp_cpu_limit(); cpu++) {
		if (smp_is_running(cpu))
			CHECK(thread_create(cpu, call_everybody, NULL,
					    "caller/%u", cpu));
	}
	wait_for_count(40 * cpus * cpus);
}

/* ---- timers: many sleepers a CPU, nobody wakes early ---- */

static void sleep_often(void *argument)
{
	uint64_t seed = (uint64_t)argument;

	for (uint32_t i = 0; i < 20; i++) {
		uint64_t deadline = time_now() + (seed * 7919 + i * 104729) %
							 (5 * NS_PER_MS);

		thread_sleep_until(deadline);
		CHECK(time_now() >= deadline);
	}
	__atomic_fetch_add(&counter, 1, __ATOMIC_RELEASE);
}

static void test_timers(void)
{
	uint32_t started = 0;

	for (uint32_t i = 0; i < WORKERS; i++) {
		uint32_t cpu = i % smp_cpu_limit();

		if (!smp_is_running(cpu))
			continue;
		CHECK(thread_create(cpu, sleep_often, (void *)(uint64_t)i,
				    "sleeper/%u", i));
		started++;
	}
	wait_for_count(started);
}

/* ---- idle: nothing to do means no timer interrupt at all ---- */

static void test_idle(void)
{
	uint64_t before = 0, after = 0, own;

	for (uint32_t cpu = 1; cpu < smp_cpu_limit(); cpu++)
		before += smp_is_running(cpu) ? timer_interrupts(cpu) : 0;
	own = timer_interrupts(0);
	thread_sleep_until(time_now() + IDLE_NS);
	for (uint32_t cpu = 1; cpu < smp_cpu_limit(); cpu++)
		after += smp_is_running(cpu) ? timer_interrupts(cpu) : 0;
	CHECK(after == before);
	/* ours; and where the timer was calibrated a little fast, each remainder */
	CHECK(timer_interrupts(0) - own <= 8);
}

/* ---- memory: all CPUs allocate and free at once; nothing is lost ---- */

static void allocate_and_free(void *argument)
{
	uint64_t seed = (uint64_t)argument + 1;

	/* as much work in all, however many CPUs */
	for (uint32_t i = 0; i < ROUNDS / smp_cpu_count(); i++) {
		unsigned int order = (unsigned int)((seed + i) % 10);
		hpa_t frame = frame_alloc(order, cpu_node());
		char *object = heap_alloc(1 + (seed * 31 + i * 17) % 5000);

		CHECK(!hpa_equals(frame, HPA_NONE) && object);
		*(uint64_t *)phys_to_virt(frame) = seed;
		object[0] = 1;
		thread_yield();
		CHECK(*(uint64_t *)phys_to_virt(frame) == seed);
		heap_free(object);
		frame_free(frame, order);
	}
	__atomic_fetch_add(&counter, 1, __ATOMIC_RELEASE);
}

static void test_memory(void)
{
	uint64_t before = frame_stats(0).free, used = heap_used();
	uint32_t started = 0;

	for (uint32_t i = 0; i < 2 * smp_cpu_limit(); i++) {
		uint32_t cpu = i % smp_cpu_limit();

		if (!smp_is_running(cpu))
			continue;
		CHECK(thread_create(cpu, allocate_and_free, (void *)(uint64_t)i,
				    "eater/%u", i));
		started++;
	}
	wait_for_count(started);
	CHECK(heap_used() == used);
	/* what stays is bounded: kept slabs, recycled stacks */
	CHECK(before - frame_stats(0).free <= started * 64 * KIB + MIB);
}

static void test_address_space(void)
{
	host_audit();
}

static void test_clock(void)
{
	uint64_t last = time_now();

	CHECK(time_wall() > 946684800UL * NS_PER_SEC); /* 2000-01-01 */
	for (uint32_t i = 0; i < 100000; i++) {
		uint64_t now = time_now();

		CHECK(now >= last);
		last = now;
	}
}

/* ---- the table ---- */

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "threads", test_threads }, { "calls", test_calls },
	{ "timers", test_timers },   { "idle", test_idle },
	{ "memory", test_memory },   { "address-space", test_address_space },
	{ "clock", test_clock },
};

static void run(size_t index)
{
	__atomic_store_n(&counter, 0, __ATOMIC_RELEASE);
	tests[index].run();
	log_announce("selftest: %s passed", tests[index].name);
}

static void run_all(void *argument)
{
	(void)argument;
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		run(i);
	log_announce("selftest: all passed");
}

static void run_named(void *argument)
{
	const char *name = argument;

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		if (strcmp(tests[i].name, name) == 0) {
			run(i);
			return;
		}
	}
	selftest_panic(name);
	stop("selftest = \"%s\": there is no such self-test", name);
}

void selftest_start(const char *name)
{
	bool is_all = strcmp(name, "all") == 0;

	if (!name[0])
		return;
	if (!thread_create(0, is_all ? run_all : run_named, (void *)name,
			   "selftest"))
		stop("not enough memory for a self-test");
}
