/* Debug builds: the locks this CPU holds, and a panic for taking one out of
 * order. */
#include "kernel/cpu/percpu.h"
#include "kernel/lib/panic.h"
#include "kernel/lib/spinlock.h"

#define HELD_MAX 8

struct held_locks {
	uint32_t count;
	const struct spinlock *locks[HELD_MAX];
};

static PERCPU struct held_locks held;

void lock_rank_enter(const struct spinlock *lock)
{
	struct held_locks *own = this_cpu(held);

	if (own->count == HELD_MAX)
		panic("lock rank: %u locks held", own->count);
	if (own->count && own->locks[own->count - 1]->rank >= lock->rank)
		panic("lock rank: %u taken while holding %u", lock->rank,
		      own->locks[own->count - 1]->rank);
	own->locks[own->count++] = lock;
}

/* Locks may be let go in any order. */
void lock_rank_leave(const struct spinlock *lock)
{
	struct held_locks *own = this_cpu(held);
	uint32_t i = own->count;

	while (i > 0 && own->locks[i - 1] != lock)
		i--;
	if (i == 0)
		panic("lock rank: %u let go but not held", lock->rank);
	for (; i < own->count; i++)
		own->locks[i - 1] = own->locks[i];
	own->count--;
}

void lock_rank_check_none(void)
{
	const struct held_locks *own = this_cpu(held);

	if (own->count)
		panic("lock rank: waiting while holding %u",
		      own->locks[own->count - 1]->rank);
}
