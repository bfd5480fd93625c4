/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Full accept queues: which ones are reported, with what count and how often. The listeners are the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "early/accept_queues.c"

static struct lp_record listener; /* its address is 64 */
static struct lp_filled filled;
static bool is_listed;
static struct lp_alarms alarms;
static struct accept_queues *queues;
static unsigned n_reported;
static struct lp_record reported[32];
static enum lp_cause told[32];
static struct repeat repeats[32];
static struct refused refused[32];

int sockets_look_at(struct kernel *kernel, const __u64 *sockets, size_t n, __u32 states, sockets_take *take,
		    void *context)
{
	struct lp_record none = {0};

	(void)kernel;
	assert_int_equal(states, 1u << TCP_LISTEN);
	for (size_t i = 0; i < n; i++)
		take(context, sockets[i] == 64 ? &listener : &none);
	return 0;
}

void sockets_name(struct kernel *kernel, struct lp_record *record)
{
	(void)kernel;
	record->task.tgid = 7;
}

int sockets_list_filled(struct kernel *kernel, struct sockets_filled *items, size_t most, size_t *n)
{
	(void)kernel;
	(void)most;
	*n = is_listed;
	if (is_listed)
		*items = (struct sockets_filled){64, filled};
	return 0;
}

void sockets_add_filled(struct kernel *kernel, __u64 sk, const struct lp_filled *added)
{
	(void)kernel;
	(void)sk;
	filled = *added;
	is_listed = true;
}

void sockets_forget_filled(struct kernel *kernel, __u64 sk)
{
	(void)kernel;
	(void)sk;
	is_listed = false;
}

volatile struct lp_alarms *sockets_alarms(struct kernel *kernel)
{
	(void)kernel;
	return &alarms;
}

/* Both clocks are one here. */
__u64 clock_wall_from_monotonic(__u64 monotonic_ns)
{
	return monotonic_ns;
}

static struct lp_turned_away seen;

bool sockets_turned_away(struct kernel *kernel, __u32 netns, struct lp_turned_away *copy)
{
	(void)kernel;
	(void)netns;
	*copy = seen;
	return true;
}

void sockets_set_turned_away(struct kernel *kernel, __u32 netns, const struct lp_turned_away *copy)
{
	(void)kernel;
	(void)netns;
	seen = *copy;
}

static void take_reported(void *context, struct event *event)
{
	(void)context;
	told[n_reported] = event->verdict.cause;
	repeats[n_reported] = event->repeat;
	refused[n_reported] = event->refused;
	reported[n_reported++] = *event->record;
	event_free(event);
}

static const struct early_calls calls = {.found = take_reported};

static void set_queue(__u32 length, __u32 drops)
{
	listener = (struct lp_record){.kind = LP_KIND_LOOK,
				      .socket.state = TCP_LISTEN,
				      .socket.sk = 64,
				      .socket.local_port = 80,
				      .socket.ack_backlog = length,
				      .socket.max_ack_backlog = 4,
				      .socket.drops = drops,
				      .socket.flags = LP_F_SOCKET | LP_F_FILE};
}

/* As the BPF program does when a connection fills the queue. */
static void fill(__u64 now_ns)
{
	filled =
		(struct lp_filled){.since_ns = now_ns, .drops = listener.socket.drops, .queues = 1u << LP_QUEUE_ACCEPT};
	is_listed = true;
	alarms.queues = 1;
	accept_queues_tick(queues, now_ns);
}

static void run_to(__u64 now_ns)
{
	__u64 at;

	while ((at = accept_queues_deadline(queues)) && at <= now_ns)
		accept_queues_tick(queues, at);
}

static int begin(void **state)
{
	(void)state;
	n_reported = 0;
	is_listed = false;
	filled = (struct lp_filled){0};
	alarms = (struct lp_alarms){0};
	queues = accept_queues_new(NULL, &calls);
	seen = (struct lp_turned_away){{50, 60}};
	set_queue(0, 1000);
	return queues ? 0 : -1;
}

static int end_test(void **state)
{
	(void)state;
	accept_queues_free(queues);
	return 0;
}

static void test_reported_after_a_second_with_its_count(void **state)
{
	(void)state;
	set_queue(5, 1000);
	fill(100 * CLOCK_SECOND);
	set_queue(5, 1007);
	run_to(101 * CLOCK_SECOND - 1);
	assert_int_equal(n_reported, 0);
	run_to(101 * CLOCK_SECOND);
	assert_int_equal(n_reported, 1);
	assert_int_equal(told[0], ACCEPT_DROPPED_QUEUE_FULL);
	assert_int_equal(repeats[0].count, 7);
	assert_int_equal(repeats[0].first_ns, 100 * CLOCK_SECOND);
	assert_int_equal(reported[0].socket.ack_backlog, 5);
	assert_int_equal(reported[0].socket.max_ack_backlog, 4);
	assert_int_equal(reported[0].who, LP_WHO_LISTENER);
	assert_int_equal(reported[0].socket.flags, 0);
}

static void test_repeats_at_growing_intervals(void **state)
{
	__u64 sum = 0;

	(void)state;
	set_queue(5, 1000);
	fill(100 * CLOCK_SECOND);
	for (__u32 i = 1; i <= 1000; i++) {
		set_queue(5, 1000 + i);
		run_to((100 + i) * CLOCK_SECOND);
	}
	assert_int_equal(n_reported, 8); /* after 1, 11, 31, 71, 151, 311, 631 and 951 s */
	for (unsigned i = 0; i < n_reported; i++)
		sum += repeats[i].count;
	assert_int_equal(sum, 951);
}

static void test_full_without_a_drop_is_not_reported(void **state)
{
	(void)state;
	set_queue(5, 1000);
	fill(100 * CLOCK_SECOND);
	run_to(200 * CLOCK_SECOND);
	assert_int_equal(n_reported, 0);
	set_queue(2, 1000);
	run_to(300 * CLOCK_SECOND);
	assert_false(is_listed);
	assert_int_equal(accept_queues_deadline(queues), 0);
	assert_int_equal(alarms.queues, 0); /* the next full queue wakes the agent */
}

/* The agent never found the queue full, so the drops may have another reason. */
static void test_drained_in_time_is_not_reported(void **state)
{
	(void)state;
	set_queue(5, 1000);
	fill(100 * CLOCK_SECOND);
	set_queue(1, 1003);
	run_to(300 * CLOCK_SECOND);
	assert_int_equal(n_reported, 0);
	assert_false(is_listed);
}

/* The kernel's own counts of the namespace. */
static void set_counts(__u64 overflows, __u64 syn_drops)
{
	listener.socket.known = LP_KNOWN_TURNED_AWAY;
	listener.socket.overflows = overflows;
	listener.socket.syn_drops = syn_drops;
}

static void test_overflow_for_a_moment_is_counted_exactly(void **state)
{
	(void)state;
	set_queue(5, 1000);
	fill(100 * CLOCK_SECOND);
	set_queue(1, 1013); /* a last acknowledgement counts twice, and other drops count too */
	set_counts(57, 60);
	run_to(300 * CLOCK_SECOND);
	assert_int_equal(n_reported, 1);
	assert_int_equal(told[0], ACCEPT_DROPPED_QUEUE_FULL);
	assert_int_equal(repeats[0].count, 7);
	assert_false(is_listed);
}

static void test_drops_without_an_overflow_are_not_reported(void **state)
{
	(void)state;
	set_queue(5, 1000);
	fill(100 * CLOCK_SECOND);
	set_queue(5, 1003);
	set_counts(50, 63);
	run_to(300 * CLOCK_SECOND);
	assert_int_equal(n_reported, 0);
	assert_int_equal(seen.count[LP_QUEUE_SYN], 60); /* of a queue that is not noticed yet */
}

static void test_syn_queue_is_told_with_what_it_dropped_before(void **state)
{
	(void)state;
	set_queue(0, 1009);
	fill(100 * CLOCK_SECOND);
	filled.queues = 1u << LP_QUEUE_SYN;
	set_counts(50, 69);
	run_to(101 * CLOCK_SECOND);
	assert_int_equal(n_reported, 1);
	assert_int_equal(told[0], ACCEPT_DROPPED_SYN_QUEUE_FULL);
	assert_int_equal(repeats[0].count, 9);
	run_to(150 * CLOCK_SECOND);
	assert_int_equal(n_reported, 1);
}

/* As the BPF programs do when a listener drops segments for their signature. */
static void refuse(__u64 now_ns, __u32 count, __u16 signatures, __u16 several_sources)
{
	filled.queues = 1u << LP_QUEUE_SIGNATURE;
	filled.refused += count;
	filled.signatures = signatures;
	filled.several_sources = several_sources;
	filled.source_addr[0] = 192;
	if (!is_listed) {
		filled.since_ns = now_ns;
		is_listed = true;
		alarms.queues = 1;
		accept_queues_tick(queues, now_ns);
	}
}

static void test_bad_signatures_are_counted_with_their_source(void **state)
{
	(void)state;
	set_counts(50, 60);
	refuse(100 * CLOCK_SECOND, 3, 1u << LP_SIGNATURE_MISSING, 0);
	listener.socket.drops += 3;
	run_to(101 * CLOCK_SECOND);
	assert_int_equal(n_reported, 1);
	assert_int_equal(told[0], ACCEPT_DROPPED_BAD_SIGNATURE);
	assert_int_equal(repeats[0].count, 3);
	assert_int_equal(repeats[0].first_ns, 100 * CLOCK_SECOND);
	assert_int_equal(reported[0].socket.peer_addr[0], 192);
	assert_int_equal(refused[0].signature, LP_SIGNATURE_MISSING);
	assert_int_equal(refused[0].by, BY_LOCAL);
	refuse(0, 40, 1u << LP_SIGNATURE_MISSING | 1u << LP_SIGNATURE_WRONG, 1);
	run_to(105 * CLOCK_SECOND);
	assert_int_equal(n_reported, 1);
	run_to(111 * CLOCK_SECOND);
	assert_int_equal(n_reported, 2);
	assert_int_equal(repeats[1].count, 40);
	assert_int_equal(reported[1].socket.peer_addr[0], 0);
	assert_int_equal(refused[1].signature, LP_SIGNATURE_NONE);
	run_to(200 * CLOCK_SECOND);
	assert_int_equal(n_reported, 2);
	assert_false(is_listed);
}

/* Where the accept queue overflows too, the drops for a signature are not its own. */
static void test_bad_signatures_are_no_overflow(void **state)
{
	(void)state;
	set_queue(5, 1000);
	fill(100 * CLOCK_SECOND);
	refuse(0, 4, 1u << LP_SIGNATURE_WRONG, 0);
	set_queue(5, 1004);
	run_to(101 * CLOCK_SECOND);
	assert_int_equal(n_reported, 1);
	assert_int_equal(told[0], ACCEPT_DROPPED_BAD_SIGNATURE);
	assert_int_equal(repeats[0].count, 4);
}

static void test_closed_listener_is_forgotten(void **state)
{
	(void)state;
	set_queue(5, 1000);
	fill(100 * CLOCK_SECOND);
	listener.kind = 0;
	run_to(300 * CLOCK_SECOND);
	assert_int_equal(n_reported, 0);
	assert_false(is_listed);
	assert_int_equal(accept_queues_deadline(queues), 0);
}

static void test_lists_queues_that_were_full_before(void **state)
{
	(void)state;
	set_queue(4, 1000);
	accept_queues_seed(queues, &listener);
	assert_false(is_listed); /* one more connection fits */
	set_queue(5, 1000);
	accept_queues_seed(queues, &listener);
	assert_true(is_listed);
	assert_int_equal(filled.drops, 1000);
	assert_int_equal(alarms.queues, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end_test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reported_after_a_second_with_its_count),
		TEST(test_repeats_at_growing_intervals),
		TEST(test_full_without_a_drop_is_not_reported),
		TEST(test_drained_in_time_is_not_reported),
		TEST(test_overflow_for_a_moment_is_counted_exactly),
		TEST(test_drops_without_an_overflow_are_not_reported),
		TEST(test_syn_queue_is_told_with_what_it_dropped_before),
		TEST(test_bad_signatures_are_counted_with_their_source),
		TEST(test_bad_signatures_are_no_overflow),
		TEST(test_closed_listener_is_forgotten),
		TEST(test_lists_queues_that_were_full_before),
	};

	return cmocka_run_group_tests_name("queues", tests, NULL, NULL);
}
