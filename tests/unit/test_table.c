/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Items are found by their key, the last one first, as long as they are in the table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/table.h"

#define ITEMS (4 * TABLE_BUCKETS)

struct item {
	struct table_link link;
	unsigned number;
};

static struct table table;
static struct item items[ITEMS];

static int begin(void **state)
{
	(void)state;
	table = (struct table){0};
	for (unsigned i = 0; i < ITEMS; i++)
		items[i].number = i;
	return 0;
}

static void test_an_empty_table_finds_nothing(void **state)
{
	(void)state;
	assert_null(table_find(&table, 0));
	assert_null(table_find(&table, UINT64_MAX));
}

/* More items than buckets, so that some share theirs: keys like addresses, which differ in the middle. */
static void test_each_key_finds_its_own_item(void **state)
{
	struct item *found;

	(void)state;
	for (unsigned i = 0; i < ITEMS; i++)
		table_add(&table, &items[i], 0xffff888000000000ULL + i * 2304ULL);
	for (unsigned i = 0; i < ITEMS; i += 2)
		table_remove(&table, &items[i]);
	for (unsigned i = 0; i < ITEMS; i++) {
		found = table_find(&table, 0xffff888000000000ULL + i * 2304ULL);
		assert_ptr_equal(found, i % 2 ? &items[i] : NULL);
		assert_null(found ? table_next(found) : NULL);
	}
}

static void test_of_one_key_the_last_comes_first(void **state)
{
	const struct item *item;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		table_add(&table, &items[i], 7);
	table_remove(&table, &items[2]);
	item = table_find(&table, 7);
	assert_int_equal(item->number, 3);
	item = table_next(item);
	assert_int_equal(item->number, 1);
	item = table_next(item);
	assert_int_equal(item->number, 0);
	assert_null(table_next(item));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_an_empty_table_finds_nothing, begin),
		cmocka_unit_test_setup(test_each_key_finds_its_own_item, begin),
		cmocka_unit_test_setup(test_of_one_key_the_last_comes_first, begin),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
