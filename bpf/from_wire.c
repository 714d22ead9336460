// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Ingress of the underlay's devices: what comes back to a masqueraded flow is translated and goes straight to its pod;
 * so do packets of the tunnel that belong to a known flow; what is for a service goes to its backend. Everything else passes
 * untouched, where policy does not speak of the node itself.
 */
#include "lib/serve-wire.h"
#include "lib/shortcut-in.h"

/*
 * The quick answer from constant offsets: false for what cannot be ours, as the tunnel's packets. Whatever has options,
 * extension headers or is a fragment is looked at closely.
 */
INLINE bool may_be_ours(struct __sk_buff *skb, const struct config *c)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	__u8 protocol;
	__be16 *ports;
	__u32 port;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		struct iphdr *ip = data + ETH_HLEN;

		if ((void *)(ip + 1) + 4 > end)
			return true;
		if (ip->daddr != c->node4.w[3])
			return false;
		if (*(__u8 *)ip != 0x45 || ip->frag_off & bpf_htons(0x3fff))
			return true;
		protocol = ip->protocol;
		ports = (__be16 *)(ip + 1);
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		struct ipv6hdr *ip = data + ETH_HLEN;

		if ((void *)(ip + 1) + 4 > end)
			return true;
		if (ip->daddr.s6_addr32[3] != c->node6.w[3] || ip->daddr.s6_addr32[0] != c->node6.w[0])
			return false;
		protocol = ip->nexthdr;
		ports = (__be16 *)(ip + 1);
	} else {
		return false;
	}
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP)
		return true;
	port = bpf_ntohs(ports[1]);
	return port >= c->nat_port_min && port <= c->nat_port_max && port != c->tunnel_port;
}

/* With the flags of a translation, for the time of a packet: its pod had asked for a service, and hears from that. */
#define NAT_SERVED 0x8000

/* Whether it is one that pods are masqueraded to. */
INLINE bool is_node_addr(const struct config *c, const struct addr *a)
{
	return addr_equal(a, &c->node4) || addr_equal(a, &c->node6);
}

/*
 * Notes the reply in the pod's flow, which the agent would otherwise forget while only the outside speaks. A flow that
 * conntrack has lost is judged as what it is, the pod's own. 0 or METRIC_DROP_POLICY.
 */
static __noinline int note_reply(struct __sk_buff *skb, struct packet *p, struct nat_entry *to)
{
	const struct config *c = get_config();
	struct addr dst = p->dst;
	__u32 ports = p->ports;
	struct flow flow;
	int failed;

	if (!c)
		return METRIC_DROP_NOT_CONFIGURED;
	/* As the pod sees it, for as long as this takes: the stack has no room for another packet. */
	p->dst = to->addr;
	p->dst_port = to->port;
	ct_find_apart(p, &flow);
	ct_touch(skb, p, c, &flow, 0);
	if (!flow.entry)
		flow.is_reply = 1;
	else if (is_from_backend(&flow))
		to->flags |= NAT_SERVED;
	/* The node's own is judged as such, by who looks at it next. */
	failed = is_node_addr(c, &to->addr) ? 0 : check_policy(skb, p, &flow, HOOK_FROM_WIRE);
	p->dst = dst;
	p->ports = ports;
	return failed;
}

/* An ICMP error about a masqueraded packet: 0 translated, READ_SLOWLY not ours, otherwise the reason to drop. */
static __noinline int unmask_error(struct __sk_buff *skb, const struct packet *p, struct nat_entry *to)
{
	struct packet inner = {};
	struct nat_key key __attribute__((aligned(8)));
	struct nat_entry *known;

	/* Errors about the node's own packets come by here too; what is odd about them is the stack's to judge. */
	if (read_inner(skb, p, &inner) || is_other_icmp(&inner, true))
		return READ_SLOWLY;
	key.src = inner.dst;
	key.dst = inner.src;
	key.src_port = is_icmp_protocol(&inner) ? 0 : inner.dst_port;
	key.dst_port = inner.src_port;
	key.protocol = inner.protocol;
	key.direction = NAT_IN;
	key.pad = 0;
	known = bpf_map_lookup_elem(&nat, &key);
	if (!known)
		return READ_SLOWLY;
	*to = *known;
	if (nat_rewrite_inner(skb, p, &inner, to, true) || write_addr(skb, p, &p->dst, &to->addr, false))
		return METRIC_DROP_REWRITE;
	return 0;
}

/* Whether a translated error may go on to who sent what it is about: 0 or the reason to drop. */
static __noinline int check_error(struct __sk_buff *skb, struct packet *p, struct nat_entry *to)
{
	struct addr dst = p->dst;
	struct flow flow;
	int failed;

	p->dst = to->addr;
	failed = ct_find_related(skb, p, &flow);
	if (!failed)
		failed = check_policy(skb, p, &flow, HOOK_FROM_WIRE);
	if (!failed && is_from_backend(&flow))
		to->flags |= NAT_SERVED;
	p->dst = dst;
	return failed;
}

/* 0: translated; READ_SLOWLY: not ours; otherwise the reason to drop. */
INLINE int unmasquerade(struct __sk_buff *skb, struct packet *p, const struct config *c, struct nat_entry *to)
{
	struct nat_key key __attribute__((aligned(8)));
	const struct nat_entry *known;
	int failed;

	if (p->is_error) {
		failed = unmask_error(skb, p, to);
		return failed ? failed : check_error(skb, p, to);
	}
	if (is_other_icmp(p, false))
		return READ_SLOWLY;
	/* A later fragment without its first one may still be the node's own: the stack reassembles those. */
	if (p->fragment && find_fragment(skb, p))
		return READ_SLOWLY;
	nat_key_in(p, &key);
	known = bpf_map_lookup_elem(&nat, &key);
	if (!known)
		return READ_SLOWLY;
	*to = *known;
	failed = note_reply(skb, p, to);
	if (failed)
		return failed;
	return nat_rewrite(skb, p, to, false) ? METRIC_DROP_REWRITE : 0;
}

/*
 * Whether the firewall has to see it. Of other protocols it is content with one direction; and IPv6 in fragments, which the
 * stack would put together and could not take apart again for the pod, comes in those.
 */
INLINE bool is_for_firewall(const struct packet *p, const struct config *c)
{
	return c->flags & CONFIG_TRACKED && (p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_SCTP);
}

/* What comes back to a masqueraded flow: a verdict, VERDICT_NEXT for all others. `p`: room, whatever is in there. */
static __noinline int take_back(struct __sk_buff *skb, struct packet *p)
{
	const struct config *c = get_config();
	struct nat_entry to = {};
	struct ct_side pod __attribute__((aligned(8)));
	const struct endpoint *e;
	int failed;

	if (!c)
		return VERDICT_NEXT;
	__builtin_memset(p, 0, sizeof(*p));
	/* What cannot be read is not ours either: the stack has its own opinion of it. */
	if (read_packet(skb, p) || !is_node_addr(c, &p->dst))
		return VERDICT_NEXT;
	failed = unmasquerade(skb, p, c, &to);
	if (failed == READ_SLOWLY)
		return VERDICT_NEXT;
	if (failed)
		return refuse(skb, p, failed, NULL, HOOK_FROM_WIRE);
	count(skb, METRIC_NAT_IN);
	/* The node's own, see begin_own_echo. */
	if (is_node_addr(c, &to.addr))
		return VERDICT_NEXT;
	e = bpf_map_lookup_elem(&endpoints, &to.addr);
	if (!e)
		return drop(skb, p, METRIC_DROP_NO_ENDPOINT, HOOK_FROM_WIRE);
	/* The stack would answer with what only this node knows. */
	if (p->hop_limit <= 1)
		return drop(skb, p, METRIC_DROP_TTL, HOOK_FROM_WIRE);
	/* The stack has something to undo, or has to see both halves. */
	if (unlikely(to.flags & NAT_VIA_STACK || is_for_firewall(p, c)))
		return to_stack(skb, p, c, HOOK_FROM_WIRE);
	if (unlikely(to.flags & NAT_SERVED)) {
		p->dst = to.addr;
		p->dst_port = to.port;
		return answer_client(skb, p, HOOK_FROM_WIRE);
	}
	side_of(&pod, e, 0);
	return to_pod(skb, p, &pod, true, HOOK_FROM_WIRE);
}

/* Everything but what the node itself gets: VERDICT_NEXT for that. `p`: room for the packet, whatever is in there. */
INLINE int take_in(struct __sk_buff *skb, struct packet *p, const struct config *c)
{
	int verdict;

	if (!(c->flags & CONFIG_NO_SHORTCUT)) {
		verdict = shortcut_in(skb, c, p);
		if (verdict != NO_SHORTCUT)
			return verdict;
	}
	verdict = unlikely(may_be_ours(skb, c)) ? take_back(skb, p) : VERDICT_NEXT;
	return verdict == VERDICT_NEXT && is_serving() ? serve_from_wire(skb, p) : verdict;
}

SEC("tc")
int from_wire(struct __sk_buff *skb)
{
	struct packet p;
	const struct config *c = get_config();
	int verdict, failed;

	if (!c)
		return VERDICT_NEXT;
	verdict = take_in(skb, &p, c);
	if (verdict != VERDICT_NEXT || likely(!(c->flags & CONFIG_HOST_POLICY)))
		return verdict;
	failed = guard(skb, &p, HOST_RECEIVES);
	return failed ? refuse(skb, &p, failed, NULL, HOOK_FROM_WIRE) : VERDICT_NEXT;
}
