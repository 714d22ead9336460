// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * The node's own traffic with the wire, judged like a pod's (decision 55). Off, as on every node of which no policy speaks, it
 * costs one test of a flag.
 *
 * Never judged: what holds the link together, what the tunnel needs, and later fragments, which nobody can put together
 * when the first one was denied.
 */
#ifndef TWILL_HOST_H
#define TWILL_HOST_H

#include "forward.h"

#define PROTOCOL_IGMP 2
#define MLD_QUERY 130
#define MLD_DONE 132
#define MLD_REPORT2 143
#define PACKET_BROADCAST 1
#define VLAN_ID_MASK 0xfff

/* Neighbours and groups of the link (RFC 4861, 3376, 3810): without them there is no network to have policies about. */
INLINE bool is_of_link(const struct packet *p)
{
	if (p->family == 4)
		return p->protocol == PROTOCOL_IGMP;
	return is_neighbour_discovery(p) || (p->is_icmp && p->icmp_type >= MLD_QUERY && p->icmp_type <= MLD_DONE) ||
	       (p->is_icmp && p->icmp_type == MLD_REPORT2);
}

static __noinline bool is_of_node(const struct addr *a)
{
	const struct ipcache_entry *known = ipcache_find(a);

	return known && known->flags & IPCACHE_LOCAL_NODE;
}

/* Whether the node itself is that side of the packet. Without an address yet, or one of the link only, nobody else can be. */
INLINE bool is_node_side(struct __sk_buff *skb, const struct packet *p, __u32 side)
{
	if (side == HOST_SENDS)
		return addr_is_zero(&p->src) || (p->family == 4 && !p->src.w[3]) || is_link_local6(p, &p->src) ||
		       is_of_node(&p->src);
	return is_multicast(p) || skb->pkt_type == PACKET_BROADCAST || is_link_local6(p, &p->dst) || is_of_node(&p->dst);
}

/* Whether another node's end of the tunnel has that address. */
INLINE bool is_tunnel_end(const struct addr *a)
{
	return bpf_map_lookup_elem(&nodes, a);
}

/*
 * Whether a packet of a TCP connection whose beginning nobody saw, since it is older than policy or was forgotten, goes towards
 * who began it: servers listen, clients do not.
 */
static __noinline bool answers_unseen(struct __sk_buff *skb, const struct packet *p, __u32 side)
{
	bool is_sender = side == HOST_SENDS;
	const struct addr *own = is_sender ? &p->src : &p->dst;
	const struct addr *peer = is_sender ? &p->dst : &p->src;
	struct bpf_sock_tuple t = {};
	struct bpf_sock *sk;
	__u32 size;

	/* From port 0 comes no connection: what is found is a listener. */
	if (p->family == 4) {
		t.ipv4.saddr = peer->w[3];
		t.ipv4.daddr = own->w[3];
		t.ipv4.dport = is_sender ? p->src_port : p->dst_port;
		size = sizeof(t.ipv4);
	} else {
		__builtin_memcpy(t.ipv6.saddr, peer->w, 16);
		__builtin_memcpy(t.ipv6.daddr, own->w, 16);
		t.ipv6.dport = is_sender ? p->src_port : p->dst_port;
		size = sizeof(t.ipv6);
	}
	sk = bpf_skc_lookup_tcp(skb, &t, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return !is_sender;
	bpf_sk_release(sk);
	return is_sender;
}

/*
 * An ICMP error about no flow of the node's: what it sends as a router about what it forwards, and what it gets about the
 * tunnel's packets, which nobody keeps in mind.
 */
INLINE bool may_pass_unrelated(struct __sk_buff *skb, const struct packet *p, const struct flow *flow, __u32 side)
{
	if (side == HOST_SENDS)
		return !is_of_node(&flow->quoted_dst);
	return !is_node_side(skb, p, side) || (flow->quoted_protocol == IPPROTO_UDP && is_tunnel_end(&flow->quoted_dst));
}

/* Begins a flow of the node's. Where there is no room its packets are judged one by one, lest a flood locks everybody out. */
static __noinline void begin_flow_of_node(struct __sk_buff *skb, const struct packet *p, const struct flow *flow)
{
	struct ct_entry fresh = { .flags = CT_HOST };

	if (ct_create(skb, p, flow, &fresh))
		count(skb, METRIC_HOST_UNTRACKED);
}

/*
 * Whether a packet that the node exchanges with the wire may pass: 0, or the reason to drop. `p` is the caller's room for it,
 * whatever is in there. What is not the node's passes.
 */
static __noinline int guard(struct __sk_buff *skb, struct packet *p, __u32 side)
{
	const struct config *c = get_config();
	struct ct_entry *e;
	struct flow flow;
	int failed;

	/* A device of its own has what is tagged, but not what the tag gives a priority only (IEEE 802.1Q, VLAN 0). */
	if (!c || (skb->vlan_present && skb->vlan_tci & VLAN_ID_MASK))
		return 0;
	__builtin_memset(p, 0, sizeof(*p));
	failed = read_packet(skb, p);
	if (failed)
		return failed == METRIC_DROP_NOT_IP ? 0 : failed;
	if (p->fragment == FRAGMENT_LATER || is_of_link(p))
		return 0;
	if (p->protocol == IPPROTO_UDP && p->dst_port == bpf_htons(c->tunnel_port) &&
	    is_tunnel_end(side == HOST_SENDS ? &p->dst : &p->src))
		return 0;
	if (p->is_error) {
		__builtin_memset(&flow, 0, sizeof(flow));
		failed = ct_find_related(skb, p, &flow);
		if (failed)
			return may_pass_unrelated(skb, p, &flow, side) ? 0 : failed;
		/* About what the node only forwards, or pods of its. */
		if (!(flow.entry->flags & CT_HOST))
			return 0;
	} else {
		ct_find_apart(p, &flow);
	}
	e = flow.entry;
	if (unlikely(!e || !(e->flags & CT_HOST)) && !is_node_side(skb, p, side))
		return 0;
	flow.host = side;
	ct_touch(skb, p, c, &flow, CT_HOST);
	if (!e && p->protocol == IPPROTO_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
		flow.is_reply = answers_unseen(skb, p, side);
	failed = check_policy(skb, p, &flow, side == HOST_SENDS ? HOOK_TO_WIRE : HOOK_FROM_WIRE);
	/* An entry that begins with a reply would have the wrong origin. */
	if (!failed && !e && !flow.is_reply)
		begin_flow_of_node(skb, p, &flow);
	return failed;
}

#endif
