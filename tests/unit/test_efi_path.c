/* EFI device paths: joining file path nodes, the folder, and broken nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "boot/efi/path.h"
#include "kernel/lib/bits.h"
#include "kernel/lib/errno.h"

static uint8_t nodes[8192];
static size_t nodes_size;

static void add_node(uint8_t type, uint8_t subtype, const void *body,
		     size_t size)
{
	size_t total = size + 4;

	nodes[nodes_size++] = type;
	nodes[nodes_size++] = subtype;
	nodes[nodes_size++] = (uint8_t)total;
	nodes[nodes_size++] = (uint8_t)(total >> 8);
	if (size)
		memcpy(nodes + nodes_size, body, size);
	nodes_size += size;
}

/* A file path node of @text, with its final 0 if @has_nul. */
static void add_file(const char *text, bool has_nul)
{
	uint8_t units[1024] = { 0 };
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		units[i * 2] = (uint8_t)text[i];
	add_node(4, 4, units, 2 * (len + has_nul));
}

static void add_end(void)
{
	add_node(0x7f, 0xff, NULL, 0);
}

/* Read the nodes, from memory that ends with them. */
static int read_nodes(struct path *path)
{
	uint8_t *exact = malloc(nodes_size);
	struct diag diag;
	int error;

	memcpy(exact, nodes, nodes_size);
	error = path_read(exact, path, &diag);
	free(exact);
	return error;
}

static void assert_path(const struct path *path, const char *expected)
{
	assert_int_equal(path->len, strlen(expected));
	for (size_t i = 0; i <= path->len; i++)
		assert_int_equal(path->text[i], expected[i]);
}

static int begin(void **state)
{
	(void)state;
	nodes_size = 0;
	return 0;
}

static void joins_file_nodes(void **state)
{
	static const char *const splits[][3] = {
		{ "\\EFI\\BOOT\\BOOTX64.EFI", NULL, NULL },
		{ "EFI/BOOT/BOOTX64.EFI", NULL, NULL },
		{ "\\EFI", "\\BOOT", "\\BOOTX64.EFI" },
		{ "EFI", "BOOT", "BOOTX64.EFI" },
		{ "\\EFI\\", "\\BOOT\\", "BOOTX64.EFI" },
		{ "\\\\EFI\\\\BOOT", "BOOTX64.EFI", NULL },
	};
	struct path path;

	for (size_t i = 0; i < ARRAY_SIZE(splits); i++) {
		begin(state);
		add_node(1, 1, "pci node", 2);
		for (size_t j = 0; j < 3 && splits[i][j]; j++)
			add_file(splits[i][j], j != 1);
		add_node(4, 3, "not a file", 10);
		add_end();
		assert_int_equal(read_nodes(&path), 0);
		assert_path(&path, "\\EFI\\BOOT\\BOOTX64.EFI");
	}
}

static void is_the_root_without_nodes(void **state)
{
	struct path path;
	struct diag diag;

	(void)state;
	assert_int_equal(path_read(NULL, &path, &diag), 0);
	assert_path(&path, "\\");
	add_end();
	assert_int_equal(read_nodes(&path), 0);
	assert_path(&path, "\\");
}

static void refuses_broken_nodes(void **state)
{
	static const uint8_t short_node[] = { 4, 4, 3, 0 };
	struct path path;

	(void)state;
	add_node(4, 4, "", 0);
	memcpy(nodes, short_node, sizeof(short_node));
	assert_int_equal(read_nodes(&path), -EINVAL);
}

static void refuses_paths_without_end(void **state)
{
	struct path path;

	(void)state;
	while (nodes_size < 4096)
		add_node(1, 1, "node", 4);
	assert_int_equal(read_nodes(&path), -EINVAL);
}

static void refuses_long_paths(void **state)
{
	char text[PATH_LEN_MAX + 1] = "";
	struct path path;

	(void)state;
	memset(text, 'x', PATH_LEN_MAX - 2);
	add_file(text, true);
	add_end();
	assert_int_equal(read_nodes(&path), 0);
	assert_int_equal(path.len, PATH_LEN_MAX - 1);
	begin(state);
	text[PATH_LEN_MAX - 2] = 'x';
	add_file(text, true);
	add_end();
	assert_int_equal(read_nodes(&path), -E2BIG);
}

static void finds_the_sibling(void **state)
{
	struct path sibling;
	struct path path;
	struct diag diag;

	(void)state;
	add_file("\\EFI\\BOOT\\BOOTX64.EFI", true);
	add_end();
	assert_int_equal(read_nodes(&path), 0);
	assert_int_equal(path_sibling(&path, "basalt.conf", &sibling, &diag),
			 0);
	assert_path(&sibling, "\\EFI\\BOOT\\basalt.conf");
	assert_int_equal(path_sibling(&path, "", &sibling, &diag), 0);
	assert_path(&sibling, "\\EFI\\BOOT\\");
	assert_int_equal(path_read(NULL, &path, &diag), 0);
	assert_int_equal(path_sibling(&path, "a", &sibling, &diag), 0);
	assert_path(&sibling, "\\a");
}

static void names_the_file(void **state)
{
	struct path path;
	struct diag diag;
	char name[8];

	(void)state;
	add_file("\\EFI\\ba\x80s.efi", true);
	add_end();
	assert_int_equal(read_nodes(&path), 0);
	path_file_name(&path, name, sizeof(name));
	assert_string_equal(name, "ba?s.ef");
	assert_int_equal(path_read(NULL, &path, &diag), 0);
	path_file_name(&path, name, sizeof(name));
	assert_string_equal(name, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(joins_file_nodes, begin),
		cmocka_unit_test_setup(is_the_root_without_nodes, begin),
		cmocka_unit_test_setup(refuses_broken_nodes, begin),
		cmocka_unit_test_setup(refuses_paths_without_end, begin),
		cmocka_unit_test_setup(refuses_long_paths, begin),
		cmocka_unit_test_setup(finds_the_sibling, begin),
		cmocka_unit_test_setup(names_the_file, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
