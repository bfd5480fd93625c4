/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "base/endpoint.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

#include "base/number.h"

static const char wrong[] = "neither /PATH, ADDRESS:PORT nor [ADDRESS]:PORT; names of hosts are not looked up";

static const char *parse_path(const char *path, struct endpoint *endpoint)
{
	struct sockaddr_un *address = (struct sockaddr_un *)&endpoint->address;

	if (strlen(path) >= sizeof(address->sun_path))
		return "a path of more than 107 bytes, which no socket can have";
	address->sun_family = AF_UNIX;
	strcpy(address->sun_path, path);
	endpoint->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
	return NULL;
}

static const char *parse_ipv4(const char *text, in_port_t port, struct endpoint *endpoint)
{
	struct sockaddr_in *address = (struct sockaddr_in *)&endpoint->address;

	address->sin_family = AF_INET;
	address->sin_port = port;
	endpoint->length = sizeof(*address);
	return inet_pton(AF_INET, text, &address->sin_addr) == 1 ? NULL : wrong;
}

static const char *parse_ipv6(const char *text, in_port_t port, struct endpoint *endpoint)
{
	struct sockaddr_in6 *address = (struct sockaddr_in6 *)&endpoint->address;

	address->sin6_family = AF_INET6;
	address->sin6_port = port;
	endpoint->length = sizeof(*address);
	return inet_pton(AF_INET6, text, &address->sin6_addr) == 1 ? NULL : wrong;
}

const char *endpoint_parse(const char *text, unsigned default_port, struct endpoint *endpoint)
{
	const char *from = *text == '[' ? text + 1 : text;
	size_t n = strcspn(from, *text == '[' ? "]" : ":");
	const char *rest = from + n;
	char address[INET6_ADDRSTRLEN];
	__u64 port = default_port;

	memset(endpoint, 0, sizeof(*endpoint));
	if (strlen(text) >= sizeof(endpoint->text))
		return wrong;
	strcpy(endpoint->text, text);
	if (*text == '/')
		return parse_path(text, endpoint);
	if (n >= sizeof(address) || (*text == '[' && *rest++ != ']'))
		return wrong;
	memcpy(address, from, n);
	address[n] = '\0';
	if (*rest ? *rest != ':' || number_parse(rest + 1, 1, 65535, &port) : !port)
		return wrong;
	return *text == '[' ? parse_ipv6(address, htons((in_port_t)port), endpoint)
			    : parse_ipv4(address, htons((in_port_t)port), endpoint);
}

const char *endpoint_set(const struct option_spec *spec, void *endpoint, bool opposite, const char *value)
{
	(void)opposite;
	return spec->wrong && *value != '/' ? spec->wrong : endpoint_parse(value, (unsigned)spec->least, endpoint);
}

const char *endpoint_target(const void *endpoint)
{
	return ((const struct endpoint *)endpoint)->text;
}

const char *endpoint_check(void *endpoint)
{
	return ((const struct endpoint *)endpoint)->length ? NULL : "needs an address";
}

bool endpoint_is_local(const struct endpoint *endpoint)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&endpoint->address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&endpoint->address;

	if (endpoint->address.ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	if (endpoint->address.ss_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
	return true;
}

const char *endpoint_path(const struct endpoint *endpoint)
{
	return endpoint->address.ss_family == AF_UNIX ? ((const struct sockaddr_un *)&endpoint->address)->sun_path : "";
}
