/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* libbpf's messages: shown only for debugging, but read for the name of a program that the kernel refuses, which libbpf
 * reports in no other way. */
#ifndef LOSTPEER_LIBBPF_LOG_H
#define LOSTPEER_LIBBPF_LOG_H

/* From now on messages are shown only with LOSTPEER_DEBUG=1. */
void libbpf_log_hush(void);
/* Forgets the messages before. */
void libbpf_log_begin(void);
/* The program that libbpf first complained of since then; "" if none. */
const char *libbpf_log_program(void);

#endif
