/* The log: format, keep in the ring, show on the consoles. */
#include "kernel/log.h"

#include "drivers/host/console.h"
#include "kernel/cpu/time.h"
#include "kernel/lib/bits.h"
#include "kernel/lib/fmt.h"
#include "kernel/lib/spinlock.h"

static struct spinlock lock = SPINLOCK_INIT(LOCK_RANK_LOG);
static struct log_ring ring; /* [lock] */
static enum log_level shown = LOG_INFO;
static bool is_panicking;
static bool is_line_open; /* [lock] a guest's, on the consoles */

static const char *const prefixes[] = {
	[LOG_ERROR] = "error: ",
	[LOG_WARN] = "warning: ",
	[LOG_INFO] = "",
	[LOG_DEBUG] = "",
};

void log_set_level(enum log_level level)
{
	shown = level;
}

void log_enter_panic(void)
{
	is_panicking = true;
}

static void log_lock(void)
{
	if (!is_panicking)
		spin_lock(&lock);
}

static void log_unlock(void)
{
	if (!is_panicking)
		spin_unlock(&lock);
}

static void end_open_line(void)
{
	if (is_line_open)
		console_write("\n", 1);
	is_line_open = false;
}

static void show_time(uint64_t time)
{
	char text[32];
	size_t length =
		fmt_print(text, sizeof(text), "[%5lu.%06lu] ",
			  time / NS_PER_SEC, time % NS_PER_SEC / NS_PER_US);

	console_write(text, length);
}

static void show_text(const char *text, size_t length)
{
	console_write(text, length);
	console_write("\n", 1);
}

void log_line(enum log_level level, const char *format, ...)
{
	char text[LOG_TEXT_MAX];
	uint64_t time = time_now();
	size_t length, prefix;
	va_list args;

	prefix = fmt_print(text, sizeof(text), "%s", prefixes[level]);
	va_start(args, format);
	length = prefix + fmt_print_v(text + prefix, sizeof(text) - prefix,
				      format, args);
	va_end(args);
	length = min_u64(length, sizeof(text) - 1);
	log_lock();
	log_ring_write(&ring, time, (uint8_t)level, text, length);
	if (level <= shown) {
		end_open_line();
		show_time(time);
		show_text(text, length);
	}
	log_unlock();
}

void log_announce(const char *format, ...)
{
	char text[LOG_TEXT_MAX];
	size_t length;
	va_list args;

	va_start(args, format);
	length = fmt_print_v(text, sizeof(text), format, args);
	va_end(args);
	length = min_u64(length, sizeof(text) - 1);
	log_lock();
	log_ring_write(&ring, time_now(), LOG_INFO, text, length);
	end_open_line();
	show_text(text, length);
	log_unlock();
}

void log_console_raw(const char *text, size_t size)
{
	if (!size)
		return;
	log_lock();
	console_write_raw(text, size);
	is_line_open = text[size - 1] != '\n';
	log_unlock();
}

void log_console_line(const char *format, ...)
{
	char text[LOG_TEXT_MAX];
	size_t length;
	va_list args;

	va_start(args, format);
	length = fmt_print_v(text, sizeof(text), format, args);
	va_end(args);
	log_lock();
	end_open_line();
	show_text(text, min_u64(length, sizeof(text) - 1));
	log_unlock();
}

bool log_read(uint64_t *cursor, struct log_record *record, char *text)
{
	bool is_read;

	log_lock();
	is_read = log_ring_read(&ring, cursor, record, text);
	log_unlock();
	return is_read;
}
