/* The text of one value -> number, size, name, address. */
#include "boot/config_value.h"

#define NAME_MAX   32
#define UART_CLOCK 115200 /* Hz, of a PC's 16550, over 16 */
#define UART_PORTS 8
#define PORT_MIN   0x100 /* below: the mainboard's own devices */
#define PORT_MAX   0x10000

struct port_name {
	const char *name;
	uint16_t port;
};

static const struct port_name port_names[] = {
	{ "com1", 0x3f8 },
	{ "com2", 0x2f8 },
	{ "com3", 0x3e8 },
	{ "com4", 0x2e8 },
};

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

static const char *const cpu_names[] = {
	[CONFIG_CPU_HOST] = "host",    [CONFIG_CPU_V1] = "x86-64-v1",
	[CONFIG_CPU_V2] = "x86-64-v2", [CONFIG_CPU_V3] = "x86-64-v3",
	[CONFIG_CPU_V4] = "x86-64-v4",
};

static bool is_lower_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Is @s made of a-z, 0-9 and @more? */
static bool is_made_of(struct slice s, const char *more)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_lower_or_digit(s.ptr[i]) &&
		    (s.ptr[i] == '\0' || !strchr(more, s.ptr[i])))
			return false;
	return true;
}

bool config_value_is_name(struct slice text)
{
	return text.len > 0 && text.len <= NAME_MAX &&
	       is_lower_or_digit(text.ptr[0]) && is_made_of(text, "._-");
}

/* Narrow, because the EFI loader opens files by these names. */
bool config_value_is_module(struct slice text)
{
	return text.len > 0 && text.len < BOOT_MODULE_NAME_MAX &&
	       text.ptr[0] != '.' &&
	       is_made_of(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ._+~@-");
}

bool config_value_word(struct slice text, size_t max, char *out)
{
	if (text.len > max || !is_made_of(text, "_-"))
		return false;
	memset(out, 0, max + 1);
	if (text.len > 0)
		memcpy(out, text.ptr, text.len);
	return true;
}

bool config_value_bool(struct slice text, bool *out)
{
	bool is_true = slice_is(text, "true");

	if (!is_true && !slice_is(text, "false"))
		return false;
	*out = is_true;
	return true;
}

/* The value of the digit @c, 16 if it is none. */
static uint32_t digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (uint32_t)(c - 'a') + 10;
	if (c >= 'A' && c <= 'F')
		return (uint32_t)(c - 'A') + 10;
	return 16;
}

/* Digits of @base, up to @max. */
static bool read_digits(struct slice text, uint32_t base, uint64_t max,
			uint64_t *out)
{
	uint64_t value = 0;

	for (size_t i = 0; i < text.len; i++) {
		uint32_t digit = digit_value(text.ptr[i]);

		if (digit >= base || digit > max ||
		    value > (max - digit) / base)
			return false;
		value = value * base + digit;
	}
	*out = value;
	return text.len > 0;
}

static bool read_decimal(struct slice text, uint64_t max, uint64_t *out)
{
	if (text.len > 1 && text.ptr[0] == '0')
		return false;
	return read_digits(text, 10, max, out);
}

bool config_value_number(struct slice text, uint32_t min, uint32_t max,
			 uint32_t *out)
{
	uint64_t value;

	if (!read_decimal(text, max, &value) || value < min)
		return false;
	*out = (uint32_t)value;
	return true;
}

/* The bytes of a unit, 0 if @c is none. */
static uint64_t unit_size(char c)
{
	switch (c) {
	case 'K': return KIB;
	case 'M': return MIB;
	case 'G': return GIB;
	default: return 0;
	}
}

bool config_value_size(struct slice text, uint64_t min, uint64_t max,
		       uint64_t *out)
{
	uint64_t unit, count;

	if (text.len == 0)
		return false;
	unit = unit_size(text.ptr[--text.len]);
	if (!unit || !read_decimal(text, max / unit, &count))
		return false;
	if (count * unit < min || !is_aligned(count * unit, PAGE_SIZE))
		return false;
	*out = count * unit;
	return true;
}

/* The divisor has 16 bits: 115200 / 65535 lies between 1 and 2. */
bool config_value_baud(struct slice text, uint32_t *out)
{
	uint32_t value;

	if (!config_value_number(text, 2, UART_CLOCK, &value) ||
	    UART_CLOCK % value)
		return false;
	*out = value;
	return true;
}

bool config_value_port(struct slice text, uint16_t *out)
{
	struct slice digits;
	uint64_t port;

	for (size_t i = 0; i < ARRAY_SIZE(port_names); i++) {
		if (slice_is(text, port_names[i].name)) {
			*out = port_names[i].port;
			return true;
		}
	}
	if (text.len < 2 || text.ptr[0] != '0' || text.ptr[1] != 'x')
		return false;
	digits = (struct slice){ text.ptr + 2, text.len - 2 };
	if (!read_digits(digits, 16, PORT_MAX - UART_PORTS, &port) ||
	    port < PORT_MIN || !is_aligned(port, UART_PORTS))
		return false;
	*out = (uint16_t)port;
	return true;
}

bool config_value_level(struct slice text, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
		if (slice_is(text, level_names[i])) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

bool config_value_cpu(struct slice text, enum config_cpu *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(cpu_names); i++) {
		if (slice_is(text, cpu_names[i])) {
			*out = (enum config_cpu)i;
			return true;
		}
	}
	return false;
}

/* Bit 0 of the first byte says that the address is a group's. */
bool config_value_mac(struct slice text, uint8_t out[6])
{
	uint8_t mac[6];
	uint32_t any = 0;

	if (text.len != 17)
		return false;
	for (size_t i = 0; i < 6; i++) {
		uint32_t high = digit_value(text.ptr[3 * i]);
		uint32_t low = digit_value(text.ptr[3 * i + 1]);

		if (high > 15 || low > 15 ||
		    (i < 5 && text.ptr[3 * i + 2] != ':'))
			return false;
		mac[i] = (uint8_t)(high << 4 | low);
		any |= mac[i];
	}
	if (!any || (mac[0] & 1))
		return false;
	memcpy(out, mac, sizeof(mac));
	return true;
}
