/* The MC146818 clock and its CMOS RAM. */
#include "drivers/pc/vrtc.h"

#include "drivers/pc/vclock.h"
#include "drivers/pc/vcmos.h"
#include "drivers/pc/vrtc_time.h"

enum vrtc_register {
	RTC_SECOND = 0x00,
	RTC_SECOND_ALARM = 0x01,
	RTC_MINUTE = 0x02,
	RTC_MINUTE_ALARM = 0x03,
	RTC_HOUR = 0x04,
	RTC_HOUR_ALARM = 0x05,
	RTC_WEEKDAY = 0x06,
	RTC_DAY = 0x07,
	RTC_MONTH = 0x08,
	RTC_YEAR = 0x09,
	RTC_A = 0x0a,
	RTC_B = 0x0b,
	RTC_C = 0x0c,
	RTC_D = 0x0d,
	RTC_CENTURY = 0x32,
};

#define TIME_REGISTERS                                                      \
	(BIT(RTC_SECOND) | BIT(RTC_MINUTE) | BIT(RTC_HOUR) |                \
	 BIT(RTC_WEEKDAY) | BIT(RTC_DAY) | BIT(RTC_MONTH) | BIT(RTC_YEAR) | \
	 BIT(RTC_CENTURY))

/* Register A */
#define A_UPDATING	BIT(7)
#define A_DIVIDER	BITS(6, 4)
#define A_RATE		BITS(3, 0)
#define A_DIVIDER_RESET 6 /* and 7 */
#define A_DEFAULT	0x26
/* Register B. The interrupt enables have the places of C's flags. */
#define B_SET	   BIT(7)
#define B_BINARY   BIT(2)
#define B_24_HOURS BIT(1)
#define B_DEFAULT  B_24_HOURS
/* Register C */
#define C_REQUEST  BIT(7)
#define C_PERIODIC BIT(6)
#define C_ALARM	   BIT(5)
#define C_UPDATE   BIT(4)
#define C_FLAGS	   (C_PERIODIC | C_ALARM | C_UPDATE)
#define D_VALID	   BIT(7)

#define CRYSTAL_HZ 32768UL
/* "Update Cycle": UIP is set 244 us before an update, which takes 1984 us. The
 * registers change at its end here, so a clear UIP promises at least 244 us. */
#define UPDATE_NS	(244 * NS_PER_US + 1984 * NS_PER_US)
#define FIRST_UPDATE_NS (NS_PER_SEC / 2) /* after the divider's reset */
#define INDEX_MASK	0x7f		 /* bit 7 masks NMIs */

static bool is_time(uint8_t index)
{
	return index < 64 && (BIT(index) & TIME_REGISTERS);
}

static bool is_divider_reset(const struct vrtc *rtc)
{
	return FIELD_GET(A_DIVIDER, rtc->cmos[RTC_A]) >= A_DIVIDER_RESET;
}

static bool is_standing(const struct vrtc *rtc)
{
	return (rtc->cmos[RTC_B] & B_SET) || is_divider_reset(rtc);
}

static struct vrtc_format format(const struct vrtc *rtc)
{
	return (struct vrtc_format){ rtc->cmos[RTC_B] & B_BINARY,
				     rtc->cmos[RTC_B] & B_24_HOURS };
}

/* Nanoseconds of the clock that the offset in seconds is to be added to. */
static uint64_t raw_now(const struct vrtc *rtc)
{
	return vm_wall_time(rtc->vm) + rtc->offset_ns;
}

static int64_t second_of(const struct vrtc *rtc, uint64_t raw)
{
	return (int64_t)(raw / NS_PER_SEC) + rtc->offset;
}

/* Length of the periodic interrupt's period in cycles of the crystal, 0: none.
 * Table "Periodic Interrupt Rate and Square Wave Output Frequency". */
static uint64_t period(const struct vrtc *rtc)
{
	uint64_t rate = FIELD_GET(A_RATE, rtc->cmos[RTC_A]);

	if (rate == 0 || is_divider_reset(rtc))
		return 0;
	return 1UL << (rate < 3 ? rate + 6 : rate - 1);
}

static uint64_t period_number(const struct vrtc *rtc, uint64_t raw)
{
	uint64_t length = period(rtc);

	return length ? vclock_ticks(raw, CRYSTAL_HZ) / length : 0;
}

static struct vrtc_time registers(const struct vrtc *rtc)
{
	const uint8_t *cmos = rtc->cmos;

	return (struct vrtc_time){
		.second = cmos[RTC_SECOND],
		.minute = cmos[RTC_MINUTE],
		.hour = cmos[RTC_HOUR],
		.weekday = cmos[RTC_WEEKDAY],
		.day = cmos[RTC_DAY],
		.month = cmos[RTC_MONTH],
		.year = cmos[RTC_YEAR],
		.century = cmos[RTC_CENTURY],
	};
}

/* The running clock's time into its registers. */
static void fill_registers(struct vrtc *rtc, uint64_t raw)
{
	struct vrtc_time time =
		vrtc_time_encode(second_of(rtc, raw), format(rtc));
	uint8_t *cmos = rtc->cmos;

	cmos[RTC_SECOND] = time.second;
	cmos[RTC_MINUTE] = time.minute;
	cmos[RTC_HOUR] = time.hour;
	cmos[RTC_WEEKDAY] = time.weekday;
	cmos[RTC_DAY] = time.day;
	cmos[RTC_MONTH] = time.month;
	cmos[RTC_YEAR] = time.year;
	cmos[RTC_CENTURY] = time.century;
}

/* Next second after those seen that matches the alarm registers. */
static void find_alarm(struct vrtc *rtc)
{
	struct vrtc_time alarm = {
		.second = rtc->cmos[RTC_SECOND_ALARM],
		.minute = rtc->cmos[RTC_MINUTE_ALARM],
		.hour = rtc->cmos[RTC_HOUR_ALARM],
	};

	rtc->alarm =
		vrtc_time_next_match(&alarm, format(rtc), rtc->seen_second + 1);
}

/* Set the flags of what happened since this was last called. */
static void update_flags(struct vrtc *rtc, uint64_t raw)
{
	int64_t second = second_of(rtc, raw);
	uint64_t number = period_number(rtc, raw);

	if (number > rtc->seen_period)
		rtc->cmos[RTC_C] |= C_PERIODIC;
	rtc->seen_period = number;
	if (is_standing(rtc) || second <= rtc->seen_second)
		return;
	rtc->cmos[RTC_C] |= C_UPDATE;
	rtc->seen_second = second;
	if (second < rtc->alarm)
		return;
	rtc->cmos[RTC_C] |= C_ALARM;
	find_alarm(rtc);
}

/* Flags begin anew: the time, its format or a rate was set. */
static void restart_flags(struct vrtc *rtc, uint64_t raw)
{
	rtc->seen_second = second_of(rtc, raw);
	rtc->seen_period = period_number(rtc, raw);
	find_alarm(rtc);
}

/* vm_time() at which the clock will show @second; INT64_MAX: it never will. */
static uint64_t time_of_second(const struct vrtc *rtc, int64_t second,
			       uint64_t raw)
{
	uint64_t fraction = raw % NS_PER_SEC;
	uint64_t time = vm_time(rtc->vm);
	int64_t distance;

	if (second == INT64_MAX)
		return TIME_NEVER;
	/* at most a day, but for a clock that another CPU sees go back */
	distance = second - second_of(rtc, raw);
	if (distance > 0)
		time += (uint64_t)distance * NS_PER_SEC;
	return time > fraction ? time - fraction : 0;
}

static uint64_t time_of_period(const struct vrtc *rtc, uint64_t raw)
{
	uint64_t next = (period_number(rtc, raw) + 1) * period(rtc);

	return vm_time(rtc->vm) + vclock_ns(next, CRYSTAL_HZ) - raw;
}

/* Wait for the first interrupt that is enabled and whose flag is not yet set. */
static void arm(struct vrtc *rtc, uint64_t raw)
{
	uint8_t wanted = rtc->cmos[RTC_B] & C_FLAGS;
	uint64_t time = TIME_NEVER;

	if (rtc->is_replaced || (wanted & rtc->cmos[RTC_C]))
		wanted = 0; /* raised already, until C is read */
	if ((wanted & C_PERIODIC) && period(rtc))
		time = time_of_period(rtc, raw);
	if ((wanted & C_UPDATE) && !is_standing(rtc))
		time = min_u64(time,
			       time_of_second(rtc, rtc->seen_second + 1, raw));
	if ((wanted & C_ALARM) && !is_standing(rtc))
		time = min_u64(time, time_of_second(rtc, rtc->alarm, raw));
	vclock_arm(rtc->vm, VM_TIMER_RTC, time);
}

/* The interrupt line follows the flags; the deadline follows both. */
static void settle(struct vrtc *rtc, uint64_t raw)
{
	uint8_t *c = &rtc->cmos[RTC_C];
	bool was_high = *c & C_REQUEST;
	bool is_high = *c & rtc->cmos[RTC_B] & C_FLAGS;

	*c = (uint8_t)((*c & C_FLAGS) | (is_high ? C_REQUEST : 0));
	if (is_high != was_high && !rtc->is_replaced)
		vm_set_irq(rtc->vm, VRTC_GSI, is_high);
	arm(rtc, raw);
}

void vrtc_timer_fire(struct vrtc *rtc)
{
	uint64_t raw = raw_now(rtc);

	update_flags(rtc, raw);
	settle(rtc, raw);
}

void vrtc_set_replaced(struct vrtc *rtc, bool is_replaced)
{
	uint64_t raw = raw_now(rtc);

	if (rtc->is_replaced == is_replaced)
		return;
	update_flags(rtc, raw);
	rtc->is_replaced = is_replaced;
	vm_set_irq(rtc->vm, VRTC_GSI,
		   !is_replaced && (rtc->cmos[RTC_C] & C_REQUEST));
	settle(rtc, raw);
}

/* The clock shows what the registers say, @fraction ns into that second. */
static void set_time(struct vrtc *rtc, uint64_t fraction)
{
	struct vrtc_time time = registers(rtc);
	int64_t second = vrtc_time_decode(&time, format(rtc));
	uint64_t wall = vm_wall_time(rtc->vm);
	uint64_t wall_fraction = wall % NS_PER_SEC;

	rtc->offset_ns = fraction >= wall_fraction
				 ? fraction - wall_fraction
				 : fraction + NS_PER_SEC - wall_fraction;
	rtc->offset = second - (int64_t)((wall + rtc->offset_ns) / NS_PER_SEC);
}

static void write_time(struct vrtc *rtc, uint8_t index, uint8_t value,
		       uint64_t raw)
{
	if (is_standing(rtc)) {
		rtc->cmos[index] = value;
		return;
	}
	fill_registers(rtc, raw);
	rtc->cmos[index] = value;
	set_time(rtc, raw % NS_PER_SEC);
	restart_flags(rtc, raw_now(rtc));
}

/* Registers A and B: the clock may stop, or go on from its registers. */
static void write_control(struct vrtc *rtc, uint8_t index, uint8_t value,
			  uint64_t raw)
{
	bool was_standing = is_standing(rtc);
	bool was_divider_reset = is_divider_reset(rtc);

	if (!was_standing)
		fill_registers(rtc, raw);
	if (index == RTC_B && (value & B_SET))
		value &= (uint8_t)~C_UPDATE; /* SET clears UIE */
	rtc->cmos[index] =
		index == RTC_A ? value & (uint8_t)~A_UPDATING : value;
	/* a running clock is shown in the new format at once */
	if (was_standing && !is_standing(rtc))
		set_time(rtc, was_divider_reset ? FIRST_UPDATE_NS
						: raw % NS_PER_SEC);
	restart_flags(rtc, raw_now(rtc));
}

static void write_register(struct vrtc *rtc, uint8_t value)
{
	uint8_t index = rtc->index;
	uint64_t raw = raw_now(rtc);

	update_flags(rtc, raw);
	switch (index) {
	case RTC_SECOND_ALARM:
	case RTC_MINUTE_ALARM:
	case RTC_HOUR_ALARM:
		rtc->cmos[index] = value;
		find_alarm(rtc);
		break;
	case RTC_A:
	case RTC_B: write_control(rtc, index, value, raw); break;
	case RTC_C:
	case RTC_D: break; /* read-only */
	default:
		if (is_time(index))
			write_time(rtc, index, value, raw);
		else
			rtc->cmos[index] = value;
		break;
	}
	settle(rtc, raw_now(rtc));
}

static uint8_t read_a(const struct vrtc *rtc, uint64_t raw)
{
	bool is_updating =
		!is_standing(rtc) && raw % NS_PER_SEC >= NS_PER_SEC - UPDATE_NS;

	return (uint8_t)(rtc->cmos[RTC_A] | (is_updating ? A_UPDATING : 0));
}

static uint8_t read_c(struct vrtc *rtc, uint64_t raw)
{
	uint8_t value;

	update_flags(rtc, raw);
	settle(rtc, raw);
	value = rtc->cmos[RTC_C];
	rtc->cmos[RTC_C] &= C_REQUEST; /* for settle to see the line fall */
	settle(rtc, raw);
	return value;
}

static uint8_t read_register(struct vrtc *rtc)
{
	uint64_t raw = raw_now(rtc);

	switch (rtc->index) {
	case RTC_A: return read_a(rtc, raw);
	case RTC_C: return read_c(rtc, raw);
	case RTC_D: return D_VALID;
	default:
		if (is_time(rtc->index) && !is_standing(rtc))
			fill_registers(rtc, raw);
		return rtc->cmos[rtc->index];
	}
}

static uint64_t rtc_read(void *device, uint64_t offset, unsigned int size)
{
	/* the index port cannot be read */
	uint64_t value = offset == 0 ? 0xff : read_register(device);

	if (size == 2)
		value |= (uint64_t)read_register(device) << 8;
	return value;
}

static void rtc_write(void *device, uint64_t offset, unsigned int size,
		      uint64_t value)
{
	struct vrtc *rtc = device;

	if (offset == 0) {
		rtc->index = value & INDEX_MASK;
		value >>= 8;
	}
	if (offset == 1 || size == 2)
		write_register(rtc, (uint8_t)value);
}

static const struct io_ops rtc_ops = { rtc_read, rtc_write };

int vrtc_init(struct vrtc *rtc, struct vm *vm)
{
	const struct io_region ports = { VRTC_PORT, 2, &rtc_ops, rtc, false };

	rtc->vm = vm;
	rtc->cmos[RTC_A] = A_DEFAULT;
	rtc->cmos[RTC_B] = B_DEFAULT;
	vcmos_fill(rtc->cmos, vm);
	restart_flags(rtc, raw_now(rtc));
	return io_add(&vm->ports, &ports);
}
