/* The machine's console, shared by VMs. */
#include "kernel/vm_console.h"

#include "drivers/pc/pc.h"
#include "kernel/log.h"

#define KEY_NEXT 0x1d /* Ctrl-] */

/* VMs in the order they were opened; the first one has the focus. It is held
 * while typed characters are handed to the VM, so that the VM stays; therefore
 * it comes before vm->lock. */
static struct spinlock list_lock = SPINLOCK_INIT(LOCK_RANK_VM_LIST);
static struct list vms = LIST_INIT(vms); /* [list_lock] */

/* Of every VM's line, and of focus below. Comes after vm->lock. */
static struct spinlock output_lock = SPINLOCK_INIT(LOCK_RANK_CONSOLE);
static struct vm *focus; /* [output_lock] vms.next; NULL: no VM */

static void set_focus(void)
{
	struct vm *vm = list_is_empty(&vms)
				? NULL
				: LIST_ENTRY(vms.next, struct vm, link);

	spin_lock(&output_lock);
	focus = vm;
	spin_unlock(&output_lock);
}

void vm_console_open(struct vm *vm)
{
	spin_lock(&list_lock);
	list_push_back(&vms, &vm->link);
	set_focus();
	spin_unlock(&list_lock);
}

void vm_console_close(struct vm *vm)
{
	spin_lock(&list_lock);
	list_remove(&vm->link);
	set_focus();
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

void vm_console_write(struct vm *vm, const char *data, uint32_t size)
{
	spin_lock(&output_lock);
	if (vm == focus) {
		log_console_raw(data, size);
	} else {
		for (uint32_t i = 0; i < size; i++)
			add_to_line(vm, data[i]);
	}
	spin_unlock(&output_lock);
}

void vm_console_flush(struct vm *vm)
{
	spin_lock(&output_lock);
	if (vm->line.size)
		show_line(vm);
	spin_unlock(&output_lock);
}

static void next_focus(void)
{
	spin_lock(&list_lock);
	if (!list_is_empty(&vms)) {
		list_push_back(&vms, list_pop_front(&vms));
		set_focus();
		log_announce("basalt: console: vm %s", focus->name);
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
