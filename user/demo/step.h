/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The steps of which the rows of the demonstration are made. A step runs in the process of its end. It returns once the
 * thing that it waits for has happened; then the row's next step runs.
 */
#ifndef LOSTPEER_DEMO_STEP_H
#define LOSTPEER_DEMO_STEP_H

enum side { A, B, SIDES };

#define DEMO_PORT 50007            /* the listening port of every row */
#define DEMO_ADDRESS_A "192.0.2.1" /* RFC 5737: documentation only */
#define DEMO_ADDRESS_B "192.0.2.2"
#define DEMO_NOBODY "192.0.2.9"       /* on the link, but no host has it */
#define DEMO_ELSEWHERE "198.51.100.1" /* not on the link */

#define DEMO_LOOPBACK "127.0.0.1"
#define DEMO_UNIT "demo-shop.service"
#define DEMO_IGNORED_AFTER "5s" /* not a minute, to be quick; peer_silent takes 5 s too */
#define DEMO_HOLDERS 3          /* forked processes that hold a connection too */

struct end;
struct step;

typedef int step_fn(struct end *self, const struct step *step); /* returns enum step_result */

struct step {
	enum side who;
	step_fn *run;
	int want; /* the errno that the application must see; 0: none */
	long arg;
	int option;       /* of step_option: TCP_USER_TIMEOUT, ... */
	const char *text; /* address, sysctl, line for ip */
	const char *did;  /* added to the truth of this end once the step is done */
};

enum step_result {
	STEP_DONE,
	STEP_FAILED, /* the drop was not made as intended: self->problem says why */
	STEP_SKIP,   /* this machine cannot make it: self->problem says why */
	STEP_BROKEN, /* no row can be played here (no rights, no ip), so the demo ends: self->problem says why */
};

/* Sockets (step_socket.c). An end has at most one connection and one listener. */
step_fn step_listen, step_close_listener;
step_fn step_listen_for_one;    /* with a backlog for one connection */
step_fn step_listen_for_signed; /* with a TCP signature (MD5) of a key that the peer does not have */
step_fn step_accept;
step_fn step_wait_accept;   /* waits for a connection and does not accept it */
step_fn step_connect;       /* text: the address, if it is not the peer's */
step_fn step_connect_start; /* the same without waiting */
step_fn step_bind_port;     /* arg: the port, taken with another socket */
step_fn step_send;          /* arg: bytes */
step_fn step_fill;          /* sends until the peer's window is closed */
step_fn step_recv;          /* reads to the end of the stream or its error */
step_fn step_wait_unread;   /* arg: bytes that must arrive; they stay unread */
step_fn step_wait_state;    /* arg: TCP_FIN_WAIT2, ... */
step_fn step_wait_acked;    /* waits until everything sent is acknowledged */
step_fn step_so_error;      /* waits for the connection's error */
step_fn step_see_nothing;   /* checks that nothing happened here */
step_fn step_idle;          /* does nothing; did: what the end did not do */
step_fn step_pause;         /* arg: milliseconds */
step_fn step_keep;          /* leaves its connection open and makes room for another */
step_fn step_shutdown;      /* arg: SHUT_WR, SHUT_RDWR */
step_fn step_disconnect;    /* connect(AF_UNSPEC) */
step_fn step_close;

/* Socket options (step_option.c). */
step_fn step_linger0, step_small_buffers;
step_fn step_option;          /* option: one of TCP's, arg: its value */
step_fn step_keepalive;       /* arg: seconds idle and between two probes */
step_fn step_deaf, step_hear; /* starts and stops dropping whatever comes in, before TCP sees it */

/* The namespace and the host (step_net.c). */
step_fn step_unshare, step_make_link, step_raise_link;
step_fn step_meet;         /* waits until the other end answers */
step_fn step_settle;       /* waits until the kernel has finished with closed sockets */
step_fn step_ip;           /* text: a line for ip(8) */
step_fn step_sysctl;       /* text: "ipv4/name=value"; arg 1: the sysctl may be missing */
step_fn step_destroy_peer; /* SOCK_DESTROY on the peer's socket (step_destroy.c) */

/* Processes (step_process.c). */
step_fn step_join;           /* enters the other end's network namespace */
step_fn step_live_in_unit;   /* enters a cgroup like those of systemd's units */
step_fn step_fork_holders;   /* forks DEMO_HOLDERS children, which hold everything that is open */
step_fn step_go_on_as_child; /* arg 1: in a pid namespace of its own */
step_fn step_die;            /* of SIGKILL, in such a child only */

/* Only with --whole-host (step_orphan.c). */
step_fn step_listen_aside; /* for the orphans, on another port */
step_fn step_make_orphans, step_close_without_orphans;

#endif
