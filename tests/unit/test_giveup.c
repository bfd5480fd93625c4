/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The estimate of when the kernel gives up, compared with tcp(7), ip-sysctl and sums by hand. The scenarios in
 * check_verb.py compare it with real kernels. */
/* vectors override defaults of LOOK() */
#pragma GCC diagnostic ignored "-Woverride-init"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "event/giveup.h"

#define HELD (LP_F_SOCKET | LP_F_FILE)
#define ALL (LP_KNOWN_TIMERS | LP_KNOWN_HEARD | LP_KNOWN_SENT | LP_KNOWN_RETRANS | LP_KNOWN_KEEPALIVE)

/* A socket with the kernel's defaults. */
#define LOOK(s, ...)                                                                                                   \
	{                                                                                                              \
		.state = (s), .flags = HELD, .known = ALL, .snd_wnd = 65535, .rto_ms = 200, .retries2 = 15,            \
		.syn_retries = 6, .keepalive_time_ms = 7200000, .keepalive_interval_ms = 75000, .keepalive_probes = 9, \
		__VA_ARGS__                                                                                            \
	}
#define IN_FLIGHT .snd_nxt = 100, .write_seq = 100
#define UNSENT .write_seq = 100
#define SYN .snd_nxt = 1, .write_seq = 1, .rto_ms = 1000
/* after the first retransmission */
#define AGAIN .retransmits = 1, .rto_ms = 400, .backoff = 1

struct giveup_vector {
	const char *name;
	long long least, most; /* milliseconds; -1: unknown */
	struct lp_socket in;
};

static const struct giveup_vector vectors[] = {
	/* ip-sysctl: "the default value of 15 yields a hypothetical timeout of 924.6 seconds, and is a lower bound" */
	{"retries2_15_is_a_quarter_of_an_hour", 924600, 924600 + 125000, LOOK(TCP_ESTABLISHED, IN_FLIGHT, AGAIN)},
	{"retries2_15_later", 824600, 824600 + 125000,
	 LOOK(TCP_ESTABLISHED, IN_FLIGHT, .retransmits = 8, .rto_ms = 51200, .backoff = 8, .retrans_ms = 100000,
	      .sent_ms = 49000)},
	{"overdue", 0, 0,
	 LOOK(TCP_ESTABLISHED, IN_FLIGHT, .retransmits = 15, .rto_ms = 120000, .retrans_ms = 1000000,
	      .sent_ms = 130000)},
	/* 200 + 400 + 800 + 1600 = 3000 from the first one: the timer fires at about 400, 1200, 2800, 6000 */
	{"retries2_3", 6000, 6200, LOOK(TCP_ESTABLISHED, IN_FLIGHT, AGAIN, .retries2 = 3)},
	{"retries2_3_after_a_second", 5000, 5200,
	 LOOK(TCP_ESTABLISHED, IN_FLIGHT, .retransmits = 2, .rto_ms = 800, .retrans_ms = 1000, .sent_ms = 600,
	      .retries2 = 3)},
	{"retries2_0", 400, 415, LOOK(TCP_ESTABLISHED, IN_FLIGHT, AGAIN, .retries2 = 0)},
	{"not_yet_sent_again", -1, -1, LOOK(TCP_ESTABLISHED, IN_FLIGHT)},
	{"since_when_is_not_known", -1, -1, LOOK(TCP_ESTABLISHED, IN_FLIGHT, AGAIN, .known = ALL & ~LP_KNOWN_RETRANS)},
	{"what_is_allowed_is_not_known", -1, -1,
	 LOOK(TCP_ESTABLISHED, IN_FLIGHT, AGAIN, .known = ALL & ~LP_KNOWN_TIMERS)},
	{"window_taken_back", -1, -1, LOOK(TCP_ESTABLISHED, IN_FLIGHT, AGAIN, .snd_wnd = 0)},
	{"least_timeout_of_its_own", 6000, 6200,
	 LOOK(TCP_ESTABLISHED, IN_FLIGHT, AGAIN, .retries2 = 3, .rto_max_ms = 120000)},
	{"most_timeout_of_its_own", 1900, 2900,
	 LOOK(TCP_ESTABLISHED, IN_FLIGHT, AGAIN, .retries2 = 2, .rto_max_ms = 1000)}, /* 200 + 400 + 800 */
	{"user_timeout", 29000, 29000,
	 LOOK(TCP_ESTABLISHED, IN_FLIGHT, AGAIN, .user_timeout_ms = 30000, .retrans_ms = 1000)},
	{"user_timeout_longer_than_retries2", 3600000, 3600000,
	 LOOK(TCP_ESTABLISHED, IN_FLIGHT, AGAIN, .user_timeout_ms = 3600000)},
	{"fin_alone", 6000, 6200,
	 LOOK(TCP_FIN_WAIT1, .snd_nxt = 1, .write_seq = 1, AGAIN, .retries2 = 3, .sent_ms = 99999)},

	/* tcp(7): tcp_orphan_retries 0 means 8, over 100 seconds */
	{"orphan", 102200, 204800, LOOK(TCP_FIN_WAIT1, IN_FLIGHT, AGAIN, .flags = LP_F_DEAD)},
	{"orphan_retries_1", 1200, 1240,
	 LOOK(TCP_FIN_WAIT1, IN_FLIGHT, AGAIN, .flags = LP_F_DEAD, .orphan_retries = 1)},

	/* tcp(7): tcp_syn_retries 6 is about 127 seconds, from 6.5 with 4 linear ones 131 */
	{"syn_6", 127000, 127000, LOOK(TCP_SYN_SENT, SYN)},
	{"syn_6_later", 100000, 100000,
	 LOOK(TCP_SYN_SENT, SYN, .retrans_ms = 27000, .retransmits = 4, .backoff = 4, .rto_ms = 16000)},
	{"syn_6_with_4_linear", 131000, 131000, LOOK(TCP_SYN_SENT, SYN, .syn_linear = 4)},
	/* the same end as one retransmission without linear ones: SYNs at 0, 1 and 2 s */
	{"syn_1_with_4_linear", 3000, 3000, LOOK(TCP_SYN_SENT, SYN, .syn_retries = 1, .syn_linear = 4)},
	{"syn_1", 3000, 3000, LOOK(TCP_SYN_SENT, SYN, .syn_retries = 1)},
	{"syn_user_timeout", 10000, 10000, LOOK(TCP_SYN_SENT, SYN, .user_timeout_ms = 10000)},
	{"syn_received", -1, -1, LOOK(TCP_SYN_RECV, SYN)},

	/* a closed window never times out while the peer answers probes */
	{"window_closed_probes_answered", -1, -1,
	 LOOK(TCP_ESTABLISHED, UNSENT, .snd_wnd = 0, .backoff = 5, .heard_ms = 100)},
	/* probes at 200, 600, 1400 (retries2 3), the end at 3000 */
	{"window_closed_first_probe_unanswered", 2800, 2800,
	 LOOK(TCP_ESTABLISHED, UNSENT, .snd_wnd = 0, .probes_out = 1, .backoff = 1, .heard_ms = 200, .retries2 = 3)},
	{"window_closed_two_unanswered", 2000, 2000,
	 LOOK(TCP_ESTABLISHED, UNSENT, .snd_wnd = 0, .probes_out = 2, .backoff = 2, .heard_ms = 1000, .retries2 = 3)},
	{"window_closed_user_timeout", 4001, 4001,
	 LOOK(TCP_ESTABLISHED, UNSENT, .snd_wnd = 0, .user_timeout_ms = 5000, .probes_ms = 999)},
	{"window_closed_user_timeout_since_unknown", -1, -1,
	 LOOK(TCP_ESTABLISHED, UNSENT, .snd_wnd = 0, .user_timeout_ms = 5000)},
	{"window_closed_orphan", 1, 204800,
	 LOOK(TCP_FIN_WAIT1, UNSENT, .snd_wnd = 0, .flags = LP_F_DEAD, .backoff = 1, .heard_ms = 100)},

	/* tcp(7): two hours, then 9 probes of 75 seconds: 2 hours and 11 minutes */
	{"keepalive_not_asked_yet", -1, -1, LOOK(TCP_ESTABLISHED, .flags = HELD | LP_F_KEEPOPEN, .heard_ms = 1000000)},
	{"keepalive_first_unanswered", 675000, 675000,
	 LOOK(TCP_ESTABLISHED, .flags = HELD | LP_F_KEEPOPEN, .heard_ms = 7200000, .probes_out = 1)},
	{"keepalive_of_its_own", 2500, 2500,
	 LOOK(TCP_ESTABLISHED, .flags = HELD | LP_F_KEEPOPEN, .heard_ms = 2500, .probes_out = 2,
	      .keepalive_time_ms = 1000, .keepalive_interval_ms = 1000, .keepalive_probes = 4)},
	{"keepalive_user_timeout", 500, 500, /* probes at 1 and 2 s; at 3 s more than 2.5 s have passed */
	 LOOK(TCP_ESTABLISHED, .flags = HELD | LP_F_KEEPOPEN, .heard_ms = 2500, .probes_out = 2,
	      .keepalive_time_ms = 1000, .keepalive_interval_ms = 1000, .user_timeout_ms = 2500)},
	{"keepalive_user_timeout_of_weeks", 4294000000LL, 4294968000LL,
	 LOOK(TCP_ESTABLISHED, .flags = HELD | LP_F_KEEPOPEN, .heard_ms = 1, .probes_out = 2, .keepalive_time_ms = 1,
	      .keepalive_interval_ms = 1, .user_timeout_ms = UINT32_MAX)},
	{"no_keepalive", -1, -1, LOOK(TCP_ESTABLISHED, .heard_ms = 10000000)},
	{"over", -1, -1, LOOK(TCP_CLOSE, .err = ECONNRESET)},
};

static void test_giveup(void **state)
{
	const struct giveup_vector *v = *state;
	long long ms = giveup_ms(&v->in);

	if (ms < v->least || ms > v->most)
		fail_msg("%lld ms, not %lld to %lld", ms, v->least, v->most);
}

static void test_next_probe(void **state)
{
	static const struct {
		long long ms;
		struct lp_socket in;
	} vector[] = {
		{7199000, LOOK(TCP_ESTABLISHED, .flags = HELD | LP_F_KEEPOPEN, .heard_ms = 1000)},
		{5000, LOOK(TCP_CLOSE_WAIT, .flags = HELD | LP_F_KEEPOPEN, .heard_ms = 7270000, .probes_out = 1)},
		{0, LOOK(TCP_ESTABLISHED, .flags = HELD | LP_F_KEEPOPEN, .heard_ms = 8000000)},
		{-1, LOOK(TCP_ESTABLISHED, .heard_ms = 1000)},
		{-1, LOOK(TCP_ESTABLISHED, IN_FLIGHT, .flags = HELD | LP_F_KEEPOPEN, .heard_ms = 1000)},
		{-1, LOOK(TCP_SYN_SENT, SYN, .flags = HELD | LP_F_KEEPOPEN)},
		{-1, LOOK(TCP_ESTABLISHED, .flags = HELD | LP_F_KEEPOPEN, .known = LP_KNOWN_HEARD)},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(vector) / sizeof(*vector); i++)
		assert_int_equal(giveup_next_probe_ms(&vector[i].in), vector[i].ms);
}

/* Extreme values must give an answer. */
static void test_extremes(void **state)
{
	static const __u8 states[] = {TCP_ESTABLISHED, TCP_SYN_SENT, TCP_FIN_WAIT1, TCP_CLOSE_WAIT, TCP_LAST_ACK};
	struct lp_socket look;

	(void)state;
	for (size_t i = 0; i < sizeof(states) * 16; i++) {
		memset(&look, 0xff, sizeof(look));
		look.state = states[i / 16];
		look.rto_ms = i & 1 ? 1 : UINT32_MAX;
		look.flags = i & 2 ? LP_F_DEAD : LP_F_KEEPOPEN;
		look.user_timeout_ms = i & 4 ? UINT32_MAX : 0;
		look.snd_una = 0;
		look.snd_nxt = i & 8 ? 0 : 100;
		look.write_seq = 100;
		assert_true(giveup_ms(&look) >= -1);
	}
}

int main(void)
{
	static const size_t count = sizeof(vectors) / sizeof(*vectors);
	static struct CMUnitTest tests[sizeof(vectors) / sizeof(*vectors) + 2];

	for (size_t i = 0; i < count; i++)
		tests[i] =
			(struct CMUnitTest){vectors[i].name, test_giveup, NULL, NULL, (void *)(uintptr_t)&vectors[i]};
	tests[count] = (struct CMUnitTest)cmocka_unit_test(test_next_probe);
	tests[count + 1] = (struct CMUnitTest)cmocka_unit_test(test_extremes);
	return cmocka_run_group_tests_name("giveup", tests, NULL, NULL);
}
