/*
 * Memory operands: opened once, with every check; then read and written without
 * a fault, wherever they are: the local APIC's page, RAM, or a device.
 *
 * An operand may lie in two pages, of which one is RAM and the other a device.
 * A part of it that crosses the border is accessed byte by byte.
 */
#include "kernel/emulate_context.h"

#include "drivers/pc/lapic.h"
#include "kernel/guest_walk.h"
#include "kernel/vm.h"

#define PAGE_OFFSET (PAGE_SIZE - 1)

static bool translate(struct emulation *em, uint64_t linear, uint32_t access,
		      uint64_t *gpa)
{
	uint32_t error_code;
	gpa_t found;

	if (em->mode.cpl == 3)
		access |= WALK_USER;
	if (!guest_walk(em->vcpu, &em->mode, (gva_t){ linear }, access, &found,
			&error_code)) {
		event_raise_page_fault(em->vcpu, linear, error_code);
		return false;
	}
	*gpa = found.value;
	return true;
}

/*
 * The exit of the instruction told the address: nothing to walk, the CPU has
 * checked the rights. The guest may have changed the instruction since, so what
 * can be compared is: then it only gets what it could touch anyway.
 */
static bool is_exit_at(const struct emulation *em, uint64_t linear,
		       uint32_t access)
{
	const struct vmexit *exit = &em->vcpu->exit;

	return em->uses_exit_gpa &&
	       ((exit->memory.gpa.value ^ linear) & PAGE_OFFSET) == 0 &&
	       (access & ~exit->memory.access) == 0;
}

static bool translate_first(struct emulation *em, struct emulate_memory *memory,
			    uint32_t access)
{
	uint64_t linear = memory->linear;

	if (is_exit_at(em, linear, access)) {
		memory->gpa = em->vcpu->exit.memory.gpa.value;
		return true;
	}
	if (memory->page == align_down(linear, PAGE_SIZE)) {
		memory->gpa = memory->page_gpa | (linear & PAGE_OFFSET);
		return true;
	}
	if (!translate(em, linear, access, &memory->gpa))
		return false;
	memory->page = align_down(linear, PAGE_SIZE);
	memory->page_gpa = align_down(memory->gpa, PAGE_SIZE);
	return true;
}

static bool translate_second(struct emulation *em,
			     struct emulate_memory *memory, uint32_t access)
{
	uint64_t linear = memory->linear + memory->first_size;

	if (em->mode.code_size != 8)
		linear = (uint32_t)linear;
	return translate(em, linear, access, &memory->gpa2);
}

/* MOVAPS and its kind, CMPXCHG16B: #GP(0), before the page is looked at. */
static bool has_alignment(struct emulation *em,
			  const struct emulate_memory *memory)
{
	uint8_t op = em->insn->op;

	if (memory->size != 16 || is_aligned(memory->linear, 16) ||
	    (op != INSN_XMM_MOV_ALIGNED && op != INSN_CMPXCHG_PAIR))
		return true;
	emulate_raise_segment(em, SEGMENT_DS);
	return false;
}

bool emulate_open(struct emulation *em, struct emulate_memory *memory,
		  uint8_t segment, uint64_t offset, uint8_t size,
		  uint32_t access)
{
	uint64_t room;

	if (!emulate_linear(em, segment, offset, size, access, &memory->linear))
		return false;
	room = PAGE_SIZE - (memory->linear & PAGE_OFFSET);
	memory->size = size;
	memory->first_size = (uint8_t)min_u64(size, room);
	return has_alignment(em, memory) &&
	       translate_first(em, memory, access) &&
	       (size <= room || translate_second(em, memory, access));
}

/* As one access, if it is aligned. */
static uint64_t read_ram(const void *from, unsigned int size)
{
	uint64_t value = 0;

	switch (size) {
	case 1: __builtin_memcpy(&value, from, 1); break;
	case 2: __builtin_memcpy(&value, from, 2); break;
	case 4: __builtin_memcpy(&value, from, 4); break;
	default: __builtin_memcpy(&value, from, 8);
	}
	return value;
}

static void write_ram(void *to, unsigned int size, uint64_t value)
{
	switch (size) {
	case 1: __builtin_memcpy(to, &value, 1); break;
	case 2: __builtin_memcpy(to, &value, 2); break;
	case 4: __builtin_memcpy(to, &value, 4); break;
	default: __builtin_memcpy(to, &value, 8);
	}
}

static bool is_ram_at(struct vcpu *vcpu, uint64_t gpa, uint32_t access)
{
	return !lapic_is_at(vcpu->lapic, (gpa_t){ gpa }) &&
	       guest_pointer(&vcpu->vm->memory, (gpa_t){ gpa }, access);
}

bool emulate_is_ram(struct emulation *em, const struct emulate_memory *memory,
		    uint32_t access)
{
	return is_ram_at(em->vcpu, memory->gpa, access) &&
	       (memory->size == memory->first_size ||
		is_ram_at(em->vcpu, memory->gpa2, access));
}

/* RAM that could not be made: the machine is full. Whoever else fails to
 * translate is a device, or ROM that is written. */
static void check_full(struct vm *vm, gpa_t gpa, uint32_t access)
{
	if (guest_mem_fault(&vm->memory, gpa, access) == GUEST_FAULT_NO_MEMORY)
		vm_fault(vm, "no memory for its address %#lx", gpa.value);
}

uint64_t emulate_load_at(struct vcpu *vcpu, uint64_t gpa, unsigned int size)
{
	struct vm *vm = vcpu->vm;
	const void *from;

	if (lapic_is_at(vcpu->lapic, (gpa_t){ gpa }))
		return lapic_mmio_read(vcpu->lapic, gpa & PAGE_OFFSET, size);
	from = guest_pointer(&vm->memory, (gpa_t){ gpa }, ACCESS_READ);
	if (from)
		return read_ram(from, size);
	check_full(vm, (gpa_t){ gpa }, ACCESS_READ);
	return io_read(vm, &vm->mmio, gpa, size);
}

void emulate_store_at(struct vcpu *vcpu, uint64_t gpa, unsigned int size,
		      uint64_t value)
{
	struct vm *vm = vcpu->vm;
	void *to;

	if (lapic_is_at(vcpu->lapic, (gpa_t){ gpa })) {
		lapic_mmio_write(vcpu->lapic, gpa & PAGE_OFFSET, size, value);
		return;
	}
	to = guest_pointer(&vm->memory, (gpa_t){ gpa }, ACCESS_WRITE);
	if (to) {
		write_ram(to, size, value);
		return;
	}
	check_full(vm, (gpa_t){ gpa }, ACCESS_WRITE);
	io_write(vm, &vm->mmio, gpa, size, value);
}

/* Where byte @offset of the operand is. */
static uint64_t gpa_at(const struct emulate_memory *memory, unsigned int offset)
{
	if (offset < memory->first_size)
		return memory->gpa + offset;
	return memory->gpa2 + offset - memory->first_size;
}

static bool is_split(const struct emulate_memory *memory, unsigned int offset,
		     unsigned int size)
{
	return offset < memory->first_size &&
	       offset + size > memory->first_size;
}

uint64_t emulate_load(struct emulation *em, const struct emulate_memory *memory,
		      unsigned int offset, unsigned int size)
{
	uint64_t value = 0;

	if (!is_split(memory, offset, size))
		return emulate_load_at(em->vcpu, gpa_at(memory, offset), size) &
		       emulate_mask(size);
	for (unsigned int i = 0; i < size; i++)
		value |= (emulate_load_at(em->vcpu, gpa_at(memory, offset + i),
					  1) &
			  0xff)
			 << 8 * i;
	return value;
}

void emulate_store(struct emulation *em, const struct emulate_memory *memory,
		   unsigned int offset, unsigned int size, uint64_t value)
{
	value &= emulate_mask(size);
	if (!is_split(memory, offset, size)) {
		emulate_store_at(em->vcpu, gpa_at(memory, offset), size, value);
		return;
	}
	for (unsigned int i = 0; i < size; i++)
		emulate_store_at(em->vcpu, gpa_at(memory, offset + i), 1,
				 value >> 8 * i & 0xff);
}

/* XCHG with memory locks by itself. */
static bool is_atomic(const struct emulation *em,
		      const struct emulate_memory *memory)
{
	return (em->insn->is_locked || em->insn->op == INSN_XCHG) &&
	       is_aligned(memory->gpa, memory->size) &&
	       !lapic_is_at(em->vcpu->lapic, (gpa_t){ memory->gpa });
}

bool emulate_replace(struct emulation *em, const struct emulate_memory *memory,
		     uint64_t old, uint64_t value)
{
	uint64_t mask = emulate_mask(memory->size);
	uint64_t expected = old & mask;

	if (is_atomic(em, memory) &&
	    !guest_compare_exchange(&em->vcpu->vm->memory,
				    (gpa_t){ memory->gpa }, memory->size,
				    &expected, value & mask))
		return expected == (old & mask);
	emulate_store(em, memory, 0, memory->size, value);
	return true;
}

/* CMPXCHG16B: every CPU that can run guests has it. */
static __attribute__((target("cx16"))) bool exchange_pair(
	void *at, const uint64_t old[2], const uint64_t value[2])
{
	return __sync_bool_compare_and_swap(
		(unsigned __int128 *)at,
		(unsigned __int128)old[1] << 64 | old[0],
		(unsigned __int128)value[1] << 64 | value[0]);
}

bool emulate_replace_pair(struct emulation *em,
			  const struct emulate_memory *memory,
			  const uint64_t old[2], const uint64_t value[2])
{
	void *at = NULL;

	if (memory->size == 8)
		return emulate_replace(em, memory, old[1] << 32 | old[0],
				       value[1] << 32 | value[0]);
	if (is_atomic(em, memory))
		at = guest_pointer(&em->vcpu->vm->memory,
				   (gpa_t){ memory->gpa }, ACCESS_WRITE);
	if (at)
		return exchange_pair(at, old, value);
	emulate_store(em, memory, 0, 8, value[0]);
	emulate_store(em, memory, 8, 8, value[1]);
	return true;
}
