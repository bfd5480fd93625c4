/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All kinds of output. */
#include <string.h>

#include "outputs/output.h"

const struct output_ops *const output_list[] = {
	&output_file,
	&output_stdout,
	&output_journal,
	&output_syslog,
#ifdef HAVE_MICROHTTPD
	&output_metrics,
#endif
	&output_null,
	NULL,
};

const struct output_ops *output_ops_by_name(const char *name, size_t length)
{
	for (size_t i = 0; output_list[i]; i++)
		if (strlen(output_list[i]->name) == length && !strncmp(output_list[i]->name, name, length))
			return output_list[i];
	return NULL;
}
