/*
 * Device paths.
 *
 * A loader may split a path into any number of nodes, with separators at their
 * seams or without ("UEFI Specification 2.10", section 10.3.5.4 "File Path
 * Media Device Path" and section 10.3.1 "Generic Device Path Structures").
 */
#include "boot/efi/path.h"

#include "kernel/lib/bits.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

#define NODE_TYPE_MEDIA	     4
#define NODE_SUBTYPE_FILE    4
#define NODE_TYPE_END	     0x7f
#define DEVICE_PATH_SIZE_MAX 4096 /* far above any real one */

struct node {
	uint8_t type;
	uint8_t subtype;
	uint8_t size[2]; /* with this header; little-endian, any alignment */
};

static size_t node_size(const struct node *node)
{
	return (size_t)(node->size[0] | node->size[1] << 8);
}

static int put(struct path *path, uint16_t unit, struct diag *diag)
{
	if (unit == '/')
		unit = '\\';
	if (unit == '\\' && path->len && path->text[path->len - 1] == '\\')
		return 0;
	if (path->len == PATH_LEN_MAX - 1)
		return diag_set(diag, -E2BIG, "path of more than %d characters",
				PATH_LEN_MAX - 1);
	path->text[path->len++] = unit;
	path->text[path->len] = 0;
	return 0;
}

static int put_node(struct path *path, const struct node *node,
		    struct diag *diag)
{
	size_t count = (node_size(node) - sizeof(*node)) / sizeof(uint16_t);
	const uint8_t *from = (const uint8_t *)(node + 1);
	int error = put(path, '\\', diag);

	for (size_t i = 0; i < count && !error; i++) {
		uint16_t unit;

		memcpy(&unit, from + i * sizeof(unit), sizeof(unit));
		if (unit == 0)
			break;
		error = put(path, unit, diag);
	}
	return error;
}

int path_read(const void *device_path, struct path *out, struct diag *diag)
{
	const uint8_t *at = device_path;
	size_t offset = 0;
	int error;

	out->len = 0;
	error = put(out, '\\', diag);
	while (at && !error) {
		const struct node *node = (const struct node *)(at + offset);

		if (!range_fits(offset, sizeof(*node), DEVICE_PATH_SIZE_MAX))
			return diag_set(diag, -EINVAL,
					"device path: no end in %d bytes",
					DEVICE_PATH_SIZE_MAX);
		if (node->type == NODE_TYPE_END)
			break;
		if (node_size(node) < sizeof(*node) ||
		    !range_fits(offset, node_size(node), DEVICE_PATH_SIZE_MAX))
			return diag_set(diag, -EINVAL,
					"device path: node of %zu bytes at %zu",
					node_size(node), offset);
		if (node->type == NODE_TYPE_MEDIA &&
		    node->subtype == NODE_SUBTYPE_FILE)
			error = put_node(out, node, diag);
		offset += node_size(node);
	}
	return error;
}

/* Offset of the last part of @path. */
static size_t file_offset(const struct path *path)
{
	size_t at = path->len;

	while (at > 0 && path->text[at - 1] != '\\')
		at--;
	return at;
}

int path_sibling(const struct path *path, const char *name, struct path *out,
		 struct diag *diag)
{
	int error = 0;

	*out = *path;
	out->len = file_offset(path);
	out->text[out->len] = 0;
	while (*name && !error)
		error = put(out, (uint8_t)*name++, diag);
	return error;
}

void path_file_name(const struct path *path, char *out, size_t size)
{
	size_t len = 0;

	for (size_t at = file_offset(path); at < path->len; at++) {
		uint16_t unit = path->text[at];
		bool is_ascii = unit >= ' ' && unit <= '~';

		if (len + 1 < size)
			out[len++] = is_ascii ? (char)unit : '?';
	}
	out[len] = '\0';
}
