// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* Ways on for a packet: to a pod of this node, through the tunnel, into the node's stack. */
#ifndef TWILL_FORWARD_H
#define TWILL_FORWARD_H

#include "policy.h"

/* <sys/socket.h> is the C library's. */
#define AF_INET 2
#define AF_INET6 10

/* The gateway that every pod sees, twill0, and every pod's host end. */
#define GATEWAY_MAC_HIGH bpf_htonl(0xeeeeeeee)
#define GATEWAY_MAC_LOW bpf_htons(0xeeee)

enum way_kind {
	WAY_DROP = 0,
	WAY_LOCAL = 1,
	WAY_TUNNEL = 2,
	WAY_STACK = 3,
};

struct way {
	__u32 kind;   /* enum way_kind */
	__u32 reason; /* of WAY_DROP */
	struct ct_side pod;    /* of WAY_LOCAL */
	struct addr tunnel; /* of WAY_TUNNEL */
} __attribute__((aligned(8)));

INLINE const struct config *get_config(void)
{
	__u32 zero = 0;
	const struct config *c = bpf_map_lookup_elem(&config, &zero);

	return c && likely(c->twill0_ifindex) ? c : NULL;
}

INLINE __u32 get_generation(void)
{
	__u32 index = GENERATION_ENDPOINTS;
	const struct generation *g = bpf_map_lookup_elem(&generation, &index);

	return g ? g->value : 0;
}

INLINE void side_copy(struct ct_side *to, const struct ct_side *from)
{
	((__u64 *)to)[0] = ((const __u64 *)from)[0];
	((__u64 *)to)[1] = ((const __u64 *)from)[1];
}

/* The pod as a flow remembers it; `generation` was read before the look-up of the endpoint. */
INLINE void side_of(struct ct_side *side, const struct endpoint *e, __u32 generation)
{
	((__u64 *)side)[0] = (__u64)generation << 32 | e->ifindex;
	__builtin_memcpy(side->mac, e->mac, 6);
	side->flags = e->flags;
}

/* The pod of a flow's higher or lower side: remembered, or looked up and remembered. False: no pod of this node. */
INLINE bool find_side(struct ct_entry *e, bool is_high, const struct addr *a, struct ct_side *side)
{
	struct ct_side *known = is_high ? &e->own_high : &e->own_low;
	__u32 generation = get_generation();
	const struct endpoint *endpoint;

	side_copy(side, known);
	if (likely(side->ifindex && side->generation == generation))
		return true;
	endpoint = bpf_map_lookup_elem(&endpoints, a);
	if (!endpoint)
		return false;
	side_of(side, endpoint, generation);
	side_copy(known, side);
	return true;
}

/* The pod that has an address, through its side of the flow when there is one. */
INLINE bool find_pod(struct ct_entry *e, bool is_high, const struct addr *a, struct ct_side *pod)
{
	const struct endpoint *endpoint;
	__u32 generation;

	if (likely(e))
		return find_side(e, is_high, a, pod);
	generation = get_generation();
	endpoint = bpf_map_lookup_elem(&endpoints, a);
	if (!endpoint)
		return false;
	side_of(pod, endpoint, generation);
	return true;
}

/*
 * What was said about a packet whose receiver is not there yet is said of nobody. It must not pass for what the pod says that
 * comes to this address: between the pod's entry in `endpoints` and the generation that follows it, time passes.
 */
INLINE void forget_judgement(const struct flow *flow)
{
	if (flow->entry)
		flow->entry->judged = 0;
}

/* Whether policy has asked the packet's sender, too, now or under its present state. */
INLINE bool has_sender_said(const struct packet *p, const struct flow *flow)
{
	return flow->said.asked & (flow->is_reply && !is_counter_syn(p, flow) ? ASKED_TARGET : ASKED_ORIGIN);
}

/*
 * Policy looks the sender up once more: a pod that has gone since it was checked has had no say, and may send nothing any
 * more. 0 or METRIC_DROP_NO_ENDPOINT.
 */
INLINE int check_say(const struct packet *p, const struct flow *flow)
{
	if (likely(has_sender_said(p, flow)))
		return 0;
	forget_judgement(flow);
	return METRIC_DROP_NO_ENDPOINT;
}

/* Whether an address can be that of a pod of this node only: what sends from it and is none has gone. */
static __noinline bool is_own_pods(const struct addr *a)
{
	const struct ipcache_entry *known = ipcache_find(a);

	return known && (known->flags & (IPCACHE_POD_CIDR | IPCACHE_LOCAL_NODE)) == IPCACHE_POD_CIDR &&
	       addr_is_zero(&known->tunnel);
}

/* To the pod that was found: unless it has come after policy was asked, and has had no say. */
INLINE void find_way_to_pod(const struct flow *flow, struct way *way)
{
	way->kind = WAY_LOCAL;
	if (unlikely(flow->is_for_nobody)) {
		way->kind = WAY_DROP;
		way->reason = METRIC_DROP_NO_ENDPOINT;
	}
}

/* Where an address is reached that is not a pod of this node. */
INLINE void find_way_beyond(const struct addr *dst, struct way *way)
{
	const struct ipcache_entry *known = ipcache_find(dst);

	if (!known) {
		way->kind = WAY_STACK;
	} else if (!addr_is_zero(&known->tunnel)) {
		way->kind = WAY_TUNNEL;
		addr_copy(&way->tunnel, &known->tunnel);
	} else if (known->flags & IPCACHE_POD_CIDR) {
		way->kind = WAY_DROP;
		way->reason = METRIC_DROP_NO_ENDPOINT;
	} else {
		way->kind = WAY_STACK;
	}
}

/* The decision that the flow remembers, when it stands: false if it has to be looked up. A pod of this node always is. */
INLINE bool recall_way(const struct ct_entry *e, __u32 revision, struct way *way)
{
	if (!e || e->revision != revision || !(e->flags & (CT_TUNNEL | CT_STACK)))
		return false;
	if (e->flags & CT_TUNNEL) {
		way->kind = WAY_TUNNEL;
		addr_copy(&way->tunnel, &e->tunnel);
	} else {
		way->kind = WAY_STACK;
	}
	return true;
}

/* Writes a decision into the flow's entry, the revision last: who reads the new one must find its decision. */
INLINE void remember_way(struct ct_entry *e, const struct way *way, __u32 revision)
{
	__u16 flags = e->flags & ~(CT_TUNNEL | CT_STACK);

	if (way->kind == WAY_TUNNEL) {
		addr_copy(&e->tunnel, &way->tunnel);
		flags |= CT_TUNNEL;
	} else if (way->kind == WAY_STACK) {
		flags |= CT_STACK;
	}
	e->flags = flags;
	e->revision = revision;
}

/* New Ethernet addresses, one hop less when `is_hop`. 0: done. The caller knows that the hop limit is above 1. */
INLINE int rewrite_headers(struct __sk_buff *skb, const struct packet *p, const __u8 *dst_mac, bool is_hop)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth;

	/* The hop limit of IPv6 lies at 21, what IPv4 changes ends at 26; what has an IPv6 header is longer than both. */
	if (unlikely(data + ETH_HLEN + sizeof(struct iphdr) > end)) {
		if (bpf_skb_pull_data(skb, ETH_HLEN + sizeof(struct iphdr)))
			return -1;
		data = (void *)(long)skb->data;
		end = (void *)(long)skb->data_end;
		if (data + ETH_HLEN + sizeof(struct iphdr) > end)
			return -1;
	}
	eth = data;
	*(__u32 *)&eth->h_source[0] = GATEWAY_MAC_HIGH;
	*(__u16 *)&eth->h_source[4] = GATEWAY_MAC_LOW;
	if (dst_mac) {
		*(__u32 *)&eth->h_dest[0] = *(const __u32 *)&dst_mac[0];
		*(__u16 *)&eth->h_dest[4] = *(const __u16 *)&dst_mac[4];
	} else {
		*(__u32 *)&eth->h_dest[0] = GATEWAY_MAC_HIGH;
		*(__u16 *)&eth->h_dest[4] = GATEWAY_MAC_LOW;
	}
	if (!is_hop)
		return 0;
	if (p->family == 4) {
		struct iphdr *ip = data + ETH_HLEN;
		__u32 sum = ip->check + bpf_htons(0x0100); /* RFC 1624: the TTL is a word's upper byte */

		ip->check = sum + (sum >= 0xffff);
		ip->ttl--;
	} else {
		struct ipv6hdr *ip = data + ETH_HLEN;

		((__u8 *)ip)[7]--;
		/* No header checksum absorbs this: a device's sum over the whole packet has to follow. */
		bpf_csum_update(skb, bpf_htons(0xfffe));
	}
	return 0;
}

/* To a pod of this node. */
INLINE int to_pod(struct __sk_buff *skb, const struct packet *p, const struct ct_side *pod, bool is_hop, __u32 hook)
{
	if (unlikely(rewrite_headers(skb, p, pod->mac, is_hop)))
		return drop(skb, p, METRIC_DROP_REWRITE, hook);
	/* A frame that was addressed to another MAC when it came in would be ignored by the pod's stack. */
	if (skb->pkt_type != 0)
		bpf_skb_change_type(skb, 0);
	count(skb, METRIC_FORWARD_LOCAL);
	if (unlikely(pod->flags & ENDPOINT_SHAPED))
		return redirect(skb, pod->ifindex, 0);
	return redirect_peer(skb, pod->ifindex);
}

/* Into the node's stack, as if it had come in by twill0. The stack takes the hop, and answers when there is none left. */
INLINE int to_stack(struct __sk_buff *skb, const struct packet *p, const struct config *c, __u32 hook)
{
	if (unlikely(rewrite_headers(skb, p, NULL, false)))
		return drop(skb, p, METRIC_DROP_REWRITE, hook);
	count(skb, METRIC_FORWARD_STACK);
	return redirect(skb, c->twill0_ifindex, BPF_F_INGRESS);
}

/* Whether the tunnel takes it, every segment of it when it is going to be cut up by an offload. */
INLINE bool fits_tunnel(struct __sk_buff *skb, const struct packet *p, const struct config *c)
{
	__u32 gso;

	if (likely(skb->len - ETH_HLEN <= c->tunnel_mtu))
		return true;
	gso = skb->gso_size;
	/* SCTP's segments (GSO_BY_FRAGS) keep their own sizes, which its socket made to fit the pod's MTU. */
	return gso == 0xffff || (gso && p->headers + gso <= c->tunnel_mtu);
}

/* Lowers the MSS that a SYN announces, so that both sides' segments fit. 0: done, or nothing to do. */
VERIFIED_ONCE int clamp_mss(struct __sk_buff *skb, const struct packet *p, __u32 tunnel_mtu)
{
	__u8 options[64] = {};
	__u32 limit, at, length, i;

	if (!p)
		return -1;
	limit = tunnel_mtu - (p->family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr)) - sizeof(struct tcphdr);
	at = p->l4 + sizeof(struct tcphdr);
	/* Bytes of IP and TCP header: what lies behind them is no option. */
	length = ETH_HLEN + p->headers - at;
	if (tunnel_mtu < 576 || length < 4 || length > 40)
		return 0;
	if (bpf_skb_load_bytes(skb, at, options, length))
		return -1;
	for (i = 0; i < 37; i++) {
		__u8 kind = options[i & 63];
		__u8 step = options[(i + 1) & 63];
		__u32 mss, place;
		__be16 from, to;

		if (kind == 0 || i >= length)
			return 0;
		if (kind == 1)
			continue;
		if (step < 2)
			return 0;
		if (kind != 2 || step != 4) {
			i += step - 1;
			continue;
		}
		mss = options[(i + 2) & 63] << 8 | options[(i + 3) & 63];
		if (mss <= limit || i + 4 > length)
			return 0;
		place = at + i + 2;
		to = bpf_htons(limit);
		from = bpf_htons(mss);
		if (bpf_skb_store_bytes(skb, place, &to, 2, 0))
			return -1;
		count(skb, METRIC_MSS_CLAMPED);
		/* At an odd place the two bytes belong to two words of the sum: swapped they count the same. */
		if (i & 1) {
			from = __builtin_bswap16(from);
			to = __builtin_bswap16(to);
		}
		return bpf_l4_csum_replace(skb, p->l4 + 16, from, to, 2);
	}
	return 0;
}

#endif
