#include "emulate_machine.h"

#include <stdlib.h>
#include <string.h>

#include "cpuid.h"
#include "drivers/pc/lapic.h"
#include "kernel/cpu/x86_regs.h"
#include "mm/heap.h"
#include "ram.h"

uint8_t machine_device[MACHINE_DEVICE_SIZE];
unsigned int machine_reads, machine_writes;
unsigned int machine_read_sizes, machine_write_sizes;
uint8_t machine_port_bytes[4096];
unsigned int machine_port_in, machine_port_out;

static uint64_t device_read(void *device, uint64_t offset, unsigned int size)
{
	uint64_t value = 0;

	(void)device;
	machine_reads++;
	machine_read_sizes |= size;
	memcpy(&value, machine_device + offset, size);
	return value;
}

static void device_write(void *device, uint64_t offset, unsigned int size,
			 uint64_t value)
{
	(void)device;
	machine_writes++;
	machine_write_sizes |= size;
	if (size < 8 && value >> 8 * size)
		abort(); /* more bits than the access has */
	memcpy(machine_device + offset, &value, size);
}

static uint64_t port_read(void *device, uint64_t offset, unsigned int size)
{
	uint64_t value = 0;

	(void)device;
	(void)offset;
	memcpy(&value, machine_port_bytes + machine_port_in, size);
	machine_port_in += size;
	return value;
}

static void port_write(void *device, uint64_t offset, unsigned int size,
		       uint64_t value)
{
	(void)device;
	(void)offset;
	memcpy(machine_port_bytes + machine_port_out, &value, size);
	machine_port_out += size;
}

static const struct io_ops device_ops = { device_read, device_write };
static const struct io_ops port_ops = { port_read, port_write };

void machine_write(uint64_t gpa, const void *from, uint64_t size)
{
	if (guest_write(&fake_vm.memory, (gpa_t){ gpa }, from, size))
		abort();
}

void machine_read(uint64_t gpa, void *to, uint64_t size)
{
	if (guest_read(&fake_vm.memory, (gpa_t){ gpa }, to, size))
		abort();
}

void machine_set_pte(unsigned int index, uint64_t entry)
{
	machine_write(MACHINE_PT + 8UL * index, &entry, 8);
}

void machine_map_data(bool is_device)
{
	uint64_t base = is_device ? MACHINE_DEVICE : MACHINE_DATA;

	for (unsigned int i = 0; i < 4; i++)
		machine_set_pte(i, (base + i * PAGE_SIZE) | MACHINE_PTE);
}

static void put(uint64_t table, unsigned int index, uint64_t entry)
{
	machine_write(table + 8UL * index, &entry, 8);
}

static void make_tables(void)
{
	put(MACHINE_PML4, 0, MACHINE_PDPT | MACHINE_PTE);
	for (unsigned int i = 0; i < 4; i++)
		put(MACHINE_PDPT, i,
		    (MACHINE_PD + i * PAGE_SIZE) | MACHINE_PTE);
	for (unsigned int i = 0; i < 2048; i++)
		put(MACHINE_PD, i, i * LARGE_PAGE_SIZE | MACHINE_PTE | BIT(7));
	put(MACHINE_PD, MACHINE_DATA / LARGE_PAGE_SIZE,
	    MACHINE_PT | MACHINE_PTE);
	machine_map_data(false);
}

int machine_setup(void **state)
{
	static const struct io_region device = { MACHINE_DEVICE,
						 MACHINE_DEVICE_SIZE,
						 &device_ops, NULL, false };
	static const struct io_region port = { 0x70, 4, &port_ops, NULL,
					       false };

	(void)state;
	fake_vm_reset(1, MACHINE_RAM);
	heap_init();
	fake_ops_reset();
	fake_vm.cpuid = fake_cpuid_table(1);
	MACHINE_VCPU->lapic = lapic_create(MACHINE_VCPU);
	if (!fake_vm.cpuid || !MACHINE_VCPU->lapic ||
	    io_add(&fake_vm.mmio, &device) || io_add(&fake_vm.ports, &port))
		abort();
	MACHINE_STATE->cr3 = MACHINE_PML4;
	MACHINE_REGS->rflags = 2;
	make_tables();
	memset(machine_device, 0, sizeof(machine_device));
	machine_reads = machine_writes = 0;
	machine_read_sizes = machine_write_sizes = 0;
	machine_port_in = machine_port_out = 0;
	return 0;
}

int machine_teardown(void **state)
{
	(void)state;
	lapic_destroy(MACHINE_VCPU->lapic);
	cpuid_table_destroy(fake_vm.cpuid);
	guest_mem_fini(&fake_vm.memory);
	fake_ram_fini();
	return 0;
}

void machine_code(const void *code, unsigned int size)
{
	machine_write(MACHINE_CODE, code, size);
	MACHINE_REGS->rip = MACHINE_CODE;
}
