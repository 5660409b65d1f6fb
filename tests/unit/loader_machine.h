/*
 * A VM without a machine, and kernels made byte by byte, for tests of loaders.
 * Include it once in a program, after cmocka.h.
 */
#ifndef LOADER_MACHINE_H
#define LOADER_MACHINE_H

#include <stdlib.h>
#include <string.h>

#include "kernel/lib/errno.h"
#include "kernel/loader.h"
#include "mm/frame.h"
#include "mm/heap.h"
#include "mm/phys.h"
#include "vm_machine.h"

#define IMAGE_MAX (4 * MIB)

/* The file being made; files of its exact size go to the loader. */
static uint8_t image[IMAGE_MAX];
static uint64_t image_size;
static void *image_copy;
static struct loader_request request;
static struct loader_start entry;
static struct diag why;

static inline void machine_start(uint64_t ram_size)
{
	fake_vm_reset(1, ram_size);
	heap_init();
}

static inline void *poke(uint64_t offset, uint64_t value, size_t size)
{
	assert_in_range(offset, 0, IMAGE_MAX - size);
	memcpy(image + offset, &value, size);
	if (offset + size > image_size)
		image_size = offset + size;
	return image + offset;
}

static inline void fill(uint64_t offset, uint64_t size, int byte)
{
	poke(offset + size - 1, 0, 1);
	memset(image + offset, byte, size);
}

/* What was made becomes the kernel, in a block that ASan guards. */
static inline void seal(void)
{
	free(image_copy);
	image_copy = malloc(image_size);
	memcpy(image_copy, image, image_size);
	request.kernel = (struct loader_file){ image_copy, image_size };
}

static inline int loader_machine_setup(void **state)
{
	(void)state;
	memset(image, 0, sizeof(image));
	image_size = 0;
	memset(&request, 0, sizeof(request));
	memset(&entry, 0, sizeof(entry));
	why.text[0] = '\0';
	machine_start(64 * MIB);
	return 0;
}

static inline int loader_machine_teardown(void **state)
{
	(void)state;
	free(image_copy);
	image_copy = NULL;
	return 0;
}

#define LOADER_TEST(name)                                           \
	cmocka_unit_test_setup_teardown(name, loader_machine_setup, \
					loader_machine_teardown)

static inline void assert_loads(void)
{
	seal();
	if (loader_load(&fake_vm, &request, &entry, &why))
		fail_msg("%s", why.text);
}

/* Refused with a line that has @text, and nothing written. */
static inline void assert_refused(const char *text)
{
	seal();
	assert_int_equal(loader_load(&fake_vm, &request, &entry, &why),
			 -EINVAL);
	if (!strstr(why.text, text))
		fail_msg("\"%s\" does not have \"%s\"", why.text, text);
	assert_int_equal(fake_vm.memory.own_size, 0);
	assert_int_equal(fake_vm.memory.foreign_size, 0);
}

static inline void peek(uint64_t gpa, void *to, size_t size)
{
	assert_int_equal(guest_read(&fake_vm.memory, (gpa_t){ gpa }, to, size),
			 0);
}

static inline uint64_t peek_number(uint64_t gpa, size_t size)
{
	uint64_t value = 0;

	peek(gpa, &value, size);
	return value;
}

static inline void assert_guest_text(uint64_t gpa, const char *text)
{
	char found[256];

	assert_in_range(strlen(text), 0, sizeof(found) - 1);
	peek(gpa, found, strlen(text) + 1);
	assert_string_equal(found, text);
}

static inline void assert_guest_bytes(uint64_t gpa, int byte, uint64_t size)
{
	for (uint64_t i = 0; i < size; i++)
		assert_int_equal(peek_number(gpa + i, 1), byte);
}

/* @size bytes of machine memory, page-aligned, as boot modules are. */
static inline struct loader_file module_make(uint64_t size)
{
	unsigned int order = 0;
	struct loader_file file;
	hpa_t hpa;

	while (PAGE_SIZE << order < size)
		order++;
	hpa = frame_alloc(order, 0);
	assert_false(hpa_equals(hpa, HPA_NONE));
	file.data = phys_to_virt(hpa);
	file.size = size;
	for (uint64_t i = 0; i < size; i++)
		((uint8_t *)phys_to_virt(hpa))[i] = (uint8_t)(i % 251);
	return file;
}

static inline void assert_guest_has_module(uint64_t gpa, uint64_t size)
{
	for (uint64_t i = 0; i < size; i += 97)
		assert_int_equal(peek_number(gpa + i, 1), i % 251);
	assert_int_equal(peek_number(gpa + size - 1, 1), (size - 1) % 251);
}

/* 32-bit protected mode, flat, as PVH and multiboot have it. */
static inline void assert_flat32(uint64_t rip)
{
	const struct vcpu_state *state = &entry.state;

	assert_int_equal(entry.regs.rip, rip);
	assert_int_equal(entry.regs.rflags, 2);
	assert_int_equal(state->cr0, 0x11);
	assert_int_equal(state->cr3 | state->cr4 | state->efer, 0);
	assert_int_equal(state->segments[SEGMENT_CS].attributes, 0xc9b);
	assert_int_equal(state->segments[SEGMENT_TR].attributes, 0x8b);
	assert_int_equal(state->segments[SEGMENT_TR].limit, 0x67);
	for (int i = SEGMENT_ES; i <= SEGMENT_GS; i++) {
		if (i != SEGMENT_CS)
			assert_int_equal(state->segments[i].attributes, 0xc93);
		assert_int_equal(state->segments[i].base, 0);
		assert_int_equal(state->segments[i].limit, UINT32_MAX);
	}
}

#endif
