/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The way of an event through the real code, from the record to the feeds: it is judged once and made once, whatever it
 * waits for. The kernel, the clock and the feeds are the test's; the linker wraps the counted functions.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "base/clock.h"
#include "facts.h"
#include "kernel/feature.h"
#include "kernel/kernel.h"
#include "kernel/open_files.h"
#include "kernel/remembered.h"
#include "kernel/sockets.h"
#include "outputs/feed.h"
#include "service/pipeline.h"
#include "who/cgroups.h"
#include "who/process.h"

#define RESETS 200
#define CLIENT_PID 1000 /* pids begin here: one of each connection */
#define SERVER_PID 2000

static struct pipeline *pipeline;
static struct kernel_features features;
static __u64 now_ns;
static bool accept_all;
static unsigned judged, made, reported, filtered, causes[CAUSE_COUNT];
static struct lp_task peers[2 * RESETS],
	owners[2 * RESETS]; /* by lp_socket.snd_wnd, which has the number of the record */

/* --- counted functions --- */

struct verdict __real_judge_record(const struct lp_record *r, bool reset_after, const struct judge_kernel *kernel);
struct verdict __wrap_judge_record(const struct lp_record *r, bool reset_after, const struct judge_kernel *kernel);
struct event *__real_event_new(const struct lp_record *record);
struct event *__wrap_event_new(const struct lp_record *record);
void __real_event_judge(struct event *event, struct verdict verdict);
void __wrap_event_judge(struct event *event, struct verdict verdict);

struct verdict __wrap_judge_record(const struct lp_record *r, bool reset_after, const struct judge_kernel *kernel)
{
	judged++;
	return __real_judge_record(r, reset_after, kernel);
}

struct event *__wrap_event_new(const struct lp_record *record)
{
	made++;
	return __real_event_new(record);
}

void __wrap_event_judge(struct event *event, struct verdict verdict)
{
	causes[verdict.cause]++;
	__real_event_judge(event, verdict);
}

/* --- the test's kernel and feeds --- */

__u64 clock_monotonic_ns(void)
{
	return now_ns;
}

const struct kernel_features *kernel_features(const struct kernel *kernel)
{
	(void)kernel;
	return &features;
}

bool remembered_past(const struct kernel *kernel, const struct lp_task *task, struct lp_past *past)
{
	(void)kernel;
	(void)task;
	(void)past;
	return false;
}

__u64 remembered_last_fork(const struct kernel *kernel, __u32 tgid)
{
	(void)kernel;
	(void)tgid;
	return 0;
}

const struct lp_ended *remembered_ended(const struct kernel *kernel)
{
	static const struct lp_ended ended[LP_ENDED];

	(void)kernel;
	return ended;
}

/* Each client holds its socket. */
int open_files_find(struct kernel *kernel, __u32 tgid, const __u64 *keys, size_t n, open_files_found *found,
		    void *context)
{
	(void)kernel;
	(void)tgid;
	for (size_t i = 0; i < n; i++) {
		struct lp_holder holder = {
			.key = keys[i], .inode = keys[i] + 1, .task = {.tgid = CLIENT_PID + (__u32)(keys[i] / 128)}};

		found(context, &holder);
	}
	return 0;
}

int sockets_find(struct kernel *kernel, const __u64 *ports, size_t n, sockets_take *found, void *context)
{
	(void)kernel;
	(void)ports;
	(void)n;
	(void)found;
	(void)context;
	return 0;
}

bool cgroups_find(struct cgroups *cgroups, const struct kernel *kernel, const struct lp_task *task, __u64 since_ns,
		  struct place *place)
{
	(void)cgroups;
	(void)kernel;
	(void)task;
	(void)since_ns;
	memset(place, 0, sizeof(*place));
	return false;
}

void process_executable(const struct lp_task *task, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "/bin/%u", task->tgid);
}

bool feeds_accept(const struct feeds *feeds, const struct event *event)
{
	(void)feeds;
	(void)event;
	return accept_all;
}

void feeds_filter_out(struct feeds *feeds, __u64 records)
{
	(void)feeds;
	filtered += (unsigned)records;
}

void feeds_put(struct feeds *feeds, const struct event *event, __u64 when_ns)
{
	char path[32];

	(void)feeds;
	(void)when_ns;
	reported++;
	peers[event->record->socket.snd_wnd] = event->peer;
	owners[event->record->socket.snd_wnd] = event->owner.process;
	snprintf(path, sizeof(path), "/bin/%u", event->owner.process.tgid);
	assert_string_equal(event->executable, path);
}

static int set_up(void **state)
{
	struct pipeline_parts parts = {0};

	(void)state;
	judged = made = reported = filtered = 0;
	memset(causes, 0, sizeof(causes));
	memset(peers, 0, sizeof(peers));
	memset(owners, 0, sizeof(owners));
	accept_all = true;
	now_ns = 1000 * CLOCK_SECOND;
	features = (struct kernel_features){.send_reset = true, .error_report = true, .iterator_of_one = true};
	pipeline = pipeline_new(&parts);
	return pipeline ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	pipeline_free(pipeline);
	return 0;
}

/* --- connections over loopback --- */

static struct lp_record end_of(unsigned number, bool server, const struct facts *facts)
{
	static const __u8 loopback[16] = {127, 0, 0, 1};
	struct lp_record r = record_of(facts);
	__u32 client_seq = 1000 * number, server_seq = 5000 * number + 1;

	r.socket.sk = 128 * number + (server ? 64 : 0);
	r.socket.inode = r.socket.sk + 1;
	r.socket.netns = 1;
	memcpy(r.socket.local_addr, loopback, 16);
	memcpy(r.socket.peer_addr, loopback, 16);
	r.socket.local_port = (__u16)(server ? 80 : 10000 + number);
	r.socket.peer_port = (__u16)(server ? 10000 + number : 80);
	r.socket.snd_una = r.socket.snd_nxt = r.socket.write_seq = server ? server_seq : client_seq;
	r.socket.rcv_nxt = r.socket.copied_seq = server ? client_seq : server_seq;
	r.socket.flags |= server ? LP_F_ACCEPTED : LP_F_CONNECTED;
	r.socket.bytes_acked = !server; /* its SYN */
	r.socket.snd_wnd = 2 * (number - 1) + server;
	r.born_ns = now_ns - CLOCK_SECOND;
	r.time_ns = now_ns;
	return r;
}

/* The server has closed, data comes from the client, and a RST goes back. */
static void reset(unsigned number)
{
	struct lp_record server = end_of(number, true, &(struct facts){TCP_FIN_WAIT2, ORPHAN, .err = 0}),
			 client = end_of(number, false,
					 &(struct facts){TCP_CLOSE_WAIT, HELD, RST_IN | FIN_IN, .err = EPIPE}),
			 rst = {.kind = LP_KIND_RESET_SENT, .socket.sk = server.socket.sk};

	server.who = LP_WHO_CLOSER;
	server.task.tgid = SERVER_PID + number;
	client.who = LP_WHO_BIRTH;
	client.task.tgid = CLIENT_PID + number;
	pipeline_take(pipeline, &server);
	pipeline_take(pipeline, &rst);
	pipeline_take(pipeline, &client);
}

static void run(void)
{
	__u64 at;

	while ((at = pipeline_deadline(pipeline))) {
		now_ns = at > now_ns ? at : now_ns;
		pipeline_tick(pipeline, now_ns);
	}
}

static void test_each_event_is_judged_once_and_made_once(void **state)
{
	(void)state;
	for (unsigned i = 1; i <= RESETS; i++)
		reset(i);
	run();
	assert_int_equal(reported, 2 * RESETS);
	assert_int_equal(judged, reported);
	assert_int_equal(made, reported);
	assert_int_equal(filtered, 0);
	assert_int_equal(causes[LOCAL_RESET_DATA_AFTER_CLOSE], RESETS);
	assert_int_equal(causes[PEER_LOST_RESET], RESETS);
	for (unsigned i = 0; i < RESETS; i++) {
		assert_int_equal(owners[2UL * i].tgid, CLIENT_PID + i + 1);
		assert_int_equal(owners[2UL * i + 1].tgid, SERVER_PID + i + 1);
		assert_int_equal(peers[2UL * i].tgid, SERVER_PID + i + 1);
		assert_int_equal(peers[2UL * i + 1].tgid, CLIENT_PID + i + 1);
	}
}

static void test_an_unwanted_event_is_judged_and_made_once(void **state)
{
	(void)state;
	accept_all = false;
	for (unsigned i = 1; i <= RESETS; i++)
		reset(i);
	run();
	assert_int_equal(reported, 0);
	assert_int_equal(filtered, 2 * RESETS);
	assert_int_equal(judged, filtered);
	assert_int_equal(made, filtered);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_event_is_judged_once_and_made_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_an_unwanted_event_is_judged_and_made_once, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("pipeline", tests, NULL, NULL);
}
