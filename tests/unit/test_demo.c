/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The rows of the demonstration: every cause that a connection can have, each with a unique name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "demo/row.h"

static void test_every_cause_of_a_connection_has_a_row(void **state)
{
	bool has[CAUSE_COUNT] = {false};

	(void)state;
	for (size_t i = 0; i < row_count(); i++)
		has[demo_rows[i].cause] = true;
	for (int cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++)
		if (has[cause] == (cause_event((enum lp_cause)cause) == EVENT_EVENTS_LOST))
			fail_msg("%s: %s", cause_name((enum lp_cause)cause), has[cause] ? "a row" : "no row");
}

static void test_no_two_rows_have_the_same_name(void **state)
{
	char one[128], other[128];

	(void)state;
	for (size_t i = 0; i < row_count(); i++) {
		row_name(&demo_rows[i], one, sizeof(one));
		for (size_t j = 0; j < i; j++) {
			row_name(&demo_rows[j], other, sizeof(other));
			assert_string_not_equal(one, other);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cause_of_a_connection_has_a_row),
		cmocka_unit_test(test_no_two_rows_have_the_same_name),
	};

	return cmocka_run_group_tests_name("demo", tests, NULL, NULL);
}
