/* Which CPUs need what between guests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/cpu/speculation.h"
#include "kernel/lib/bits.h"

#define MD_CLEAR  0x400U
#define IBRS	  0x4000000U
#define L1D_FLUSH 0x10000000U

static void knows_cpus(void **state)
{
	static const struct {
		struct speculation_words words;
		struct speculation needs;
	} rows[] = {
		/* old microcode: nothing can be done */
		{ { true, 0, 0, 0 }, { false, false, false, true } },
		/* Haswell, Skylake with microcode */
		{ { true, MD_CLEAR | IBRS | L1D_FLUSH, 0, 0 },
		  { true, true, true, true } },
		/* Cascade Lake: neither Meltdown nor MDS, but stale data */
		{ { true, MD_CLEAR | IBRS | L1D_FLUSH, 0, 0x2002b },
		  { true, false, true, true } },
		/* the same with older microcode: TSX leaks */
		{ { true, MD_CLEAR | IBRS | L1D_FLUSH, 0, 0x2b },
		  { true, false, true, true } },
		/* free of MDS and TAA */
		{ { true, MD_CLEAR | IBRS | L1D_FLUSH, 0, 0x12b },
		  { true, false, false, true } },
		/* Ice Lake: stale data, and microcode for it */
		{ { true, MD_CLEAR | IBRS | L1D_FLUSH, 0, 0x2006f },
		  { true, false, true, false } },
		/* Sapphire Rapids: free of all */
		{ { true, MD_CLEAR | IBRS | L1D_FLUSH, 0, 0x802e16f },
		  { true, false, false, false } },
		/* not quite free of stale data */
		{ { true, IBRS, 0, 0x20000 | 0x6000 },
		  { true, false, true, true } },
		/* Gracemont: register files */
		{ { true, IBRS, 0, BIT(28) | 0x6f },
		  { true, false, true, false } },
		{ { true, IBRS, 0, BIT(27) | BIT(28) | 0x6f },
		  { true, false, false, false } },
		/* AMD */
		{ { false, MD_CLEAR | L1D_FLUSH, BIT(12), 0 },
		  { true, false, false, false } },
		{ { false, 0, 0, 0 }, { false, false, false, false } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct speculation s = speculation_of(&rows[i].words);

		assert_int_equal(s.has_ibpb, rows[i].needs.has_ibpb);
		assert_int_equal(s.has_l1d_flush, rows[i].needs.has_l1d_flush);
		assert_int_equal(s.needs_verw, rows[i].needs.needs_verw);
		assert_int_equal(s.has_large_code_bug,
				 rows[i].needs.has_large_code_bug);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
