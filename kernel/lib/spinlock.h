/*
 * Ticket spinlocks. [pure]
 *
 * Interrupts are off in hypervisor code, so a lock needs no interrupt-saving
 * form. Debug builds check that locks are taken in rising rank and that nobody
 * waits for another CPU with a lock held; the order is this enum.
 */
#ifndef KERNEL_LIB_SPINLOCK_H
#define KERNEL_LIB_SPINLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum lock_rank {
	LOCK_RANK_VM_LIST = 1,
	LOCK_RANK_VM,
	LOCK_RANK_SWITCH,
	LOCK_RANK_PORT,
	LOCK_RANK_BLOCK,
	LOCK_RANK_GUEST_MEM,
	LOCK_RANK_CONSOLE,
	LOCK_RANK_RUN_QUEUE,
	LOCK_RANK_STACKS,
	LOCK_RANK_HEAP,
	LOCK_RANK_POOL,
	LOCK_RANK_CHUNKS,
	LOCK_RANK_HOST_MAP,
	LOCK_RANK_FRAMES,
	LOCK_RANK_LOG,
};

struct spinlock {
	uint16_t next;	/* ticket the next comer draws */
	uint16_t owner; /* ticket that holds the lock */
	uint16_t rank;	/* enum lock_rank */
};

#define SPINLOCK_INIT(rank)  \
	{                    \
		0, 0, (rank) \
	}

#ifdef DEBUG
/* In kernel/lock_rank.c: panic if @lock breaks the order on this CPU. */
void lock_rank_enter(const struct spinlock *lock);
void lock_rank_leave(const struct spinlock *lock);
void lock_rank_check_none(void);
#else
static inline void lock_rank_enter(const struct spinlock *lock)
{
	(void)lock;
}
static inline void lock_rank_leave(const struct spinlock *lock)
{
	(void)lock;
}
static inline void lock_rank_check_none(void)
{
}
#endif

static inline void spin_lock(struct spinlock *lock)
{
	uint16_t ticket;

	lock_rank_enter(lock);
	ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);
	/* acquire: pairs with the release in spin_unlock */
	while (__atomic_load_n(&lock->owner, __ATOMIC_ACQUIRE) != ticket)
		__builtin_ia32_pause();
}

static inline void spin_unlock(struct spinlock *lock)
{
	/* only the holder writes owner, so a plain read of it is enough */
	__atomic_store_n(&lock->owner, (uint16_t)(lock->owner + 1),
			 __ATOMIC_RELEASE);
	lock_rank_leave(lock);
}

#endif
