/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A look at a socket: look_typed() and look_probed(), and their parts, which a hook reads one by one. */
#ifndef LOSTPEER_BPF_LOOK_H
#define LOSTPEER_BPF_LOOK_H

#include <bpf/bpf_endian.h>

#include "kernel.h"
#include "aside.h"
#include "kernels.h"
#include "socket.h"

#define FILE_REF_DEAD 0xC000000000000000ULL /* file_ref.h: from here on, the last reference is gone or going */

const volatile __u32 jiffy_ms = 4 * LP_JIFFY_SCALE; /* the agent sets the kernel's value */

/* Multiplies and shifts, since a division would be the most expensive instruction of a hook. */
static __always_inline __s64 jiffies_ms(__u32 jiffies)
{
	return (__s64)((__u64)jiffies * jiffy_ms / LP_JIFFY_SCALE);
}

/* Both are tcp_jiffies32. `then` may be slightly ahead of this CPU's `now`. */
static __always_inline __s64 age_ms(__u32 now, __u32 then)
{
	__u32 age = now - then;

	return age < (__u32)-1000 ? jiffies_ms(age) : 0;
}

static __always_inline void copy_16(__u8 *to, const __u8 *from)
{
	((__u64 *)to)[0] = ((const __u64 *)from)[0];
	((__u64 *)to)[1] = ((const __u64 *)from)[1];
}

#define INDEX_HEADS 256       /* NETDEV_HASHENTRIES */
#define INTERFACES_OF_HEAD 32 /* of those with the same head, as many are looked at */

/* The address of struct net_device; 0: not found. Rare, so a global function, which the verifier walks only once. */
__noinline __u64 interface_of(__u64 namespace, __u32 index)
{
	struct net *net = (struct net *)namespace;
	struct hlist_head *heads;
	struct hlist_node *node;

	if (!bpf_core_field_exists(net->dev_index_head))
		return 0;
	heads = BPF_CORE_READ(net, dev_index_head);
	node = BPF_CORE_READ(&heads[index & (INDEX_HEADS - 1)], first);
	for (int i = 0; i < INTERFACES_OF_HEAD && node; i++) {
		__u64 device = (__u64)node - bpf_core_field_offset(struct net_device, index_hlist);

		if ((__u32)BPF_CORE_READ((struct net_device *)device, ifindex) == index)
			return device;
		node = BPF_CORE_READ(node, next);
	}
	return 0;
}

static __always_inline void name_interface(struct lp_socket *s, struct net *net)
{
	struct net_device *device = (struct net_device *)interface_of(as_number(net), s->interface);

	if (device)
		bpf_probe_read_kernel_str(s->interface_name, sizeof(s->interface_name), &device->name);
}

/* By direct loads, at a fifth of the cost, if the kernel gives us a typed socket. */
#define LOOK(name) name##_typed
#define GET(p, member) ((p)->member)
#define GET_16(to, p, member) copy_16(to, (p)->member.in6_u.u6_addr8)
#define GET_BITS(p, member) BPF_CORE_READ_BITFIELD(p, member)
#include "look_fill.h"
#undef LOOK
#undef GET
#undef GET_16
#undef GET_BITS

/* By probe reads, if the socket is only an address. */
#define LOOK(name) name##_probed
#define GET(p, member) BPF_CORE_READ(p, member)
#define GET_16(to, p, member) bpf_core_read(to, 16, &(p)->member)
#define GET_BITS(p, member) BPF_CORE_READ_BITFIELD_PROBED(p, member)
#include "look_fill.h"

#endif
