// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Ingress of the VXLAN device: packets of other nodes, for pods of this one or for the node itself.
 *
 *   node known, inner source the node's? → flow → pod of this node: its link
 *                                               → address of this node: the stack
 */
#include "lib/serve-wire.h"

/* Where the destination is: 0 or the reason to drop. */
INLINE int find_way_in(struct ct_entry *e, bool is_high, const struct packet *p, struct way *way)
{
	const struct ipcache_entry *known;

	if (likely(find_pod(e, is_high, &p->dst, &way->pod))) {
		way->kind = WAY_LOCAL;
		return 0;
	}
	known = ipcache_find(&p->dst);
	if (known && known->flags & IPCACHE_LOCAL_NODE) {
		way->kind = WAY_STACK;
		return 0;
	}
	return known && known->flags & IPCACHE_POD_CIDR ? METRIC_DROP_NO_ENDPOINT : METRIC_DROP_NO_ROUTE;
}

/* Begins the flow of a packet of another node: 0 or the reason to drop. */
static __noinline int begin_flow_of_tunnel(struct __sk_buff *skb, const struct packet *p, const struct flow *flow,
					   const struct addr *outer, __u16 flags)
{
	const struct config *c = get_config();
	struct ct_entry fresh = { .flags = flags };

	if (!c)
		return METRIC_DROP_NOT_CONFIGURED;
	addr_copy(&fresh.tunnel, outer);
	fresh.revision = c->revision;
	return ct_create(skb, p, flow, &fresh);
}

/*
 * Checks the origin, finds the way and asks policy. What a flow remembers of its other node spares the look-ups for as long
 * as its packets come from that very node. 0 or the reason to drop.
 */
INLINE int choose_way_in(struct __sk_buff *skb, const struct packet *p, const struct config *c, struct flow *flow,
			 const struct addr *outer, struct way *way)
{
	struct ct_entry *e = flow->is_related ? NULL : flow->entry;
	__u16 flags = CT_TUNNEL;
	bool is_known = e && e->revision == c->revision && e->flags & CT_TUNNEL && addr_equal(&e->tunnel, outer);
	int failed;

	if (is_known && e->flags & CT_STACK) {
		way->kind = WAY_STACK;
		failed = 0;
	} else {
		failed = is_known ? 0 : check_origin(p, outer);
		if (likely(!failed))
			failed = find_way_in(e, !flow->is_high, p, way);
	}
	if (unlikely(failed))
		return failed;
	/* Before policy: a connection that begins anew is judged anew. */
	ct_touch(skb, p, c, flow, 0);
	failed = check_policy(skb, p, flow, HOOK_FROM_TUNNEL);
	if (unlikely(failed))
		return failed;
	if (likely(is_known) || flow->is_related)
		return 0;
	if (way->kind == WAY_STACK)
		flags |= CT_STACK;
	if (e) {
		addr_copy(&e->tunnel, outer);
		e->flags = (e->flags & ~CT_STACK) | flags;
		e->revision = c->revision;
		return 0;
	}
	return begin_flow_of_tunnel(skb, p, flow, outer, flags);
}

/*
 * Whether host ports have to be looked at: as may_be_served of from_pod.c, but what is for a pod of this node itself is told by
 * its flow.
 */
INLINE bool may_be_for_host_port(const struct packet *p, const struct flow *flow, int failed)
{
	const struct ct_entry *e = flow->entry;

	if (failed)
		return unlikely(failed == METRIC_DROP_ICMP_UNRELATED) && has_host_ports();
	if (likely(e && !(e->flags & CT_STACK)))
		return false;
	return !flow->is_related && (!e || (!flow->is_reply && !e->reply_seen)) && is_served_protocol(p->protocol) &&
	       has_host_ports();
}

SEC("tc")
int from_tunnel(struct __sk_buff *skb)
{
	struct packet p = {};
	struct flow flow;
	struct way way = {};
	struct addr outer __attribute__((aligned(8)));
	const struct config *c = get_config();
	__u32 vni, backend;
	int failed, verdict;

	if (unlikely(!c))
		return drop(skb, &p, METRIC_DROP_NOT_CONFIGURED, HOOK_FROM_TUNNEL);
	if (unlikely(get_tunnel(skb, &outer, &vni)))
		return drop(skb, &p, METRIC_DROP_NO_TUNNEL_KEY, HOOK_FROM_TUNNEL);
	failed = read_packet(skb, &p);
	if (likely(!failed) && unlikely(vni != c->tunnel_vni))
		failed = METRIC_DROP_WRONG_VNI;
	if (unlikely(failed))
		return drop(skb, &p, failed, HOOK_FROM_TUNNEL);
	if (unlikely(is_multicast(&p)))
		return drop(skb, &p, METRIC_IGNORED_MULTICAST, HOOK_FROM_TUNNEL);
	/* Of the link, not of the network: no honest node sends them here. */
	if (unlikely(is_neighbour_discovery(&p) || is_redirect(&p)))
		return drop(skb, &p, METRIC_DROP_ND_SPOOFED, HOOK_FROM_TUNNEL);
	flow.entry = NULL;
	backend = c->flags & CONFIG_SERVICES ? dsr_backend(skb) : 0;
	failed = likely(!backend) ? find_flow(skb, &p, &flow) : 0;
	if (unlikely(backend || may_be_for_host_port(&p, &flow, failed))) {
		verdict = serve_from_tunnel(skb, &p, &flow, &way, &outer, backend);
		if (verdict != VERDICT_NEXT)
			return verdict;
		/* Looked up once more: the stack has no room to keep it meanwhile. */
		c = get_config();
		if (!c)
			return drop(skb, &p, METRIC_DROP_NOT_CONFIGURED, HOOK_FROM_TUNNEL);
	}
	if (likely(!failed) && flow.entry && !flow.is_related) {
		/* One less of this flow is under way in the device's queue: see lib/shortcut.h. */
		flow.entry->own_slow_out++;
		flow.entry->own_slow_tick = flow.now;
	}
	if (likely(!failed))
		failed = choose_way_in(skb, &p, c, &flow, &outer, &way);
	if (unlikely(failed))
		return refuse(skb, &p, failed, &outer, HOOK_FROM_TUNNEL);
	if (is_from_backend(&flow))
		return answer_client(skb, &p, HOOK_FROM_TUNNEL);
	/* The stack has begun the flow and may have translated its addresses: replies go back the same way. */
	if (way.kind == WAY_STACK || (flow.entry && unlikely(flow.entry->flags & CT_VIA_STACK) && flow.is_reply))
		return to_stack(skb, &p, c, HOOK_FROM_TUNNEL);
	if (unlikely(p.hop_limit <= 1)) {
		count(skb, METRIC_SLOW_TTL);
		return to_stack(skb, &p, c, HOOK_FROM_TUNNEL);
	}
	return to_pod(skb, &p, &way.pod, true, HOOK_FROM_TUNNEL);
}
