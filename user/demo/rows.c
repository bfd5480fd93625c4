/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table. A is the end that the row is about. Each cause of connect_failed, peer_lost, peer_closed,
 * local_closed and local_reset has a row (tests/unit asks demo_has_row() for every one); events_lost has none: it
 * tells of the agent, not of a connection.
 *
 * A packet that the network lost is made by the socket that it was for: its filter drops it before TCP sees it.
 * The kernel's patience is shortened by socket options and by the namespace's own sysctls.
 */
#include "demo/row.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* Most steps need only their first two or three fields. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* enum of include/net/tcp_states.h that <linux/tcp.h> does not have */
#define STATE_FIN_WAIT2 5

#define A_CONNECTS { B, step_listen }, { A, step_connect }, { B, step_accept }
#define B_IS_DEAF_TO_SYN { B, step_listen }, { B, step_deaf }

/* The neighbour is given up after one question and a fifth of a second; otherwise after three seconds. */
#define SHORT_NEIGHBOUR                                                         \
	{ A, step_sysctl, .text = "ipv4/neigh/peer0/mcast_solicit=1" },         \
	{ A, step_sysctl, .text = "ipv4/neigh/peer0/retrans_time_ms=200" }

const struct row demo_rows[] = {
	{
		.cause = CONNECT_FAILED_REFUSED,
		.story = "nobody listens where A connects to",
		.steps = { { A, step_connect, ECONNREFUSED }, { B, step_idle, .did = "did not listen" } },
		.expected = { [A] = { { CONNECT_FAILED_REFUSED, BY_PEER, PHASE_CONNECTING, true } } },
	},
	{
		.cause = CONNECT_FAILED_TIMEOUT,
		.story = "A's SYNs are lost",
		/* From 6.5 a SYN is sent four times at intervals of a second before the count begins. */
		.steps = { B_IS_DEAF_TO_SYN,
			   { A, step_sysctl, .text = "ipv4/tcp_syn_linear_timeouts=0", .arg = 1 },
			   { A, step_option, .option = TCP_SYNCNT, .arg = 1 },
			   { A, step_connect, ETIMEDOUT },
			   { B, step_look } },
		.expected = { [A] = { { CONNECT_FAILED_TIMEOUT, BY_NETWORK, PHASE_CONNECTING, true } } },
	},
	{
		.cause = CONNECT_FAILED_UNREACHABLE,
		.story = "A connects to an address that nobody on the link has",
		.steps = { SHORT_NEIGHBOUR,
			   { B, step_listen },
			   { A, step_connect, EHOSTUNREACH, .text = DEMO_NOBODY },
			   { B, step_look } },
		.expected = { [A] = { { CONNECT_FAILED_UNREACHABLE, BY_NETWORK, PHASE_CONNECTING, true } } },
	},
	{
		.cause = CONNECT_FAILED_UNREACHABLE,
		.variant = "no_route",
		.story = "A connects to where it has no route",
		.needs_hook = true,
		.steps = { { B, step_listen },
			   { A, step_connect, ENETUNREACH, .text = DEMO_ELSEWHERE },
			   { B, step_look } },
		.expected = { [A] = { { CONNECT_FAILED_UNREACHABLE, BY_NETWORK, PHASE_CONNECTING, true } } },
	},
	{
		.cause = CONNECT_FAILED_ABANDONED,
		.story = "A closes while its SYN is on the way",
		.steps = { B_IS_DEAF_TO_SYN,
			   { A, step_connect_start },
			   { A, step_close, .did = "closed while connecting" },
			   { B, step_look } },
		.expected = { [A] = { { CONNECT_FAILED_ABANDONED, BY_LOCAL, PHASE_CONNECTING, false } } },
	},
	{
		.cause = CONNECT_FAILED_DESTROYED,
		.story = "an administrator destroys A's socket while it connects",
		.steps = { B_IS_DEAF_TO_SYN,
			   { A, step_connect_start },
			   { B, step_destroy_peer },
			   { A, step_so_error, ECONNABORTED },
			   { B, step_look } },
		.expected = { [A] = { { CONNECT_FAILED_DESTROYED, BY_ADMIN, PHASE_CONNECTING, true } } },
	},
	{
		.cause = CONNECT_FAILED_NO_PORT,
		.story = "A connects with its only local port taken",
		.steps = { { B, step_listen },
			   { A, step_sysctl, .text = "ipv4/ip_local_port_range=40000 40000" },
			   { A, step_bind_port, .arg = 40000 },
			   { A, step_connect, EADDRNOTAVAIL },
			   { B, step_look } },
		.expected = { [A] = { { CONNECT_FAILED_NO_PORT, BY_LOCAL, PHASE_CONNECTING, true } } },
	},
	{
		.cause = CONNECT_FAILED_DENIED,
		.story = "A's route to where it connects is prohibited",
		.needs_hook = true,
		.steps = { { B, step_listen },
			   { A, step_ip, .text = "route add prohibit " DEMO_ELSEWHERE },
			   { A, step_connect, EACCES, .text = DEMO_ELSEWHERE },
			   { B, step_look } },
		.expected = { [A] = { { CONNECT_FAILED_DENIED, BY_LOCAL, PHASE_CONNECTING, true } } },
	},
	{
		.cause = PEER_LOST_RESET,
		.story = "B closes with SO_LINGER 0",
		.steps = { A_CONNECTS,
			   { B, step_linger0 },
			   { B, step_close, .did = "closed, SO_LINGER 0" },
			   { A, step_recv, ECONNRESET } },
		.expected = { [A] = { { PEER_LOST_RESET, BY_PEER, PHASE_ESTABLISHED, true } },
			      [B] = { { LOCAL_RESET_LINGER, BY_LOCAL, PHASE_ESTABLISHED, false } } },
	},
	{
		.cause = PEER_LOST_RETRANSMIT_TIMEOUT,
		.story = "what A sends is lost",
		.steps = { A_CONNECTS,
			   { A, step_sysctl, .text = "ipv4/tcp_retries2=2" },
			   { B, step_deaf },
			   { A, step_send, .arg = 5000 },
			   { A, step_recv, ETIMEDOUT },
			   { B, step_look } },
		.expected = { [A] = { { PEER_LOST_RETRANSMIT_TIMEOUT, BY_NETWORK, PHASE_ESTABLISHED, true } } },
	},
	{
		.cause = PEER_LOST_KEEPALIVE_TIMEOUT,
		.story = "A's keepalive probes are lost",
		.steps = { A_CONNECTS,
			   { B, step_deaf },
			   { A, step_keepalive, .arg = 1 },
			   { A, step_recv, ETIMEDOUT },
			   { B, step_look } },
		.expected = { [A] = { { PEER_LOST_KEEPALIVE_TIMEOUT, BY_NETWORK, PHASE_ESTABLISHED, true } } },
	},
	{
		.cause = PEER_LOST_USER_TIMEOUT,
		.story = "what A sends is lost, and A has set TCP_USER_TIMEOUT",
		.steps = { A_CONNECTS,
			   { A, step_option, .option = TCP_USER_TIMEOUT, .arg = 1000 },
			   { B, step_deaf },
			   { A, step_send, .arg = 5000 },
			   { A, step_recv, ETIMEDOUT },
			   { B, step_look } },
		.expected = { [A] = { { PEER_LOST_USER_TIMEOUT, BY_NETWORK, PHASE_ESTABLISHED, true } } },
	},
	{
		.cause = PEER_LOST_USER_TIMEOUT,
		.variant = "window",
		.story = "B does not read, but answers; A has set TCP_USER_TIMEOUT",
		/* B's kernel would leave window probes that come within half a second of another unanswered. */
		.steps = { { B, step_sysctl, .text = "ipv4/tcp_invalid_ratelimit=0" },
			   { B, step_listen },
			   { B, step_small_buffers },
			   { A, step_small_buffers },
			   { A, step_connect },
			   { B, step_accept },
			   { A, step_fill },
			   { A, step_option, .option = TCP_USER_TIMEOUT, .arg = 1000 },
			   { A, step_recv, ETIMEDOUT },
			   { B, step_look, .did = "never read" } },
		.expected = { [A] = { { PEER_LOST_USER_TIMEOUT, BY_PEER, PHASE_ESTABLISHED, true } } },
	},
	{
		.cause = PEER_LOST_PROBE_TIMEOUT,
		.story = "B does not read, and A's window probes are lost",
		.steps = { { B, step_listen },
			   { B, step_small_buffers },
			   { A, step_small_buffers },
			   { A, step_sysctl, .text = "ipv4/tcp_retries2=2" },
			   { A, step_connect },
			   { B, step_accept },
			   { A, step_fill },
			   { B, step_deaf },
			   { A, step_recv, ETIMEDOUT },
			   { B, step_look, .did = "never read" } },
		.expected = { [A] = { { PEER_LOST_PROBE_TIMEOUT, BY_NETWORK, PHASE_ESTABLISHED, true } } },
	},
	{
		.cause = PEER_LOST_CANNOT_SEND,
		.story = "A writes after its own link went down",
		.steps = { A_CONNECTS,
			   { A, step_sysctl, .text = "ipv4/tcp_retries2=3" },
			   { A, step_ip, .text = "link set peer0 down" },
			   { A, step_send, .arg = 5000 },
			   { A, step_recv, ETIMEDOUT },
			   { B, step_look } },
		.expected = { [A] = { { PEER_LOST_CANNOT_SEND, BY_LOCAL, PHASE_ESTABLISHED, true } } },
	},
	{
		.cause = PEER_CLOSED_FIN,
		.story = "B ends its half, A its own, then both close",
		.steps = { A_CONNECTS,
			   { B, step_shutdown, .arg = SHUT_WR, .did = "shut down writing" },
			   { A, step_recv },
			   { A, step_close, .did = "closed" },
			   { B, step_recv },
			   { B, step_close, .did = "closed" } },
		.expected = { [A] = { { PEER_CLOSED_FIN, BY_PEER, PHASE_ESTABLISHED, false } },
			      [B] = { { LOCAL_CLOSED_CLOSE, BY_LOCAL, PHASE_CLOSING, false } } },
	},
	{
		.cause = LOCAL_CLOSED_CLOSE,
		.story = "A closes first, then B",
		.steps = { A_CONNECTS,
			   { A, step_close, .did = "closed" },
			   { B, step_recv },
			   { B, step_close, .did = "closed" } },
		.expected = { [A] = { { LOCAL_CLOSED_CLOSE, BY_LOCAL, PHASE_ORPHANED, false } },
			      [B] = { { PEER_CLOSED_FIN, BY_PEER, PHASE_ESTABLISHED, false } } },
	},
	{
		.cause = LOCAL_RESET_UNREAD_DATA,
		.story = "A closes without reading what came",
		.steps = { A_CONNECTS,
			   { B, step_send, .arg = 777 },
			   { A, step_wait_unread, .arg = 777 },
			   { A, step_close, .did = "closed, 777 bytes unread" },
			   { B, step_recv, ECONNRESET } },
		.expected = { [A] = { { LOCAL_RESET_UNREAD_DATA, BY_LOCAL, PHASE_ESTABLISHED, false } },
			      [B] = { { PEER_LOST_RESET, BY_PEER, PHASE_ESTABLISHED, true } } },
	},
	{
		.cause = LOCAL_RESET_LINGER,
		.story = "A closes with SO_LINGER 0",
		.steps = { A_CONNECTS,
			   { A, step_linger0 },
			   { A, step_close, .did = "closed, SO_LINGER 0" },
			   { B, step_recv, ECONNRESET } },
		.expected = { [A] = { { LOCAL_RESET_LINGER, BY_LOCAL, PHASE_ESTABLISHED, false } },
			      [B] = { { PEER_LOST_RESET, BY_PEER, PHASE_ESTABLISHED, true } } },
	},
	{
		.cause = LOCAL_RESET_LINGER2,
		.story = "A has set TCP_LINGER2 below 0 and closes before B's FIN",
		.steps = { A_CONNECTS,
			   { A, step_option, .option = TCP_LINGER2, .arg = -1 },
			   { A, step_shutdown, .arg = SHUT_WR },
			   { B, step_recv },
			   { A, step_wait_state, .arg = STATE_FIN_WAIT2 },
			   { A, step_close, .did = "closed, TCP_LINGER2 -1" },
			   { B, step_so_error, EPIPE } },
		/* Nobody holds the socket any more, but its last holder is still in close(2). */
		.expected = { [A] = { { LOCAL_RESET_LINGER2, BY_LOCAL, PHASE_COUNT, false } },
			      [B] = { { PEER_CLOSED_FIN, BY_PEER, PHASE_ESTABLISHED, false },
				      { PEER_LOST_RESET, BY_PEER, PHASE_HALF_CLOSED, true } } },
	},
	{
		.cause = LOCAL_RESET_DISCONNECT,
		.story = "A calls connect(AF_UNSPEC)",
		.steps = { A_CONNECTS,
			   { A, step_disconnect, .did = "called connect(AF_UNSPEC)" },
			   { B, step_recv, ECONNRESET } },
		.expected = { [A] = { { LOCAL_RESET_DISCONNECT, BY_LOCAL, PHASE_ESTABLISHED, false } },
			      [B] = { { PEER_LOST_RESET, BY_PEER, PHASE_ESTABLISHED, true } } },
	},
	{
		.cause = LOCAL_RESET_DESTROYED,
		.story = "an administrator destroys A's connection",
		.steps = { A_CONNECTS,
			   { B, step_destroy_peer },
			   { A, step_recv, ECONNABORTED },
			   { B, step_recv, ECONNRESET } },
		.expected = { [A] = { { LOCAL_RESET_DESTROYED, BY_ADMIN, PHASE_ESTABLISHED, true } },
			      [B] = { { PEER_LOST_RESET, BY_PEER, PHASE_ESTABLISHED, true } } },
	},
	{
		.cause = LOCAL_RESET_DATA_AFTER_CLOSE,
		.story = "A shuts down both ways, and B still writes",
		.steps = { A_CONNECTS,
			   { A, step_shutdown, .arg = SHUT_RDWR, .did = "shut down both ways" },
			   { B, step_recv },
			   { A, step_wait_state, .arg = STATE_FIN_WAIT2 },
			   { B, step_send, .arg = 4 },
			   { A, step_so_error, ECONNRESET },
			   { B, step_so_error, EPIPE } },
		.expected = { [A] = { { LOCAL_RESET_DATA_AFTER_CLOSE, BY_LOCAL, PHASE_CLOSING, true } },
			      [B] = { { PEER_CLOSED_FIN, BY_PEER, PHASE_ESTABLISHED, false },
				      { PEER_LOST_RESET, BY_PEER, PHASE_HALF_CLOSED, true } } },
	},
	{
		.cause = LOCAL_RESET_LISTENER_CLOSED,
		.story = "B connects to A, which closes its listener without accepting",
		.steps = { { A, step_listen },
			   { B, step_connect },
			   { A, step_wait_accept },
			   { A, step_close_listener, .did = "closed its listener" },
			   { B, step_recv, ECONNRESET } },
		.expected = { [A] = { { LOCAL_RESET_LISTENER_CLOSED, BY_LOCAL, PHASE_UNACCEPTED, false } },
			      [B] = { { PEER_LOST_RESET, BY_PEER, PHASE_ESTABLISHED, true } } },
	},
	{
		.cause = LOCAL_RESET_NO_MEMORY,
		.story = "A closes while the host has more orphans than tcp_max_orphans",
		.whole_host = true,
		.steps = { A_CONNECTS,
			   { B, step_listen_aside },
			   { A, step_sysctl, .text = "ipv4/tcp_orphan_retries=8" },
			   { A, step_make_orphans },
			   { A, step_close_without_orphans, .did = "closed, tcp_max_orphans 0" },
			   { A, step_sysctl, .text = "ipv4/tcp_orphan_retries=1" },
			   { B, step_so_error, EPIPE } },
		/* The FIN had left before the kernel counted its orphans. */
		.expected = { [A] = { { LOCAL_RESET_NO_MEMORY, BY_KERNEL, PHASE_COUNT, false } },
			      [B] = { { PEER_CLOSED_FIN, BY_PEER, PHASE_ESTABLISHED, false },
				      { PEER_LOST_RESET, BY_PEER, PHASE_HALF_CLOSED, true } } },
	},
};

size_t row_count(void)
{
	return sizeof(demo_rows) / sizeof(demo_rows[0]);
}
