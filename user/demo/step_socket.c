/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "demo/step.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "demo/end.h"
#include "demo/sock.h"

static int wait_for(struct end *self, int fd, short events, const char *what)
{
	struct pollfd pfd = {.fd = fd, .events = events};

	if (poll(&pfd, 1, END_PATIENCE_MS) == 1)
		return STEP_DONE;
	return end_fail(self, "%s never came", what);
}

static int listen_with(struct end *self, int backlog)
{
	struct sockaddr_in address = sock_address(NULL, DEMO_PORT);

	if (self->listener < 0)
		self->listener = sock_new();
	if (bind(self->listener, (struct sockaddr *)&address, sizeof(address)) < 0)
		return end_fail(self, "bind: %s", strerror(errno));
	if (listen(self->listener, backlog) < 0)
		return end_fail(self, "listen: %s", strerror(errno));
	return STEP_DONE;
}

int step_listen(struct end *self, const struct step *step)
{
	(void)step;
	return listen_with(self, 8);
}

/* The kernel queues one connection more than the backlog. */
int step_listen_for_one(struct end *self, const struct step *step)
{
	(void)step;
	self->port = DEMO_PORT;
	return listen_with(self, 0);
}

int step_listen_for_signed(struct end *self, const struct step *step)
{
	struct tcp_md5sig md5 = {.tcpm_keylen = 4, .tcpm_key = "demo"};
	struct sockaddr_in peer = sock_address(self->side == A ? DEMO_ADDRESS_B : DEMO_ADDRESS_A, 0);

	memcpy(&md5.tcpm_addr, &peer, sizeof(peer));
	self->port = DEMO_PORT;
	self->listener = sock_new();
	if (setsockopt(self->listener, IPPROTO_TCP, TCP_MD5SIG, &md5, sizeof(md5)) < 0) {
		(void)end_fail(self, "TCP_MD5SIG: %s", strerror(errno));
		return STEP_SKIP; /* a kernel without CONFIG_TCP_MD5SIG */
	}
	return step_listen(self, step);
}

int step_wait_accept(struct end *self, const struct step *step)
{
	(void)step;
	return wait_for(self, self->listener, POLLIN, "the connection");
}

int step_accept(struct end *self, const struct step *step)
{
	int result = step_wait_accept(self, step);

	if (result)
		return result;
	self->fd = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);
	if (self->fd < 0)
		return end_fail(self, "accept: %s", strerror(errno));
	self->port = DEMO_PORT;
	return STEP_DONE;
}

static int connect_to(struct end *self, const char *where)
{
	struct sockaddr_in address = sock_address(where ? where : end_address(self->peer), DEMO_PORT);
	struct sockaddr_in local = {0};
	socklen_t size = sizeof(local);
	int err = 0;

	if (self->fd < 0)
		self->fd = sock_new();
	if (connect(self->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err = errno;
	if (!getsockname(self->fd, (struct sockaddr *)&local, &size))
		self->port = ntohs(local.sin_port);
	return err;
}

int step_connect(struct end *self, const struct step *step)
{
	int err = connect_to(self, step->text);

	if (err || step->want)
		return end_saw(self, step, "connect", err);
	return STEP_DONE;
}

int step_connect_start(struct end *self, const struct step *step)
{
	int err, flags;

	if (self->fd < 0)
		self->fd = sock_new();
	flags = fcntl(self->fd, F_GETFL);
	fcntl(self->fd, F_SETFL, flags | O_NONBLOCK);
	err = connect_to(self, step->text);
	fcntl(self->fd, F_SETFL, flags);
	if (err != EINPROGRESS)
		return end_fail(self, "connect said %s, not EINPROGRESS", end_error_name(err));
	return STEP_DONE;
}

int step_bind_port(struct end *self, const struct step *step)
{
	struct sockaddr_in address = sock_address(NULL, (uint16_t)step->arg);
	int fd = sock_new(); /* kept until the process ends */

	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return end_fail(self, "bind: %s", strerror(errno));
	return STEP_DONE;
}

int step_send(struct end *self, const struct step *step)
{
	static const char data[8192];
	size_t size = (size_t)step->arg;

	if (size > sizeof(data) || send(self->fd, data, size, MSG_NOSIGNAL) != (ssize_t)size)
		return end_fail(self, "send: %s", strerror(errno));
	return STEP_DONE;
}

/* Everything sent is acknowledged, more data waits, and the peer's window is 0. With a window that is merely too small,
 * the kernel would still send that data later. */
static bool window_is_closed(int fd)
{
	struct tcp_info info = {0};
	socklen_t size = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return false;
	return !info.tcpi_unacked && info.tcpi_notsent_bytes && !info.tcpi_snd_wnd;
}

int step_fill(struct end *self, const struct step *step)
{
	static const char data[16384];
	__u64 deadline = end_deadline();

	(void)step;
	do {
		while (send(self->fd, data, sizeof(data), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			;
		if (errno != EAGAIN)
			return end_fail(self, "send: %s", strerror(errno));
		if (window_is_closed(self->fd))
			return STEP_DONE;
	} while (end_wait(deadline));
	return end_fail(self, "the peer's window never closed");
}

int step_recv(struct end *self, const struct step *step)
{
	struct timeval patience = {.tv_sec = END_PATIENCE_MS / 1000};
	char data[4096];
	ssize_t n;

	if (setsockopt(self->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return end_fail(self, "SO_RCVTIMEO: %s", strerror(errno));
	do
		n = recv(self->fd, data, sizeof(data), 0);
	while (n > 0);
	return end_saw(self, step, "recv", n < 0 ? errno : 0);
}

int step_wait_unread(struct end *self, const struct step *step)
{
	__u64 deadline = end_deadline();

	do {
		int unread = 0;

		if (ioctl(self->fd, FIONREAD, &unread) < 0)
			return end_fail(self, "FIONREAD: %s", strerror(errno));
		if (unread >= step->arg)
			return STEP_DONE;
	} while (end_wait(deadline));
	return end_fail(self, "the data never came");
}

int step_wait_state(struct end *self, const struct step *step)
{
	__u64 deadline = end_deadline();

	do {
		struct tcp_info info = {0};
		socklen_t size = sizeof(info);

		if (getsockopt(self->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
			return end_fail(self, "TCP_INFO: %s", strerror(errno));
		if (info.tcpi_state == step->arg)
			return STEP_DONE;
	} while (end_wait(deadline));
	return end_fail(self, "state %ld never came", step->arg);
}

int step_so_error(struct end *self, const struct step *step)
{
	int result = wait_for(self, self->fd, 0, "the error");
	int err = 0;
	socklen_t size = sizeof(err);

	if (result)
		return result;
	if (getsockopt(self->fd, SOL_SOCKET, SO_ERROR, &err, &size) < 0)
		return end_fail(self, "SO_ERROR: %s", strerror(errno));
	return end_saw(self, step, "SO_ERROR", err);
}

int step_see_nothing(struct end *self, const struct step *step)
{
	struct pollfd pfd = {.fd = self->fd};
	const char *what = "saw nothing";
	char byte;

	if (self->fd < 0) {
		pfd = (struct pollfd){.fd = self->listener, .events = POLLIN};
		what = "nobody came";
	}
	if (poll(&pfd, 1, 0))
		return end_fail(self, "something happened where nothing should");
	if (self->fd >= 0 && recv(self->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		return end_fail(self, "end of file where nothing should happen");
	if (!step->did)
		end_note(self, what);
	return STEP_DONE;
}

int step_idle(struct end *self, const struct step *step)
{
	(void)self;
	(void)step;
	return STEP_DONE;
}

int step_pause(struct end *self, const struct step *step)
{
	struct timespec pause = clock_timespec((__u64)step->arg * CLOCK_MS);

	(void)self;
	nanosleep(&pause, NULL);
	return STEP_DONE;
}

int step_wait_acked(struct end *self, const struct step *step)
{
	__u64 deadline = end_deadline();
	int waiting = 1;

	(void)step;
	while (!ioctl(self->fd, SIOCOUTQ, &waiting) && waiting)
		if (!end_wait(deadline))
			return end_fail(self, "%d bytes were never acknowledged", waiting);
	return STEP_DONE;
}

int step_keep(struct end *self, const struct step *step)
{
	(void)step;
	self->fd = -1; /* open until the process ends */
	return STEP_DONE;
}

int step_shutdown(struct end *self, const struct step *step)
{
	if (shutdown(self->fd, (int)step->arg) < 0)
		return end_fail(self, "shutdown: %s", strerror(errno));
	return STEP_DONE;
}

int step_disconnect(struct end *self, const struct step *step)
{
	struct sockaddr nobody = {.sa_family = AF_UNSPEC};

	(void)step;
	if (connect(self->fd, &nobody, sizeof(nobody)) < 0)
		return end_fail(self, "connect(AF_UNSPEC): %s", strerror(errno));
	return STEP_DONE;
}

int step_close(struct end *self, const struct step *step)
{
	(void)step;
	close(self->fd);
	self->fd = -1;
	return STEP_DONE;
}

int step_close_listener(struct end *self, const struct step *step)
{
	(void)step;
	close(self->listener);
	self->listener = -1;
	return STEP_DONE;
}
