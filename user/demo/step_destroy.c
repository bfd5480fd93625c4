/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* SOCK_DESTROY through sock_diag(7), as `ss -K` does it. */
#include "demo/step.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "demo/end.h"
#include "demo/sock.h"

/* Opens a sock_diag socket in the peer's namespace: a socket belongs to the namespace in which it was made. Returns it
 * or negative errno. */
static int diag_open(struct end *peer)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd = here < 0 ? -errno : end_enter(peer);

	if (!fd) {
		fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
		fd = fd < 0 ? -errno : fd;
		/* In the wrong namespace, this end's next steps would act on the wrong sockets. */
		if (setns(here, CLONE_NEWNET) < 0)
			_exit(1);
	}
	if (here >= 0)
		close(here);
	return fd;
}

/* Returns the kernel's answer: 0 or negative errno. */
static int diag_destroy(int fd, const struct inet_diag_sockid *id)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 body;
	} ask = {
		.header = {.nlmsg_len = sizeof(ask),
			   .nlmsg_type = SOCK_DESTROY,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
		.body = {.sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0u, .id = *id},
	};
	struct {
		struct nlmsghdr header;
		struct nlmsgerr body;
	} answer;

	if (send(fd, &ask, sizeof(ask), 0) < 0)
		return -errno;
	if (recv(fd, &answer, sizeof(answer), MSG_TRUNC) < (ssize_t)sizeof(answer))
		return -EIO;
	return answer.header.nlmsg_type == NLMSG_ERROR ? answer.body.error : -EIO;
}

/* This end plays the administrator, and destroys the socket that the peer connected with. */
int step_destroy_peer(struct end *self, const struct step *step)
{
	struct sockaddr_in peer = sock_address(end_address(self->peer), self->peer->port);
	struct sockaddr_in here = sock_address(end_address(self), DEMO_PORT);
	struct inet_diag_sockid id = {
		.idiag_sport = peer.sin_port,
		.idiag_dport = here.sin_port,
		.idiag_src = {peer.sin_addr.s_addr},
		.idiag_dst = {here.sin_addr.s_addr},
		.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE},
	};
	int fd, err;

	(void)step;
	fd = diag_open(self->peer);
	err = fd < 0 ? fd : diag_destroy(fd, &id);
	if (fd >= 0)
		close(fd);
	if (!err)
		return STEP_DONE;
	end_fail(self, "SOCK_DESTROY: %s", strerror(-err));
	/* No CONFIG_INET_DIAG_DESTROY, no sock_diag at all, none for TCP. */
	return err == -EOPNOTSUPP || err == -EPROTONOSUPPORT || err == -ENOENT ? STEP_SKIP : STEP_FAILED;
}
