/*
 * A VM for tests of the emulator: one vCPU in long mode with the first 4 GiB
 * mapped one to one, a local APIC, and a device that keeps what is written.
 */
#ifndef FAKE_EMULATE_MACHINE_H
#define FAKE_EMULATE_MACHINE_H

#include "kernel/emulate.h"
#include "ops.h"
#include "vm_machine.h"
#include "xmm.h"

#define MACHINE_RAM	    (64 * MIB)
#define MACHINE_CODE	    0x1000000UL
#define MACHINE_DATA	    0x1200000UL /* mapped by pages: machine_map_data */
#define MACHINE_DEVICE	    0xf0000000UL
#define MACHINE_DEVICE_SIZE 0x4000UL

/* Tables of the guest. */
#define MACHINE_PML4 0x1000UL
#define MACHINE_PDPT 0x2000UL
#define MACHINE_PD   0x3000UL /* four */
#define MACHINE_PT   0x8000UL /* of MACHINE_DATA */

#define MACHINE_PTE 0x67UL /* present, writable, user, accessed, dirty */

/* The device, its content, and the accesses to it. */
extern uint8_t machine_device[MACHINE_DEVICE_SIZE];
extern unsigned int machine_reads, machine_writes;
extern unsigned int machine_read_sizes, machine_write_sizes; /* or'ed */

/* What the ports gave and took: INS and OUTS. */
extern uint8_t machine_port_bytes[4096];
extern unsigned int machine_port_in, machine_port_out;

/* cmocka's set-up and tear-down. */
int machine_setup(void **state);
int machine_teardown(void **state);

/* Let the four pages of MACHINE_DATA be RAM, or the device. */
void machine_map_data(bool is_device);
/* One entry of the table of MACHINE_DATA. */
void machine_set_pte(unsigned int index, uint64_t entry);

void machine_write(uint64_t gpa, const void *from, uint64_t size);
void machine_read(uint64_t gpa, void *to, uint64_t size);

/* Put code at MACHINE_CODE and RIP on it. */
void machine_code(const void *code, unsigned int size);

#define MACHINE_VCPU  (&fake_vcpus[0])
#define MACHINE_STATE (&fake_backends[0].state)
#define MACHINE_REGS  (&fake_vcpus[0].regs)

#endif
