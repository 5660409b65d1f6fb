/*
 * Lending the local APIC to the CPU, where it takes vectors and EOIs by itself
 * (vcpu->apic).
 *
 *	           accept         lend                CPU       CPU
 *	(any CPU) -------> irr ---------> page's IRR -----> ISR -----> out
 *	                    ^                 |              |
 *	                    +--- take back ---+   take back  +-----> isr
 *
 * While it is lent, the vectors in service and those that waited at an entry are in
 * the page; `irr` holds what came since. The page is the CPU's while the guest runs
 * and its thread's else, so nobody has to change it atomically: what others accept
 * waits in `irr`, and its request ends the run. Exits that do not look at vectors
 * leave it lent. Who looks takes it back, which makes an event due: the next entry
 * lends it again.
 *
 * The CPU knows no TMR. Of level-triggered vectors it is told to exit at the EOI,
 * by TMR as it was when they were lent, which is after they came: accept sets TMR
 * first.
 */
#include "drivers/pc/lapic.h"

#include "drivers/pc/lapic_state.h"

/* Word @i of the group of registers at @reg: two registers of 32 bits. */
static uint64_t read_word(const uint32_t *page, uint32_t reg, unsigned int i)
{
	const uint32_t *pair = &page[(reg + 2 * i) * 4];

	return pair[0] | (uint64_t)pair[4] << 32;
}

static void write_word(uint32_t *page, uint32_t reg, unsigned int i,
		       uint64_t value)
{
	uint32_t *pair = &page[(reg + 2 * i) * 4];

	pair[0] = (uint32_t)value;
	pair[4] = (uint32_t)(value >> 32);
}

static void lend_service(struct lapic *lapic, uint32_t *page)
{
	for (unsigned int i = 0; i < LAPIC_WORDS; i++)
		write_word(page, LAPIC_ISR, i, lapic->isr[i]);
	lapic->is_lent = true;
}

/* acquire: pairs with accept, whose TMR is then seen too */
static void lend_requests(struct lapic *lapic, uint32_t *page)
{
	for (unsigned int i = 0; i < LAPIC_WORDS; i++) {
		uint64_t *word = &lapic->irr[i];

		if (__atomic_load_n(word, __ATOMIC_RELAXED))
			write_word(page, LAPIC_IRR, i,
				   read_word(page, LAPIC_IRR, i) |
					   __atomic_exchange_n(
						   word, 0, __ATOMIC_ACQUIRE));
	}
}

static void lend_levels(struct lapic *lapic, struct vcpu_apic *apic)
{
	for (unsigned int i = 0; i < LAPIC_WORDS; i++) {
		uint64_t levels =
			__atomic_load_n(&lapic->tmr[i], __ATOMIC_RELAXED);

		if (apic->eoi_exits[i] == levels)
			continue;
		apic->eoi_exits[i] = levels;
		write_word(apic->page, LAPIC_TMR, i, levels);
	}
}

void lapic_lend(struct lapic *lapic)
{
	struct vcpu_apic *apic = &lapic->vcpu->apic;

	if (!lapic->is_lent)
		lend_service(lapic, apic->page);
	else if (lapic_is_empty(lapic->irr))
		return;
	lend_requests(lapic, apic->page);
	lend_levels(lapic, apic);
	apic->is_changed = true;
}

void lapic_take_back(struct lapic *lapic)
{
	uint32_t *page = lapic->vcpu->apic.page;

	for (unsigned int i = 0; i < LAPIC_WORDS; i++) {
		uint64_t requested = read_word(page, LAPIC_IRR, i);

		lapic->isr[i] = read_word(page, LAPIC_ISR, i);
		if (!requested)
			continue;
		__atomic_fetch_or(&lapic->irr[i], requested, __ATOMIC_RELAXED);
		write_word(page, LAPIC_IRR, i, 0);
	}
	lapic->in_service = lapic_highest(lapic->isr);
	lapic->is_lent = false;
	lapic->vcpu->is_event_due = true;
}

/* PV EOI is withdrawn here, and not offered while the CPU takes the vectors. The CPU
 * would send itself IPIs, whatever SVR says. */
void lapic_choose_worker(struct lapic *lapic)
{
	const uint32_t needed = ROUTE_X2APIC | ROUTE_SOFTWARE;
	struct vcpu_apic *apic = &lapic->vcpu->apic;
	bool is_on = apic->page && (lapic->route & needed) == needed;

	if (is_on == apic->is_on)
		return;
	lapic_settle(lapic, true);
	apic->is_on = is_on;
	apic->is_changed = true;
	lapic_mirror(lapic);
	vcpu_request(lapic->vcpu, REQUEST_EVENT);
}
