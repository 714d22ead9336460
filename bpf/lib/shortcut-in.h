// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* The way in without the tunnel's device: see shortcut.h. */
#ifndef TWILL_SHORTCUT_IN_H
#define TWILL_SHORTCUT_IN_H

#include "serve.h"

/* Whether the frame is one that this node's tunnel may take: everything about its outer headers is as expected. */
INLINE bool is_plain_tunnel(struct __sk_buff *skb, const struct config *c, const struct outer *o)
{
	return *(const __u8 *)o->ip == 0x45 && o->ip->protocol == IPPROTO_UDP && o->ip->daddr == c->node4.w[3] &&
	       o->udp->dest == bpf_htons(c->tunnel_port) && o->udp->check == 0 && o->vxlan[0] == VXLAN_FLAGS &&
	       o->vxlan[1] == bpf_htonl(c->tunnel_vni << 8) && !(o->ip->frag_off & bpf_htons(0x3fff)) &&
	       /* A congestion mark has to be carried over: the device does. */
	       (o->ip->tos & ECN_MASK) != ECN_CE && bpf_ntohs(o->ip->tot_len) <= skb->len - ETH_HLEN &&
	       header_sum(o->ip) == 0xffff;
}

/* Whether the flow has none of its packets in the device's queue. A count that went wrong mends itself in two ticks. */
INLINE bool is_drained(const struct ct_entry *e, __u32 now)
{
	return e->own_slow_in == e->own_slow_out || now - e->own_slow_tick >= 2;
}

/* The flow's packet goes by the device: whatever follows has to wait for it there. */
INLINE int leave_to_device(struct ct_entry *e, __u32 now)
{
	if (e->own_slow_in != e->own_slow_out && now - e->own_slow_tick >= 2)
		e->own_slow_out = e->own_slow_in;
	e->own_slow_tick = now;
	e->own_slow_in++;
	return NO_SHORTCUT;
}

/*
 * What the outer Ethernet header says is IPv4, and it is the one that stays. A pod's link that queues has the kernel read it
 * again, and so does whoever looks on. 0: done.
 */
INLINE int write_type6(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	struct ethhdr *eth = data;

	if (unlikely(data + ETH_HLEN > (void *)(long)skb->data_end))
		return -1;
	eth->h_proto = bpf_htons(ETH_P_IPV6);
	return 0;
}

/*
 * Takes the outer headers off a packet of a known flow and hands it to its pod. A verdict, or NO_SHORTCUT. `p`: room for the
 * packet, whatever is in there.
 */
static __noinline int shortcut_in(struct __sk_buff *skb, const struct config *c, struct packet *p)
{
	struct outer o;
	struct flow flow;
	struct addr from __attribute__((aligned(8)));
	struct ct_side pod __attribute__((aligned(8)));
	struct ct_entry *e;

	if (skb->protocol != bpf_htons(ETH_P_IP) || !find_outer(skb, &o) || !is_plain_tunnel(skb, c, &o))
		return NO_SHORTCUT;
	__builtin_memset(p, 0, sizeof(*p));
	addr_set4(&from, o.ip->saddr);
	if (o.inner->h_proto == bpf_htons(ETH_P_IP)) {
		if (read_fast4(skb, ENCAPSULATION_BYTES, p))
			return NO_SHORTCUT;
	} else if (o.inner->h_proto != bpf_htons(ETH_P_IPV6) || read_fast6(skb, ENCAPSULATION_BYTES, p)) {
		return NO_SHORTCUT;
	}
	if ((p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		return NO_SHORTCUT;
	ct_find(p, &flow);
	e = flow.entry;
	if (!e)
		return NO_SHORTCUT;
	/*
	 * A packet that is to be cut up keeps the marks of its tunnel, which the kernel takes off in its device only; a pod that
	 * forwards it would trip over them. The device's work is for forty segments at once anyway.
	 */
	if (skb->gso_size || p->hop_limit <= 1 || (e->flags & (CT_TUNNEL | CT_STACK)) != CT_TUNNEL ||
	    (e->flags & CT_VIA_STACK && flow.is_reply) || e->revision != c->revision || !is_judged(e) ||
	    !addr_equal(&e->tunnel, &from) || !is_drained(e, flow.now) ||
	    (!is_from_backend(&flow) && !find_side(e, !flow.is_high, &p->dst, &pod)))
		return leave_to_device(e, flow.now);
	if (bpf_skb_adjust_room(skb, -ENCAPSULATION_BYTES, BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET |
					(p->family == 6 ? BPF_F_ADJ_ROOM_DECAP_L3_IPV6 : 0)))
		return leave_to_device(e, flow.now);
	if (p->family == 6 && write_type6(skb))
		return drop(skb, p, METRIC_DROP_REWRITE, HOOK_FROM_WIRE);
	ct_touch(skb, p, c, &flow, 0);
	/* What the network card has verified includes the outer checksum, which is gone. */
	bpf_csum_level(skb, BPF_CSUM_LEVEL_DEC);
	count(skb, METRIC_SHORTCUT_IN);
	if (is_from_backend(&flow))
		return answer_client(skb, p, HOOK_FROM_WIRE);
	return to_pod(skb, p, &pod, true, HOOK_FROM_WIRE);
}

#endif
