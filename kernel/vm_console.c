/*
 * The machine's console, shared by VMs.
 *
 * A character takes 87 us on a serial line, and whoever writes one may hold
 * vm->lock. So writers only fill their VM's ring; one thread empties the rings,
 * a few characters of each VM in turn, and takes interrupts between.
 */
#include "kernel/vm_console.h"

#include "drivers/pc/pc.h"
#include "kernel/cpu/time.h"
#include "kernel/log.h"
#include "kernel/thread.h"

#define KEY_NEXT 0x1d /* Ctrl-] */

/* Characters shown at once: with interrupts off, and the log's lock held. The
 * UART takes in as many at the same time, and has room for twice that. */
#define TURN 8

/* VMs in the order they were opened; the first one has the focus. It is held
 * while a VM's characters are shown, or typed ones handed to it, so that the VM
 * stays; therefore it comes before vm->lock. It guards every VM's line, too. */
static struct spinlock list_lock = SPINLOCK_INIT(LOCK_RANK_VM_LIST);
static struct list vms = LIST_INIT(vms); /* [list_lock] */

/* Of every VM's output, but for its line. Comes after vm->lock; held for copies
 * of a few characters only. */
static struct spinlock ring_lock = SPINLOCK_INIT(LOCK_RANK_CONSOLE);
static struct list waiting = LIST_INIT(waiting); /* [ring_lock] vm_output */

static struct thread *shower; /* (a) NULL: none yet, or no memory for it */

static bool has_focus(const struct vm *vm)
{
	return vms.next == &vm->link;
}

static void show(void *unused);

static void start_shower(void)
{
	struct thread *thread;

	if (shower)
		return;
	thread = thread_create(0, show, NULL, "console output");
	if (!thread)
		log_error("console: no memory for a thread: what VMs write is "
			  "shown when they end");
	/* release: pairs with wake_shower */
	__atomic_store_n(&shower, thread, __ATOMIC_RELEASE);
}

void vm_console_open(struct vm *vm)
{
	start_shower();
	list_init(&vm->output.link);
	spin_lock(&list_lock);
	list_push_back(&vms, &vm->link);
	spin_unlock(&list_lock);
}

void vm_console_close(struct vm *vm)
{
	vm_console_flush(vm);
	spin_lock(&list_lock);
	list_remove(&vm->link);
	spin_unlock(&list_lock);
}

void vm_console_connect(struct vm *vm, bool is_connected)
{
	spin_lock(&list_lock);
	vm->has_input = is_connected;
	spin_unlock(&list_lock);
}

static void show_line(struct vm *vm)
{
	struct vm_line *line = &vm->line;

	log_console_line("[%s] %.*s", vm->name, (int)line->size, line->text);
	line->size = 0;
}

static void add_to_line(struct vm *vm, char c)
{
	struct vm_line *line = &vm->line;

	if (c == '\n') {
		show_line(vm);
		return;
	}
	if (c == '\r')
		return;
	line->text[line->size++] = c;
	if (line->size == VM_LINE_MAX)
		show_line(vm);
}

/* ---- writers ---- */

static void wake_shower(void)
{
	struct thread *thread = __atomic_load_n(&shower, __ATOMIC_ACQUIRE);

	if (thread)
		thread_unpark(thread);
}

void vm_console_write(struct vm *vm, const char *data, uint32_t size)
{
	struct vm_output *output = &vm->output;
	bool is_first;

	spin_lock(&ring_lock);
	is_first = list_is_empty(&waiting);
	output->lost += size - char_ring_put(&output->ring, data, size);
	if (list_is_empty(&output->link) && output->ring.count)
		list_push_back(&waiting, &output->link);
	spin_unlock(&ring_lock);
	if (is_first)
		wake_shower();
}

static bool has_room(const struct vm *vm)
{
	return char_ring_room(&vm->output.ring) >= VM_CONSOLE_ROOM;
}

bool vm_console_has_room(struct vm *vm)
{
	bool has;

	/* without a thread nobody would ever make room */
	if (has_room(vm) || !__atomic_load_n(&shower, __ATOMIC_RELAXED))
		return true;
	spin_lock(&ring_lock);
	has = has_room(vm);
	vm->output.is_awaited |= !has;
	spin_unlock(&ring_lock);
	return has;
}

void vm_console_wait(struct vm *vm)
{
	while (!vm_console_has_room(vm) &&
	       __atomic_load_n(&vm->end, __ATOMIC_RELAXED) == VM_END_NONE)
		thread_sleep_until(time_now() + NS_PER_MS);
}

/* ---- the thread ---- */

/* Some of what @vm wrote, out of the ring. Half a ring of room is enough to tell
 * a device that waits: its driver then has something to do for a while. */
static uint32_t take(struct vm *vm, char *text, bool *is_ready)
{
	struct vm_output *output = &vm->output;
	uint32_t size;

	spin_lock(&ring_lock);
	size = char_ring_take(&output->ring, text, TURN);
	list_remove(&output->link);
	if (output->ring.count)
		list_push_back(&waiting, &output->link);
	*is_ready = output->is_awaited &&
		    char_ring_room(&output->ring) >= CHAR_RING_SIZE / 2;
	if (*is_ready)
		output->is_awaited = false;
	spin_unlock(&ring_lock);
	return size;
}

/* Show some of @vm's, with list_lock held. False: there was none. */
static bool show_some(struct vm *vm)
{
	char text[TURN];
	bool is_ready;
	uint32_t size = take(vm, text, &is_ready);

	if (has_focus(vm)) {
		log_console_raw(text, size);
	} else {
		for (uint32_t i = 0; i < size; i++)
			add_to_line(vm, text[i]);
	}
	if (is_ready && vm->has_input)
		pc_console_ready(vm);
	return size;
}

/* Who waits longest. With list_lock held the VM stays: vm_console_close leaves
 * nothing in its ring. */
static struct vm *next_waiting(void)
{
	struct vm *vm = NULL;

	spin_lock(&ring_lock);
	if (!list_is_empty(&waiting))
		vm = LIST_ENTRY(waiting.next, struct vm, output.link);
	spin_unlock(&ring_lock);
	return vm;
}

static bool show_next(void)
{
	struct vm *vm;

	spin_lock(&list_lock);
	vm = next_waiting();
	if (vm)
		show_some(vm);
	spin_unlock(&list_lock);
	return vm;
}

static void show(void *unused)
{
	(void)unused;
	for (;;) {
		while (show_next())
			thread_window();
		thread_park();
	}
}

void vm_console_flush(struct vm *vm)
{
	bool is_more;

	do {
		spin_lock(&list_lock);
		is_more = show_some(vm);
		if (!is_more && vm->line.size)
			show_line(vm);
		spin_unlock(&list_lock);
		thread_window();
	} while (is_more);
	if (vm->output.lost)
		log_debug("vm %s: %lu characters of its console were lost",
			  vm->name, vm->output.lost);
	vm->output.lost = 0;
}

/* ---- what is typed ---- */

static void next_focus(void)
{
	spin_lock(&list_lock);
	if (!list_is_empty(&vms)) {
		list_push_back(&vms, list_pop_front(&vms));
		log_announce("basalt: console: vm %s",
			     LIST_ENTRY(vms.next, struct vm, link)->name);
	}
	spin_unlock(&list_lock);
}

static void hand_over(const char *data, uint32_t size)
{
	struct vm *vm;

	spin_lock(&list_lock);
	vm = LIST_ENTRY(vms.next, struct vm, link);
	if (!list_is_empty(&vms) && vm->has_input)
		pc_console_input(vm, data, size);
	spin_unlock(&list_lock);
}

void vm_console_type(const char *data, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++) {
		if (data[i] == KEY_NEXT)
			next_focus();
		else
			hand_over(&data[i], 1);
	}
}
