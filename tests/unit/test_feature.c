/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Kernel features by name, the effect of a list of hidden features, and the limits that follow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "kernel/feature.h"

/* A kernel with all features. */
static struct kernel_features everything(void)
{
	struct kernel_features have;
	size_t n;
	const struct feature *features = feature_all(&n);

	memset(&have, 0, sizeof(have));
	for (size_t i = 0; i < n; i++)
		*(bool *)((char *)&have + features[i].offset) = true;
	return have;
}

static bool has(const struct kernel_features *have, const char *name)
{
	size_t n;
	const struct feature *features = feature_all(&n);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(features[i].name, name))
			return feature_have(have, &features[i]);
	fail_msg("no feature is named %s", name);
	return false;
}

static unsigned limits_of(const struct kernel_features *have)
{
	size_t n;
	const struct feature_limit *limits = feature_limits(&n);
	unsigned hold = 0;

	for (size_t i = 0; i < n; i++)
		hold += feature_limit_holds(have, &limits[i]);
	return hold;
}

static void test_names_and_places_are_of_one_feature_each(void **state)
{
	size_t n;
	const struct feature *features = feature_all(&n);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(features[i].name, features[k].name);
			assert_int_not_equal(features[i].offset, features[k].offset);
		}
}

static void test_each_limit_names_what_would_lift_it(void **state)
{
	struct kernel_features have = everything();
	size_t n;
	const struct feature_limit *limits = feature_limits(&n);

	(void)state;
	for (size_t i = 0; i < n; i++)
		if (limits[i].lacking)
			assert_true(has(&have, limits[i].lacking));
}

static void test_hides_nothing_without_names(void **state)
{
	struct kernel_features have = everything(), all = have;

	(void)state;
	assert_null(feature_hide(&have, NULL));
	assert_null(feature_hide(&have, ""));
	assert_memory_equal(&have, &all, sizeof(have));
}

static void test_hides_only_the_named_features(void **state)
{
	struct kernel_features have = everything();

	(void)state;
	assert_null(feature_hide(&have, "cookie,fork"));
	assert_false(has(&have, "cookie"));
	assert_false(has(&have, "fork"));
	have.cookie = have.fork = true;
	assert_memory_equal(&have, &(struct kernel_features[]){everything()}[0], sizeof(have));
}

static void test_a_part_goes_with_the_whole(void **state)
{
	struct kernel_features have = everything();

	(void)state;
	assert_null(feature_hide(&have, "send_reset"));
	assert_false(has(&have, "send_reset_reason"));
	have = everything();
	assert_null(feature_hide(&have, "send_reset_reason"));
	assert_true(has(&have, "send_reset"));
}

static void test_refuses_unknown_names(void **state)
{
	static const struct {
		const char *names, *why;
	} wrong[] = {
		{"cooki", "no feature is named 'cooki'"},
		{"cookies", "no feature is named 'cookies'"},
		{"fork,,cookie", "no feature is named ''"},
		{"fork cookie", "no feature is named 'fork cookie'"},
		{",", "no feature is named ''"},
	};
	struct kernel_features have = everything();
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		why = feature_hide(&have, wrong[i].names);
		assert_non_null(why);
		assert_string_equal(why, wrong[i].why);
	}
}

static void test_hidden_features_are_limits(void **state)
{
	struct kernel_features have = everything();
	unsigned least = limits_of(&have);

	(void)state;
	assert_null(feature_hide(&have, "cookie"));
	assert_int_equal(limits_of(&have), least + 1);
	assert_null(feature_hide(&have, "error_report"));
	assert_int_equal(limits_of(&have), least + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_and_places_are_of_one_feature_each),
		cmocka_unit_test(test_each_limit_names_what_would_lift_it),
		cmocka_unit_test(test_hides_nothing_without_names),
		cmocka_unit_test(test_hides_only_the_named_features),
		cmocka_unit_test(test_a_part_goes_with_the_whole),
		cmocka_unit_test(test_refuses_unknown_names),
		cmocka_unit_test(test_hidden_features_are_limits),
	};

	return cmocka_run_group_tests_name("feature", tests, NULL, NULL);
}
