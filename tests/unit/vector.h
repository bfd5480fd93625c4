/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Vectors for judge_record(): facts in, verdict out. Each is a test with a name. */
#ifndef TESTS_UNIT_VECTOR_H
#define TESTS_UNIT_VECTOR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "event/judge.h"
#include "facts.h"

#define VECTORS_MAX 160

/* Features that a vector's kernel lacks. */
enum lacks {
	LACKS_NOTHING,
	LACKS_ERROR_REPORT,
	LACKS_SEND_RESET,
	LACKS_PROBE_TIME,
	LACKS_RETRANSMIT_FAILED,
	LACKS_RETRANSMIT
};

struct vector {
	const char *name;
	struct facts in;
	struct verdict out; /* {0}: no event */
	bool reset_after;   /* a RST of ours follows the close */
	enum lacks lacks;
};

static inline struct judge_kernel kernel_of(const struct vector *v)
{
	return (struct judge_kernel){
		.error_report = v->lacks != LACKS_ERROR_REPORT,
		.send_reset = v->lacks != LACKS_SEND_RESET,
		.probe_time = v->lacks != LACKS_PROBE_TIME,
		.retransmit = v->lacks != LACKS_RETRANSMIT,
		.retransmit_failed = v->lacks != LACKS_RETRANSMIT && v->lacks != LACKS_RETRANSMIT_FAILED,
	};
}

static inline void check_verdict(const struct verdict *got, const struct verdict *expected)
{
	assert_string_equal(event_name(cause_event(got->cause)), event_name(cause_event(expected->cause)));
	assert_string_equal(cause_name(got->cause), cause_name(expected->cause));
	if (!expected->cause)
		return;
	assert_string_equal(by_name(got->by), by_name(expected->by));
	assert_string_equal(phase_name(got->phase), phase_name(expected->phase));
	assert_string_equal(cause_name(got->ambiguous), cause_name(expected->ambiguous));
}

static inline void test_vector(void **state)
{
	const struct vector *v = *state;
	struct judge_kernel kernel = kernel_of(v);
	struct lp_record r = record_of(&v->in);
	struct verdict got =
		r.kind == LP_KIND_LOOK ? judge_found(&r, v->out.cause) : judge_record(&r, v->reset_after, &kernel);

	check_verdict(&got, &v->out);
	/* the RST may also come first: then the record itself has it */
	if (v->reset_after) {
		r.socket.flags |= LP_F_RST_AFTER;
		got = judge_record(&r, false, &kernel);
		check_verdict(&got, &v->out);
	}
}

/* Appends a test for each vector to tests[*n]. */
static inline void add_vectors(struct CMUnitTest *tests, size_t *n, const struct vector *vectors, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		assert_true(*n < VECTORS_MAX);
		tests[(*n)++] = (struct CMUnitTest){
			.name = vectors[i].name,
			.test_func = test_vector,
			.initial_state = (void *)(uintptr_t)&vectors[i],
		};
	}
}

/* At least one vector makes each cause of the event. */
static inline void check_all_made(enum lp_event event, const struct vector *vectors, size_t count)
{
	for (int cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++) {
		bool made = false;

		for (size_t i = 0; i < count; i++)
			made |= (int)vectors[i].out.cause == cause;
		if (!made && cause_event((enum lp_cause)cause) == event)
			fail_msg("no vector for %s/%s", event_name(event), cause_name((enum lp_cause)cause));
	}
}

#endif
