/*
 * ACPI tables in a folder, for ACPICA's tools. Include it once in a program, after
 * cmocka.h.
 */
#ifndef ACPI_TOOLS_H
#define ACPI_TOOLS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/basalt-acpi-XXXXXX";

static inline int run(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static inline int run(const char *format, ...)
{
	char command[256];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command);
}

static inline int folder_setup(void **state)
{
	(void)state;
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static inline int folder_teardown(void **state)
{
	(void)state;
	return run("rm -r %s", folder);
}

static inline void folder_write(const char *name, const void *bytes,
				size_t size)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.aml", folder, name);
	file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

/* iasl finds nothing wrong with table @name. */
static inline void folder_disassemble(const char *name)
{
	assert_int_equal(run("iasl -vs -d %s/%s.aml >%s/log 2>&1", folder, name,
			     folder),
			 0);
	/* how it speaks of what it finds wrong */
	assert_int_not_equal(run("grep -qE '\\*\\*\\*\\*|Incorrect|Error' "
				 "%s/log %s/%s.dsl",
				 folder, folder, name),
			     0);
}

#endif
