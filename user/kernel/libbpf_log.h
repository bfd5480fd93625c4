/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What libbpf says: only for who debugs, but for the name of a program that the kernel refuses, which it says in no other
 * way. */
#ifndef LOSTPEER_LIBBPF_LOG_H
#define LOSTPEER_LIBBPF_LOG_H

/* From now on LOSTPEER_DEBUG=1 shows it, and nothing else. */
void libbpf_log_hush(void);
/* Forgets what was said. */
void libbpf_log_begin(void);
/* The program that libbpf first complained of since; "" if of none. */
const char *libbpf_log_program(void);

#endif
