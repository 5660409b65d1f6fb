/* The deadline heap against a naive model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fake.h"
#include "kernel/timer_heap.h"

#define NODES 200

static uint64_t model_first(const struct timer_node *nodes)
{
	uint64_t first = UINT64_MAX;

	for (int i = 0; i < NODES; i++) {
		if (nodes[i].is_queued && nodes[i].deadline < first)
			first = nodes[i].deadline;
	}
	return first;
}

static void agrees_with_a_naive_model(void **state)
{
	struct timer_node nodes[NODES] = { 0 };
	struct timer_heap heap = { 0 };

	(void)state;
	srand(7);
	for (int i = 0; i < 100000; i++) {
		struct timer_node *node = &nodes[rand() % NODES];
		struct timer_node *first;

		if (rand() % 3 == 0 && heap.root)
			timer_heap_remove(&heap, timer_heap_first(&heap));
		else if (node->is_queued)
			timer_heap_remove(&heap, node);
		else
			timer_heap_add(&heap, node, (uint64_t)(rand() % 1000));
		first = timer_heap_first(&heap);
		assert_int_equal(first ? first->deadline : UINT64_MAX,
				 model_first(nodes));
	}
}

static void pops_in_order(void **state)
{
	struct timer_node nodes[NODES] = { 0 };
	struct timer_heap heap = { 0 };
	uint64_t last = 0;

	(void)state;
	for (uint64_t i = 0; i < NODES; i++)
		timer_heap_add(&heap, &nodes[i], i * 7919 % 1009);
	for (int i = 0; i < NODES; i++) {
		struct timer_node *first = timer_heap_first(&heap);

		assert_true(first->deadline >= last);
		last = first->deadline;
		timer_heap_remove(&heap, first);
		timer_heap_remove(&heap,
				  first); /* out already: nothing happens */
	}
	assert_null(timer_heap_first(&heap));
}

static void refuses_to_queue_twice(void **state)
{
	struct timer_node node = { 0 };
	struct timer_heap heap = { 0 };

	(void)state;
	timer_heap_add(&heap, &node, 1);
	if (!setjmp(fake_panic_jump)) {
		fake_panic_expected = true;
		timer_heap_add(&heap, &node, 2);
		fail();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_a_naive_model),
		cmocka_unit_test(pops_in_order),
		cmocka_unit_test(refuses_to_queue_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
