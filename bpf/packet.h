/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The packet that TCP is working on, where a tracepoint passes the socket alone: its pointer lies on the kernel's stack, a
 * little above the program's context. A candidate is taken only if it leads to a TCP header of this very connection;
 * where a kernel keeps the pointer in no frame, nothing is found.
 */
#ifndef LOSTPEER_BPF_PACKET_H
#define LOSTPEER_BPF_PACKET_H

#include "kernel.h"

#define STACK_PART 128
#define STACK_PARTS 8
#define SKB_ALIGNMENT 64   /* of the cache that sk_buffs are from */
#define DIRECT_MAP_BITS 40 /* as much RAM as a sk_buff may be away from a socket: nothing else is read */

/* Whether a sk_buff is at this address, whose TCP header has the ports of this socket and these flags. Global, like
 * packet_find(), so that the verifier walks it only once. */
__noinline int packet_is(__u64 candidate, __u64 sk, __u32 flags)
{
	struct sk_buff *skb = (struct sk_buff *)candidate;
	struct inet_sock *inet = (struct inet_sock *)sk;
	__u64 head = as_number(BPF_CORE_READ(skb, head));
	__u16 at = BPF_CORE_READ(skb, transport_header);
	struct tcphdr_words tcp;

	if (!(head >> 63) || bpf_probe_read_kernel(&tcp, sizeof(tcp), (void *)(head + at)))
		return 0;
	return (tcp.flags & flags) == flags && tcp.source == BPF_CORE_READ(inet, sk.__sk_common.skc_dport) &&
	       tcp.dest == BPF_CORE_READ(inet, inet_sport);
}

/* The address of the sk_buff; 0: not found. stack: the address of the program's context. */
__noinline __u64 packet_find(__u64 stack, __u64 sk, __u32 flags)
{
	__u64 words[STACK_PART / sizeof(__u64)];

	for (__u32 part = 0; part < STACK_PARTS; part++) {
		if (bpf_probe_read_kernel(words, sizeof(words), (void *)(stack + part * STACK_PART)))
			break;
		for (__u32 i = 0; i < STACK_PART / sizeof(__u64); i++) {
			__u64 distance = words[i] > sk ? words[i] - sk : sk - words[i];

			if (!(words[i] % SKB_ALIGNMENT) && distance && !(distance >> DIRECT_MAP_BITS) &&
			    packet_is(words[i], sk, flags))
				return words[i];
		}
	}
	return 0;
}

#endif
