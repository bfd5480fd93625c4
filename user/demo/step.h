/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an end can do: the words in which the rows of the demonstration are written. A step runs in the process of
 * its end, one at a time in a row, and returns when what it waits for has happened.
 */
#ifndef LOSTPEER_DEMO_STEP_H
#define LOSTPEER_DEMO_STEP_H

enum side { A, B, SIDES };

#define DEMO_PORT 50007            /* where the end that listens listens, in every row */
#define DEMO_ADDRESS_A "192.0.2.1" /* RFC 5737: documentation only */
#define DEMO_ADDRESS_B "192.0.2.2"
#define DEMO_NOBODY "192.0.2.9"       /* on the link, and nobody has it */
#define DEMO_ELSEWHERE "198.51.100.1" /* not on the link */

#define DEMO_LOOPBACK "127.0.0.1"
#define DEMO_UNIT "demo-shop.service"
#define DEMO_IGNORED_AFTER "5s" /* a minute would be long to wait; peer_silent takes as long */
#define DEMO_HOLDERS 3          /* processes forked, to hold a connection too */

struct end;

struct step {
	enum side who;
	int (*run)(struct end *self, const struct step *step);
	int want; /* the errno that the application must see here; 0: none */
	long arg;
	int option;       /* of step_option: TCP_USER_TIMEOUT, ... */
	const char *text; /* address, sysctl, line for ip */
	const char *did;  /* told as the truth of this end once the step is done */
};

/* What a step returns. */
enum step_result {
	STEP_DONE,
	STEP_FAILED, /* the drop was not made as intended: self->problem says what went otherwise */
	STEP_SKIP,   /* this machine cannot make it: self->problem says why */
	STEP_BROKEN, /* nothing can be made here (rights, ip): self->problem says why; ends the demonstration */
};

/* Sockets (step_socket.c). An end has one connection, and one listener. */
int step_listen(struct end *self, const struct step *step);
int step_accept(struct end *self, const struct step *step);
int step_wait_accept(struct end *self, const struct step *step);    /* a connection waits; it is not accepted */
int step_connect(struct end *self, const struct step *step);        /* text: where to, if not to the peer */
int step_connect_start(struct end *self, const struct step *step);  /* without waiting */
int step_bind_port(struct end *self, const struct step *step);      /* arg: takes this port with a socket of its own */
int step_send(struct end *self, const struct step *step);           /* arg: bytes */
int step_fill(struct end *self, const struct step *step);           /* until the peer's window is closed */
int step_recv(struct end *self, const struct step *step);           /* to the end of the stream, or its error */
int step_wait_unread(struct end *self, const struct step *step);    /* arg: bytes have arrived; they are not read */
int step_wait_state(struct end *self, const struct step *step);     /* arg: TCP_FIN_WAIT2, ... */
int step_so_error(struct end *self, const struct step *step);       /* once the connection has failed */
int step_look(struct end *self, const struct step *step);           /* nothing has happened here */
int step_idle(struct end *self, const struct step *step);           /* does nothing; did: what it did not do */
int step_pause(struct end *self, const struct step *step);          /* does nothing for so long; arg: milliseconds */
int step_wait_acked(struct end *self, const struct step *step);     /* everything sent is acknowledged */
int step_keep(struct end *self, const struct step *step);           /* keeps its connection, and may have another */
int step_listen_for_one(struct end *self, const struct step *step); /* as step_listen, and no room for a second */
int step_shutdown(struct end *self, const struct step *step);       /* arg: SHUT_WR, SHUT_RDWR */
int step_disconnect(struct end *self, const struct step *step);     /* connect(AF_UNSPEC) */
int step_close(struct end *self, const struct step *step);
int step_close_listener(struct end *self, const struct step *step);

/* Socket options (step_option.c). */
int step_linger0(struct end *self, const struct step *step);
int step_option(struct end *self, const struct step *step);    /* option: which of TCP's, arg: its value */
int step_keepalive(struct end *self, const struct step *step); /* arg: seconds idle, and between two probes */
int step_small_buffers(struct end *self, const struct step *step);
int step_deaf(struct end *self, const struct step *step); /* drops whatever comes in, before TCP sees it */
int step_hear(struct end *self, const struct step *step); /* no more */

/* The namespace and the host (step_net.c). */
int step_unshare(struct end *self, const struct step *step);
int step_make_link(struct end *self, const struct step *step);
int step_raise_link(struct end *self, const struct step *step);
int step_meet(struct end *self, const struct step *step);         /* the other end answers */
int step_settle(struct end *self, const struct step *step);       /* the kernel has finished with what was closed */
int step_ip(struct end *self, const struct step *step);           /* text: a line for ip(8) */
int step_sysctl(struct end *self, const struct step *step);       /* text: "ipv4/name=value"; arg 1: may be missing */
int step_destroy_peer(struct end *self, const struct step *step); /* SOCK_DESTROY on the peer's socket */

/* Processes (step_process.c). */
int step_join(struct end *self, const struct step *step);           /* the other end's network namespace */
int step_live_in_unit(struct end *self, const struct step *step);   /* a cgroup as systemd makes them */
int step_fork_holders(struct end *self, const struct step *step);   /* DEMO_HOLDERS children hold all that is open */
int step_go_on_as_child(struct end *self, const struct step *step); /* arg 1: in a pid namespace of its own */
int step_die(struct end *self, const struct step *step);            /* of SIGKILL; only of such a child */

/* Only with --whole-host (step_orphan.c). */
int step_listen_aside(struct end *self, const struct step *step); /* for the orphans, on another port */
int step_make_orphans(struct end *self, const struct step *step);
int step_close_without_orphans(struct end *self, const struct step *step);

#endif
