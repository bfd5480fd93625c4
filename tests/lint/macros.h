/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* For cppcheck, which does not read the headers of libraries: macros that stand where it expects something else. */
#define SEC(name)
#define __ksym
#define BPF_PROG(name, ...) name(__VA_ARGS__)
#define LIBBPF_OPTS(type, name, ...) struct type name = {0}
#define json_object_object_foreach(object, name, value) for (const char *name = 0; name;)
