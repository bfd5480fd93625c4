/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All kinds of output. */
#include <string.h>

#include "outputs/output.h"

const struct output_ops *const output_list[] = {
#define OUTPUT(name) &output_##name,
#include "outputs/outputs.def"
	NULL,
};

static bool is(const char *kind, const char *name, size_t length)
{
	return strlen(kind) == length && !strncmp(kind, name, length);
}

const struct output_ops *output_ops_by_name(const char *name, size_t length)
{
	for (size_t i = 0; output_list[i]; i++)
		if (is(output_list[i]->name, name, length))
			return output_list[i];
	return NULL;
}

const char *output_why_unknown(const char *name, size_t length)
{
#ifndef HAVE_MICROHTTPD
	if (is("metrics", name, length))
		return "metrics take libmicrohttpd, and this lostpeer is built without it";
#endif
	return is("agent", name, length) ? "has no name" : "neither agent nor a kind of output; see lostpeer.conf(5)";
}
