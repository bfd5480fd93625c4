/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A listener for RFC 5424: rsyslog's, which does what it has TLS, TCP and a spool for. */
#include "endpoint.h"
#include "outputs/datagram.h"
#include "outputs/output.h"

#define PORT 514

struct settings {
	struct endpoint to;
};

static const char *set_address(void *context, int tag, bool opposite, const char *value)
{
	struct settings *settings = context;

	(void)tag;
	(void)opposite;
	return endpoint_parse(value, PORT, &settings->to);
}

static const struct option_spec keys[] = {
	{"address", "ADDRESS[:PORT]|PATH", "where the listener is: of UDP, or a Unix datagram socket", set_address, 0},
};

static const char *target(const void *settings)
{
	return ((const struct settings *)settings)->to.text;
}

static const char *check(void *context)
{
	const struct settings *settings = context;

	return settings->to.length ? NULL : "needs an address";
}

static format_event *format(const void *settings)
{
	(void)settings;
	return format_syslog;
}

static int open_syslog(void **state, const void *settings, const struct output_agent *agent)
{
	(void)agent;
	return datagram_open((struct datagram **)state, &((const struct settings *)settings)->to);
}

static size_t write_syslog(void *state, const struct iovec *entries, size_t n, int *error)
{
	return datagram_write(state, entries, n, error);
}

static void close_syslog(void *state)
{
	datagram_close(state);
}

const struct output_ops output_syslog = {
	.name = "syslog",
	.help = "RFC 5424, to a listener such as rsyslog",
	.keys = {keys, sizeof(keys) / sizeof(*keys)},
	.settings_size = sizeof(struct settings),
	.target = target,
	.check = check,
	.format = format,
	.open = open_syslog,
	.write = write_syslog,
	.close = close_syslog,
};
