// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Egress of the underlay's devices: what the stack sends to the outside. A pod's packet to somewhere that does not know
 * pods gets the node's address, and one whose destination the stack has changed is judged, as is the node's own where policy
 * speaks of it; everything else passes untouched.
 */
#include "lib/host.h"
#include "lib/serve.h"

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

/* An ICMP error of a pod about a packet that was translated on its way in: the sender knows only the node's address. */
static __noinline int mask_error(struct __sk_buff *skb, const struct packet *p)
{
	struct packet inner = {};
	struct nat_key key __attribute__((aligned(8)));
	struct nat_entry *known, to;
	int failed = read_inner(skb, p, &inner);

	if (failed)
		return failed;
	if (is_other_icmp(&inner, false))
		return READ_SLOWLY;
	/* The packet inside came from the outside: its destination was the flow's source. */
	key.src = inner.dst;
	key.dst = inner.src;
	key.src_port = inner.dst_port;
	key.dst_port = is_icmp_protocol(&inner) ? 0 : inner.src_port;
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

/* Begins a flow whose destination the stack has chosen: 0 or the reason to drop. */
static __noinline int begin_translated(struct __sk_buff *skb, const struct packet *p, const struct flow *flow)
{
	struct ct_entry fresh = { .flags = CT_VIA_STACK };

	return ct_create(skb, p, flow, &fresh);
}

/*
 * from_pod has judged and begun the flow towards the destination that the pod named. Where the stack has put another one (a
 * service whose backend is outside, or in the host's network of another node) it is judged here, and what answers it has to
 * meet the stack again. 0, READ_SLOWLY for what answers somebody who reached the pod by its own address, or the reason to drop.
 */
static __noinline int judge_leaving(struct __sk_buff *skb, struct packet *p, __u16 *nat_flags)
{
	const struct config *c = get_config();
	struct flow flow;
	int failed;

	if (!c)
		return METRIC_DROP_NOT_CONFIGURED;
	ct_find(p, &flow);
	if (flow.entry && flow.is_reply)
		return READ_SLOWLY;
	ct_touch(skb, p, c, &flow, CT_VIA_STACK);
	failed = check_policy(skb, p, &flow, HOOK_TO_WIRE);
	if (!failed)
		failed = check_say(p, &flow);
	if (!failed && !flow.entry)
		failed = begin_translated(skb, p, &flow);
	if (!flow.entry || flow.entry->flags & CT_VIA_STACK)
		*nat_flags = NAT_VIA_STACK;
	return failed;
}

/* The translation of what has none yet. 0, READ_SLOWLY: it needs none; otherwise the reason to drop. */
INLINE int begin_translation(struct __sk_buff *skb, const struct packet *p, const struct config *c, struct nat_entry *to)
{
	const struct ipcache_entry *destination = ipcache_find(&p->dst);

	if (destination && destination->flags & (IPCACHE_NO_MASQUERADE | IPCACHE_REMOTE_NODE))
		return READ_SLOWLY;
	/*
	 * With this node's address in front it would be a tunnel packet of this node, whose inner source the pod has
	 * chosen: what other nodes have addresses for that this one does not know of, they take tunnels at.
	 */
	if (p->protocol == IPPROTO_UDP && p->dst_port == bpf_htons(c->tunnel_port))
		return METRIC_DROP_TUNNEL_SPOOFED;
	if (is_other_icmp(p, true) || (!has_nat_port(p) && !is_nat_by_address(p)))
		return METRIC_DROP_NAT_PROTOCOL;
	return nat_allocate(skb, p, c, to);
}

/* Whether the packet's flow has a translation: it is in `to`. */
static __noinline bool find_translation(const struct packet *p, struct nat_entry *to)
{
	struct nat_key key __attribute__((aligned(8)));
	const struct nat_entry *known;

	nat_key_out(p, &key);
	known = is_other_icmp(p, true) ? NULL : bpf_map_lookup_elem(&nat, &key);
	if (known)
		*to = *known;
	return known;
}

/* 0: translated; READ_SLOWLY: nothing to do; otherwise the reason to drop. */
INLINE int masquerade(struct __sk_buff *skb, struct packet *p, const struct config *c, bool is_own)
{
	struct nat_entry to = {};
	bool known = find_translation(p, &to);
	int failed = 0;

	if (!is_own && (!known || unlikely(to.flags & NAT_VIA_STACK)))
		failed = judge_leaving(skb, p, &to.flags);
	else if (!known)
		failed = begin_own_echo(skb, p, c);
	if (!failed && !known)
		failed = is_own ? nat_allocate(skb, p, c, &to) : begin_translation(skb, p, c, &to);
	if (failed)
		return failed;
	if (nat_rewrite(skb, p, &to, true))
		return METRIC_DROP_REWRITE;
	count(skb, METRIC_NAT_OUT);
	return 0;
}

/* The same for any packet. */
INLINE int leave(struct __sk_buff *skb, struct packet *p, const struct config *c, bool is_own, bool is_masquerading)
{
	__u16 flags;

	if (p->fragment) {
		int failed = find_fragment(skb, p);

		if (failed)
			return failed;
	}
	if (p->is_error)
		return is_masquerading ? mask_error(skb, p) : READ_SLOWLY;
	return is_masquerading ? masquerade(skb, p, c, is_own) : judge_leaving(skb, p, &flags);
}

/* Whether what the node itself sends is a tunnel packet, as far as constant offsets tell. */
INLINE bool is_plain_tunnel_out(struct __sk_buff *skb, const struct config *c)
{
	void *data = (void *)(long)skb->data;
	struct iphdr *ip = data + ETH_HLEN;

	return skb->protocol == bpf_htons(ETH_P_IP) && (void *)(ip + 1) + 4 <= (void *)(long)skb->data_end &&
	       *(__u8 *)ip == 0x45 && ip->protocol == IPPROTO_UDP && ((__be16 *)(ip + 1))[1] == bpf_htons(c->tunnel_port);
}

/*
 * The node itself, as a backend, answers who asked for a service from the wire. 0, or the reason to drop. `p`: room for the packet,
 * whatever is in there.
 */
static __noinline int answer_from_node(struct __sk_buff *skb, struct packet *p)
{
	const struct config *c = get_config();
	const struct translation *t = get_translation();

	if (!c || !t)
		return 0;
	__builtin_memset(p, 0, sizeof(*p));
	if (read_packet(skb, p) || (!is_served_protocol(p->protocol) && !p->is_error))
		return 0;
	if (p->fragment && find_fragment(skb, p))
		return 0;
	if (!find_served(skb, p) || t->to.flags != (SERVICE_FLOW_REPLY | SERVICE_FLOW_OUTSIDE))
		return 0;
	if (!p->is_error)
		note_answer(skb, p);
	return unserve(skb, p);
}

/* Whether a pod of this node has sent the packet and has gone since: it came by the way on which the stack gets what pods send. */
INLINE bool is_of_gone_pod(struct __sk_buff *skb, const struct config *c, const struct addr *src)
{
	return unlikely(skb->ingress_ifindex == c->twill0_ifindex) && is_own_pods(src);
}

SEC("tc")
int to_wire(struct __sk_buff *skb)
{
	struct packet p = {};
	const struct config *c = get_config();
	bool is_own, is_masquerading, is_gone;
	int failed;

	if (unlikely(skb->mark == MARK_SERVED)) {
		skb->mark = 0;
		return VERDICT_NEXT;
	}
	if (c && unlikely(c->flags & CONFIG_HOST_POLICY)) {
		failed = guard(skb, &p, HOST_SENDS);
		if (failed)
			return refuse(skb, &p, failed, NULL, HOOK_TO_WIRE);
		__builtin_memset(&p, 0, sizeof(p));
	}
	if (!c || !read_source(skb, &p.src))
		return VERDICT_NEXT;
	/* Most of what leaves is the node's own, the tunnel's packets above all. */
	is_own = addr_equal(&p.src, &c->node4) || addr_equal(&p.src, &c->node6);
	if (is_own && likely(!is_plain_echo(skb))) {
		if (!(c->flags & CONFIG_SERVICES) || is_plain_tunnel_out(skb, c))
			return VERDICT_NEXT;
		failed = answer_from_node(skb, &p);
		return failed ? drop(skb, &p, failed, HOOK_TO_WIRE) : VERDICT_NEXT;
	}
	is_masquerading = c->flags & (skb->protocol == bpf_htons(ETH_P_IP) ? CONFIG_MASQUERADE4 : CONFIG_MASQUERADE6);
	if (is_own && !is_masquerading)
		return VERDICT_NEXT;
	is_gone = !is_own && likely(!bpf_map_lookup_elem(&endpoints, &p.src));
	if (is_gone && likely(!is_of_gone_pod(skb, c, &p.src)))
		return VERDICT_NEXT;
	failed = read_packet(skb, &p);
	if (!failed && is_multicast(&p))
		return VERDICT_NEXT;
	if (!failed && unlikely(is_gone))
		failed = METRIC_DROP_NO_ENDPOINT;
	if (!failed)
		failed = leave(skb, &p, c, is_own, is_masquerading);
	if (failed && failed != READ_SLOWLY)
		return refuse(skb, &p, failed, NULL, HOOK_TO_WIRE);
	return VERDICT_NEXT;
}
