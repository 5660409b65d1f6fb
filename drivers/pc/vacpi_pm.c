/* ACPI fixed hardware. */
#include "drivers/pc/vacpi_pm.h"

#include "drivers/pc/vclock.h"

/* ACPI 6.4, 4.8.3.1 "PM1 Event Grouping" */
#define PM1_TIMER  BIT(0)
#define PM1_GLOBAL BIT(5)
#define PM1_POWER  BIT(8)
#define PM1_RTC	   BIT(10) /* would wake from sleep states that there are not */
#define PM1_WAKE   BIT(15)
#define PM1_STATUS (PM1_TIMER | PM1_GLOBAL | PM1_POWER | PM1_WAKE)
#define PM1_ENABLE (PM1_TIMER | PM1_GLOBAL | PM1_POWER | PM1_RTC)
/* 4.8.3.2.1 "PM1 Control Registers" */
#define CONTROL_SCI_ENABLE BIT(0)
#define CONTROL_SLEEP_TYPE BITS(12, 10)
#define CONTROL_SLEEP	   BIT(13) /* reads as 0 */

/* TMR_STS is set when the highest bit of the timer changes: each half turn. */
#define HALF_SHIFT 31

static uint64_t timer_now(const struct vacpi_pm *pm)
{
	return vclock_ticks(vm_time(pm->vm), VACPI_PM_TIMER_HZ);
}

/* Bring TMR_STS up to date, and SCI and deadline with it. */
static void settle(struct vacpi_pm *pm)
{
	uint64_t half = timer_now(pm) >> HALF_SHIFT;
	uint64_t time = TIME_NEVER;
	bool is_sci_high;

	if (half > pm->half)
		pm->status |= PM1_TIMER;
	pm->half = half;
	is_sci_high = pm->status & pm->enable;
	if (is_sci_high != pm->is_sci_high)
		vm_set_irq(pm->vm, VM_SCI_GSI, is_sci_high);
	pm->is_sci_high = is_sci_high;
	if ((pm->enable & PM1_TIMER) && !(pm->status & PM1_TIMER))
		time = vclock_ns((half + 1) << HALF_SHIFT, VACPI_PM_TIMER_HZ);
	vclock_arm(pm->vm, VM_TIMER_PM, time);
}

void vacpi_pm_timer_fire(struct vacpi_pm *pm)
{
	settle(pm);
}

void vacpi_pm_press_power_button(struct vacpi_pm *pm)
{
	pm->status |= PM1_POWER;
	settle(pm);
}

/* The bytes [offset, offset + size) of a register of at most 8 bytes. */
static uint64_t bytes_of(uint64_t value, uint64_t offset, unsigned int size)
{
	return value >> (8 * offset) & BITS(8 * size - 1, 0);
}

static uint64_t mask_of(uint64_t offset, unsigned int size)
{
	return BITS(8 * size - 1, 0) << (8 * offset);
}

static uint64_t event_read(void *device, uint64_t offset, unsigned int size)
{
	struct vacpi_pm *pm = device;

	settle(pm);
	return bytes_of((uint64_t)pm->enable << 16 | pm->status, offset, size);
}

static void event_write(void *device, uint64_t offset, unsigned int size,
			uint64_t value)
{
	struct vacpi_pm *pm = device;
	uint64_t mask = mask_of(offset, size);

	value = value << (8 * offset) & mask;
	settle(pm);
	pm->status &= (uint16_t)~value; /* write 1 to clear */
	pm->enable = (uint16_t)(((pm->enable & ~(mask >> 16)) | value >> 16) &
				PM1_ENABLE);
	settle(pm);
}

static uint64_t control_read(void *device, uint64_t offset, unsigned int size)
{
	const struct vacpi_pm *pm = device;

	return bytes_of(pm->control, offset, size);
}

/* A sleep that is not S5 ends as it begins: _S5 is all the guest is offered. */
static void enter_sleep(struct vacpi_pm *pm)
{
	if (FIELD_GET(CONTROL_SLEEP_TYPE, pm->control) == VACPI_PM_S5) {
		vm_end(pm->vm, VM_END_POWER_OFF);
		return;
	}
	pm->status |= PM1_WAKE;
	settle(pm);
}

static void control_write(void *device, uint64_t offset, unsigned int size,
			  uint64_t value)
{
	struct vacpi_pm *pm = device;
	uint64_t mask = mask_of(offset, size);

	value = value << (8 * offset) & mask;
	pm->control = (uint16_t)(((pm->control & ~mask) | value |
				  CONTROL_SCI_ENABLE) &
				 ~CONTROL_SLEEP);
	if (value & CONTROL_SLEEP)
		enter_sleep(pm);
}

/* Without the lock: it only looks at the time. */
static uint64_t timer_read(void *device, uint64_t offset, unsigned int size)
{
	return bytes_of((uint32_t)timer_now(device), offset, size);
}

static void timer_write(void *device, uint64_t offset, unsigned int size,
			uint64_t value)
{
	(void)device; /* read-only */
	(void)offset;
	(void)size;
	(void)value;
}

#define GPE_ENABLE_OFFSET 8

/* No device raises a general-purpose event: status reads as 0. */
static uint64_t gpe_read(void *device, uint64_t offset, unsigned int size)
{
	const struct vacpi_pm *pm = device;

	if (offset < GPE_ENABLE_OFFSET)
		return 0;
	return bytes_of(pm->gpe_enable, offset - GPE_ENABLE_OFFSET, size);
}

static void gpe_write(void *device, uint64_t offset, unsigned int size,
		      uint64_t value)
{
	struct vacpi_pm *pm = device;
	uint64_t mask;

	if (offset < GPE_ENABLE_OFFSET)
		return;
	offset -= GPE_ENABLE_OFFSET;
	mask = mask_of(offset, size);
	pm->gpe_enable =
		(pm->gpe_enable & ~mask) | (value << (8 * offset) & mask);
}

static const struct io_ops event_ops = { event_read, event_write };
static const struct io_ops control_ops = { control_read, control_write };
static const struct io_ops timer_ops = { timer_read, timer_write };
static const struct io_ops gpe_ops = { gpe_read, gpe_write };

int vacpi_pm_init(struct vacpi_pm *pm, struct vm *vm)
{
	const struct io_region regions[] = {
		{ VACPI_PM_EVENT_PORT, VACPI_PM_EVENT_SIZE, &event_ops, pm,
		  false },
		{ VACPI_PM_CONTROL_PORT, VACPI_PM_CONTROL_SIZE, &control_ops,
		  pm, false },
		{ VACPI_PM_TIMER_PORT, VACPI_PM_TIMER_SIZE, &timer_ops, pm,
		  true },
		{ VACPI_PM_GPE0_PORT, VACPI_PM_GPE0_SIZE, &gpe_ops, pm, false },
	};
	int error = 0;

	pm->vm = vm;
	pm->control = CONTROL_SCI_ENABLE;
	for (size_t i = 0; i < ARRAY_SIZE(regions) && !error; i++)
		error = io_add(&vm->ports, &regions[i]);
	return error;
}
