// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Egress of the underlay's devices: what the stack sends to the outside. A pod's packet to somewhere that does not know
 * pods gets the node's address; everything else passes untouched.
 */
#include "lib/nat.h"

/* The source address alone, for the quick answer. False: not IP, or cut off. */
INLINE bool read_source(struct __sk_buff *skb, struct addr *src)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = data + ETH_HLEN;
		__be32 a;

		if ((void *)(ip + 1) <= end)
			a = ip->saddr;
		else if (bpf_skb_load_bytes(skb, ETH_HLEN + 12, &a, 4))
			return false;
		addr_set4(src, a);
		return true;
	}
	if (skb->protocol != bpf_htons(ETH_P_IPV6))
		return false;
	return bpf_skb_load_bytes(skb, ETH_HLEN + 8, src, 16) == 0;
}

/* Whether the packet is an echo request, as far as constant offsets tell. */
INLINE bool is_plain_echo(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = data + ETH_HLEN;

		return (void *)(ip + 1) + 1 <= end && ip->protocol == IPPROTO_ICMP && *(__u8 *)ip == 0x45 &&
		       *(__u8 *)(ip + 1) == ICMP_ECHO;
	} else {
		struct ipv6hdr *ip = data + ETH_HLEN;

		return (void *)(ip + 1) + 1 <= end && ip->nexthdr == IPPROTO_ICMPV6 &&
		       *(__u8 *)(ip + 1) == ICMPV6_ECHO_REQUEST;
	}
}

/*
 * The node's own echo to the outside: its answer must not be taken for one to a masqueraded pod that uses the same
 * identifier, so that it takes part in the allocation. (Ports have sockets, which allocation looks at; identifiers have
 * nothing of the kind.) 0: it needs a translation; READ_SLOWLY: it needs none; otherwise the reason to drop.
 */
static __noinline int begin_own_echo(struct __sk_buff *skb, const struct packet *p, const struct config *c)
{
	const struct ipcache_entry *destination;
	struct ct_entry fresh = {};
	struct flow flow;

	if (!p || !c)
		return READ_SLOWLY;
	destination = ipcache_find(&p->dst);
	if (destination && destination->flags & IPCACHE_NO_MASQUERADE)
		return READ_SLOWLY;
	ct_find(p, &flow);
	if (flow.entry)
		return 0;
	/* The translation lives as long as this. */
	__builtin_memset(&flow.said, 0, sizeof(flow.said));
	return ct_create(skb, p, &flow, &fresh);
}

/* Whether the packet answers somebody outside who reached the pod by its own address. */
INLINE bool is_reply_to_outside(const struct packet *p)
{
	struct ct_key key __attribute__((aligned(8)));
	bool is_high = ct_make_key(p, &key);
	const struct ct_entry *e = ct_lookup(&key);

	return e && is_high != !!(e->flags & CT_ORIGIN_HIGH);
}

/* An ICMP error of a pod about a packet that was translated on its way in: the sender knows only the node's address. */
static __noinline int mask_error(struct __sk_buff *skb, const struct packet *p)
{
	struct packet inner = {};
	struct nat_key key __attribute__((aligned(8)));
	struct nat_entry *known, to;
	int failed = read_inner(skb, p, &inner);

	if (failed)
		return failed;
	/* The packet inside came from the outside: its destination was the flow's source. */
	key.src = inner.dst;
	key.dst = inner.src;
	key.src_port = inner.dst_port;
	key.dst_port = is_echo_flow(&inner) ? 0 : inner.src_port;
	key.protocol = inner.protocol;
	key.direction = NAT_OUT;
	key.pad = 0;
	known = bpf_map_lookup_elem(&nat, &key);
	if (!known)
		return READ_SLOWLY;
	to = *known;
	if (nat_rewrite_inner(skb, p, &inner, &to, false) || write_addr(skb, p, &p->src, &to.addr, true))
		return METRIC_DROP_REWRITE;
	count(skb, METRIC_NAT_OUT);
	return 0;
}

/*
 * A pod's packet to another node's own address takes the tunnel, unless the stack has put that address there (a service
 * whose backend is in the host's network). The answer comes by the tunnel and has to meet the stack again. READ_SLOWLY or
 * the reason to drop.
 */
static __noinline int note_via_stack(struct __sk_buff *skb, const struct packet *p, const struct config *c)
{
	struct ct_entry fresh = { .flags = CT_VIA_STACK };
	struct flow flow;
	int failed;

	if (!p || !c)
		return READ_SLOWLY;
	ct_find(p, &flow);
	if (flow.entry) {
		ct_touch(skb, p, c, &flow, CT_VIA_STACK);
		return READ_SLOWLY;
	}
	/* Not judged: the answer, which comes by the tunnel, asks. */
	__builtin_memset(&flow.said, 0, sizeof(flow.said));
	failed = ct_create(skb, p, &flow, &fresh);
	return failed ? failed : READ_SLOWLY;
}

/* 0: translated; READ_SLOWLY: nothing to do; otherwise the reason to drop. */
INLINE int masquerade(struct __sk_buff *skb, struct packet *p, const struct config *c, bool is_own)
{
	struct nat_key key __attribute__((aligned(8)));
	const struct nat_entry *known;
	const struct ipcache_entry *destination;
	struct nat_entry to = {};
	int failed;

	if (p->fragment) {
		failed = find_fragment(skb, p);
		if (failed)
			return failed;
	}
	if (p->is_error) {
		failed = mask_error(skb, p);
		if (failed != READ_SLOWLY)
			return failed;
	}
	nat_key_out(p, &key);
	known = bpf_map_lookup_elem(&nat, &key);
	if (known) {
		to = *known;
	} else if (is_own) {
		failed = begin_own_echo(skb, p, c);
		if (!failed)
			failed = nat_allocate(skb, p, c, &to);
		if (failed)
			return failed;
	} else {
		destination = ipcache_find(&p->dst);
		if (destination && destination->flags & IPCACHE_REMOTE_NODE && !p->is_error)
			return note_via_stack(skb, p, c);
		if ((destination && destination->flags & IPCACHE_NO_MASQUERADE) || p->is_error ||
		    is_reply_to_outside(p))
			return READ_SLOWLY;
		/*
		 * With this node's address in front it would be a tunnel packet of this node, whose inner source the pod has
		 * chosen: what other nodes have addresses for that this one does not know of, they take tunnels at.
		 */
		if (p->protocol == IPPROTO_UDP && p->dst_port == bpf_htons(c->tunnel_port))
			return METRIC_DROP_TUNNEL_SPOOFED;
		if (!has_nat_port(p) && !is_nat_by_address(p))
			return METRIC_DROP_NAT_PROTOCOL;
		failed = nat_allocate(skb, p, c, &to);
		if (failed)
			return failed;
	}
	if (nat_rewrite(skb, p, &to, true))
		return METRIC_DROP_REWRITE;
	count(skb, METRIC_NAT_OUT);
	return 0;
}

SEC("tc")
int to_wire(struct __sk_buff *skb)
{
	struct packet p = {};
	const struct config *c = get_config();
	bool is_own;
	int failed;

	if (!c || !read_source(skb, &p.src))
		return VERDICT_NEXT;
	/* Most of what leaves is the node's own, the tunnel's packets above all. */
	is_own = addr_equal(&p.src, &c->node4) || addr_equal(&p.src, &c->node6);
	if (is_own && likely(!is_plain_echo(skb)))
		return VERDICT_NEXT;
	if (!(c->flags & (skb->protocol == bpf_htons(ETH_P_IP) ? CONFIG_MASQUERADE4 : CONFIG_MASQUERADE6)))
		return VERDICT_NEXT;
	if (!is_own && likely(!bpf_map_lookup_elem(&endpoints, &p.src)))
		return VERDICT_NEXT;
	failed = read_packet(skb, &p);
	if (!failed && is_multicast(&p))
		return VERDICT_NEXT;
	if (!failed)
		failed = masquerade(skb, &p, c, is_own);
	if (failed && failed != READ_SLOWLY)
		return drop(skb, &p, failed, HOOK_TO_WIRE);
	return VERDICT_NEXT;
}
