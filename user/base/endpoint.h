/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The address that a socket binds or sends to, parsed from one word of the configuration: /PATH of a Unix socket,
 * ADDRESS:PORT or [ADDRESS]:PORT. Addresses are numeric, because the agent uses no resolver. */
#ifndef LOSTPEER_ENDPOINT_H
#define LOSTPEER_ENDPOINT_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/options.h"

#define ENDPOINT_TEXT_LEN 128

struct endpoint {
	struct sockaddr_storage address; /* AF_UNIX, AF_INET or AF_INET6 */
	socklen_t length;                /* 0: none */
	char text[ENDPOINT_TEXT_LEN];    /* as given */
};

/* port: the default; 0: the text must name one. Returns NULL, or what is wrong with the text. */
const char *endpoint_parse(const char *text, unsigned port, struct endpoint *endpoint);
/* Sets an option whose member is an endpoint. spec->least: the default port, 0: none. spec->wrong: if not NULL, only a
 * path is allowed, and this is the message for anything else. */
option_set endpoint_set;
/* target() and check() of an output whose settings are an endpoint. */
const char *endpoint_target(const void *endpoint);
const char *endpoint_check(void *endpoint);
/* Whether only processes of this host can reach it. */
bool endpoint_is_local(const struct endpoint *endpoint);
/* "" unless it is a Unix socket. */
const char *endpoint_path(const struct endpoint *endpoint);

#endif
