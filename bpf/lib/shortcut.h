// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * The tunnel without its device. What the VXLAN device, UDP, IP and its receive queue do for a packet of a known flow is
 * to put 50 bytes in front of it, or take them off: done here in one step each, between the pod's link and the wire.
 *
 *   out: pod → from_pod ──────────────────────────────→ wire          in: wire → from_wire ──→ pod
 *                 └→ (twill_vx → UDP → IP → neighbour) ┘                          └→ (IP → UDP → twill_vx → from_tunnel) ┘
 *
 * It is an optimisation and nothing else: every packet that is not the plainest case takes the lower way. Packets of one
 * flow must not overtake each other on the two ways; the lower way out is finished when it returns, but the one in ends
 * in a queue, which is why flows count what they have in it.
 */
#ifndef TWILL_SHORTCUT_H
#define TWILL_SHORTCUT_H

#include "forward.h"

#define VXLAN_FLAGS bpf_htonl(0x08000000) /* RFC 7348 section 5: the VNI is valid, and nothing else is */
#define ENCAPSULATION_BYTES 50            /* IPv4 20, UDP 8, VXLAN 8, inner Ethernet 14 */
#define SOURCE_PORT_FIRST 32768 /* net.ipv4.ip_local_port_range */
#define SOURCE_PORT_LAST 60999
#define ECN_MASK 3
#define ECN_CE 3
#define ECN_ECT0 2

/* Not in the headers of the oldest distribution that this is built on. */
#ifndef BPF_F_ADJ_ROOM_DECAP_L3_IPV6
#define BPF_F_ADJ_ROOM_DECAP_L3_IPV6 (1ULL << 8)
#endif

/* No verdict: the packet is as it was. */
#define NO_SHORTCUT 255

/* All between the wire and the inner packet; the pointers lie as far apart as the headers do. */
struct outer {
	struct ethhdr *eth;
	struct iphdr *ip;
	struct udphdr *udp;
	__be32 *vxlan; /* flags, VNI */
	struct ethhdr *inner;
};

/* False: the headers are not all in the buffer's linear part. */
INLINE bool find_outer(struct __sk_buff *skb, struct outer *o)
{
	void *data = (void *)(long)skb->data;

	o->eth = data;
	o->ip = data + ETH_HLEN;
	o->udp = data + ETH_HLEN + sizeof(struct iphdr);
	o->vxlan = data + ETH_HLEN + sizeof(struct iphdr) + sizeof(struct udphdr);
	o->inner = data + ENCAPSULATION_BYTES;
	return data + ENCAPSULATION_BYTES + ETH_HLEN <= (void *)(long)skb->data_end;
}

/* The sum of an IPv4 header's ten words, folded. */
INLINE __u32 header_sum(const struct iphdr *ip)
{
	const __u16 *w = (const __u16 *)ip;
	__u32 sum = 0;
	int i;

#pragma unroll
	for (i = 0; i < 10; i++)
		sum += w[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* RFC 6040 as Linux has it: the mark survives inside, the outer header says that marking is understood. */
INLINE __u8 outer_ecn(__u8 inner)
{
	return (inner & ECN_MASK) == ECN_CE ? ECN_ECT0 : inner & ECN_MASK;
}

/*
 * RFC 7348 section 5: a port by flow, so that networks can spread flows and keep each one together. The device's formula
 * (udp_flow_src_port) and Linux' default range, so that both ways out have the same.
 */
INLINE __u16 source_port(__u32 hash)
{
	hash ^= hash << 16;
	return SOURCE_PORT_FIRST + (((__u64)hash * (SOURCE_PORT_LAST - SOURCE_PORT_FIRST)) >> 32);
}

/* Whether nothing has to be cut up on the way out. Kernels before 5.12 do not tell the device's MTU: 0. */
INLINE bool fits_underlay(struct __sk_buff *skb, const struct packet *p, __u32 mtu)
{
	__u32 gso = skb->gso_size;
	__u32 inner = gso ? p->headers + gso : skb->len - ETH_HLEN;

	return mtu == 0 || inner + ENCAPSULATION_BYTES <= mtu;
}

/*
 * Puts the outer headers in front of a packet whose Ethernet and hop limit are already rewritten, and sends it out of the
 * device that the routing table names. A verdict, or NO_SHORTCUT with the packet as it was.
 */
static __noinline int shortcut_out(struct __sk_buff *skb, const struct packet *p, const struct config *c, __be32 to)
{
	struct bpf_fib_lookup fib = { .family = AF_INET, .l4_protocol = IPPROTO_UDP };
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	__u32 hash = bpf_get_hash_recalc(skb);
	struct outer o;
	__u8 tos;

	/* The outer length has 16 bits; the kernel has its own way with more. */
	if (data + ETH_HLEN + 2 > end || skb->len > 0xffff - ENCAPSULATION_BYTES)
		return NO_SHORTCUT;
	tos = p->family == 4 ? ((__u8 *)data)[15] : ((__u8 *)data)[15] >> 4;
	fib.ifindex = c->twill0_ifindex;
	fib.ipv4_src = c->node4.w[3];
	fib.ipv4_dst = to;
	/* Not found, no neighbour yet, too large, …: the kernel knows what to do. */
	if (bpf_fib_lookup(skb, &fib, sizeof(fib), 0) || !fits_underlay(skb, p, fib.mtu_result))
		return NO_SHORTCUT;
	if (bpf_skb_adjust_room(skb, ENCAPSULATION_BYTES, BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L4_UDP |
					BPF_F_ADJ_ROOM_ENCAP_L2(14) | BPF_F_ADJ_ROOM_ENCAP_L2_ETH |
					BPF_F_ADJ_ROOM_FIXED_GSO))
		return NO_SHORTCUT;
	if (!find_outer(skb, &o))
		return VERDICT_DROP;
	__builtin_memcpy(o.eth->h_dest, fib.dmac, 6);
	__builtin_memcpy(o.eth->h_source, fib.smac, 6);
	o.eth->h_proto = bpf_htons(ETH_P_IP);
	*(__u8 *)o.ip = 0x45;
	o.ip->tos = outer_ecn(tos);
	o.ip->tot_len = bpf_htons(skb->len - ETH_HLEN);
	o.ip->id = bpf_get_prandom_u32();
	o.ip->frag_off = 0; /* a narrower path may cut it up, as it may the device's */
	o.ip->ttl = 64;
	o.ip->protocol = IPPROTO_UDP;
	o.ip->check = 0;
	o.ip->saddr = c->node4.w[3];
	o.ip->daddr = to;
	o.ip->check = ~header_sum(o.ip);
	o.udp->source = bpf_htons(source_port(hash));
	o.udp->dest = bpf_htons(c->tunnel_port);
	o.udp->len = bpf_htons(skb->len - ETH_HLEN - sizeof(struct iphdr));
	o.udp->check = 0;
	o.vxlan[0] = VXLAN_FLAGS;
	o.vxlan[1] = bpf_htonl(c->tunnel_vni << 8);
	__builtin_memset(o.inner->h_dest, 0xee, 6);
	__builtin_memset(o.inner->h_source, 0xee, 6);
	o.inner->h_proto = p->family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	count(skb, METRIC_SHORTCUT_OUT);
	return redirect(skb, fib.ifindex, 0);
}

/*
 * To another node. The caller has made sure that the packet fits and has a hop left. Once a tick a flow goes by the device,
 * whose neighbour look-up keeps the next hop's address alive and true.
 */
INLINE int to_tunnel(struct __sk_buff *skb, const struct packet *p, const struct config *c, const struct addr *tunnel,
		     const struct flow *flow, bool is_hop, __u32 hook)
{
	if (unlikely(p->tcp_flags & TCP_SYN) && clamp_mss(skb, p, c->tunnel_mtu))
		return drop(skb, p, METRIC_DROP_REWRITE, hook);
	if (unlikely(rewrite_headers(skb, p, NULL, is_hop)))
		return drop(skb, p, METRIC_DROP_REWRITE, hook);
	if (!flow->is_first_of_tick && !(c->flags & CONFIG_NO_SHORTCUT) && is_mapped(tunnel)) {
		int verdict = shortcut_out(skb, p, c, tunnel->w[3]);

		if (likely(verdict != NO_SHORTCUT)) {
			count(skb, METRIC_FORWARD_TUNNEL);
			return verdict;
		}
	}
	if (unlikely(!c->tunnel_ifindex || set_tunnel(skb, tunnel, c->tunnel_vni)))
		return drop(skb, p, METRIC_DROP_NO_TUNNEL_KEY, hook);
	count(skb, METRIC_FORWARD_TUNNEL);
	return redirect(skb, c->tunnel_ifindex, 0);
}

#endif
