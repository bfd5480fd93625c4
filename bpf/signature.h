/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Segments that this host drops for their TCP signature (MD5, AO; from 6.11): it is wrong, missing or not expected. A
 * listener is listed for the agent, as one with a full queue is (queues.h). Of a connection the event that ends it says
 * so; also that of its other end, if that is on this host.
 *
 * Runs only for such segments. Anybody can send some, so all that is kept has a fixed size.
 */
#ifndef LOSTPEER_BPF_SIGNATURE_H
#define LOSTPEER_BPF_SIGNATURE_H

#include "queues.h"

/* The last ones: each by address of the socket that it came for, and by lp_segment_of(). An address of the kernel is no
 * lp_segment_of() in practice: that would need one sequence number in 65,536, and both ports. The oldest gives way, and
 * then the event does not say why nobody answered. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2048);
	__type(key, __u64);
	__type(value, struct lp_refused);
} refused SEC(".maps");

struct segment {
	__u8 source_addr[16]; /* IPv4 as a mapped address, but for a socket of IPv4 */
	__u64 id;             /* lp_segment_of() */
};

static __always_inline _Bool read_segment(struct segment *s, struct sk_buff *skb, __u16 family)
{
	unsigned char *head = BPF_CORE_READ(skb, head);
	unsigned char *ip = head + BPF_CORE_READ(skb, network_header);
	struct tcphdr_words tcp;
	__u8 version = 0;

	if (bpf_probe_read_kernel(&version, 1, ip) ||
	    bpf_probe_read_kernel(&tcp, sizeof(tcp), head + BPF_CORE_READ(skb, transport_header)))
		return 0;
	s->id = lp_segment_of(bpf_ntohl(tcp.seq), bpf_ntohs(tcp.source), bpf_ntohs(tcp.dest));
	if (version >> 4 != 4)
		return !bpf_probe_read_kernel(s->source_addr, 16, ip + 8);
	if (family == AF_INET)
		return !bpf_probe_read_kernel(s->source_addr, 4, ip + 12);
	s->source_addr[10] = s->source_addr[11] = 0xff;
	return !bpf_probe_read_kernel(s->source_addr + 12, 4, ip + 12);
}

static __always_inline void list_refusing(__u64 key, const struct segment *s, __u32 signature)
{
	struct lp_filled *listed = bpf_map_lookup_elem(&filled, &key);

	if (!listed) {
		list_filled(key, LP_QUEUE_SIGNATURE);
		listed = bpf_map_lookup_elem(&filled, &key);
	}
	if (!listed)
		return;
	if (!listed->refused)
		copy_16(listed->source_addr, s->source_addr);
	else if (((__u64 *)listed->source_addr)[0] != ((__u64 *)s->source_addr)[0] ||
		 ((__u64 *)listed->source_addr)[1] != ((__u64 *)s->source_addr)[1])
		listed->several_sources = 1;
	listed->signatures |= 1u << (signature & 7);
	__sync_fetch_and_add(&listed->refused, 1);
}

/* By probe reads, and global, so that the verifier walks it only once. */
__noinline int note_refused(__u64 key, __u64 segment, __u32 signature)
{
	struct sock *sk = (struct sock *)key;
	struct lp_refused new = {.time_ns = bpf_ktime_get_ns(), .signature = signature};
	struct segment s = {};

	if (!read_segment(&s, (struct sk_buff *)segment, BPF_CORE_READ(sk, __sk_common.skc_family)))
		return 0;
	bpf_map_update_elem(&refused, &s.id, &new, BPF_ANY);
	if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN)
		list_refusing(key, &s, signature);
	else
		bpf_map_update_elem(&refused, &key, &new, BPF_ANY);
	return 0;
}

SEC("tp_btf/tcp_hash_bad_header")
int BPF_PROG(hash_bad_header, const struct sock *sk, const struct sk_buff *skb)
{
	return note_refused(as_number(sk), as_number(skb), LP_SIGNATURE_WRONG);
}

SEC("tp_btf/tcp_hash_md5_mismatch")
int BPF_PROG(hash_md5_mismatch, const struct sock *sk, const struct sk_buff *skb)
{
	return note_refused(as_number(sk), as_number(skb), LP_SIGNATURE_WRONG);
}

SEC("tp_btf/tcp_hash_md5_required")
int BPF_PROG(hash_md5_required, const struct sock *sk, const struct sk_buff *skb)
{
	return note_refused(as_number(sk), as_number(skb), LP_SIGNATURE_MISSING);
}

SEC("tp_btf/tcp_hash_md5_unexpected")
int BPF_PROG(hash_md5_unexpected, const struct sock *sk, const struct sk_buff *skb)
{
	return note_refused(as_number(sk), as_number(skb), LP_SIGNATURE_UNEXPECTED);
}

SEC("tp_btf/tcp_hash_ao_required")
int BPF_PROG(hash_ao_required, const struct sock *sk, const struct sk_buff *skb)
{
	return note_refused(as_number(sk), as_number(skb), LP_SIGNATURE_MISSING);
}

/* The last segment of a handshake has AO where the SYN had none, or the other way round: then the length is 0. */
SEC("tp_btf/tcp_ao_handshake_failure")
int BPF_PROG(ao_handshake_failure, const struct sock *sk, const struct sk_buff *skb, const __u8 keyid, const __u8 rnext,
	     const __u8 maclen)
{
	return note_refused(as_number(sk), as_number(skb), maclen ? LP_SIGNATURE_UNEXPECTED : LP_SIGNATURE_MISSING);
}

SEC("tp_btf/tcp_ao_wrong_maclen")
int BPF_PROG(ao_wrong_maclen, const struct sock *sk, const struct sk_buff *skb)
{
	return note_refused(as_number(sk), as_number(skb), LP_SIGNATURE_WRONG);
}

SEC("tp_btf/tcp_ao_mismatch")
int BPF_PROG(ao_mismatch, const struct sock *sk, const struct sk_buff *skb)
{
	return note_refused(as_number(sk), as_number(skb), LP_SIGNATURE_WRONG);
}

SEC("tp_btf/tcp_ao_key_not_found")
int BPF_PROG(ao_key_not_found, const struct sock *sk, const struct sk_buff *skb)
{
	return note_refused(as_number(sk), as_number(skb), LP_SIGNATURE_UNEXPECTED);
}

#endif
