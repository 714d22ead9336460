// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Ingress of twill1: what the node's stack sent to twill0, its own packets and those that it forwards. The stack has
 * taken the hop, looked at the MTU and translated what it wanted to; here only the last step is left.
 */
#include "lib/serve.h"

/* Begins the flow of a packet of the stack: 0 or the reason to drop. */
static __noinline int begin_flow_of_host(struct __sk_buff *skb, const struct packet *p, const struct flow *flow,
					 const struct way *way)
{
	const struct config *c = get_config();
	struct ct_entry fresh = { .flags = CT_VIA_STACK };

	if (!c)
		return METRIC_DROP_NOT_CONFIGURED;
	remember_way(&fresh, way, c->revision);
	return ct_create(skb, p, flow, &fresh);
}

/*
 * The stack had begun a flow of which only the pod's half was seen so far, since conntrack was lost in its middle: what the
 * pod sends are the replies.
 */
INLINE void claim_flow(const struct packet *p, struct flow *flow)
{
	struct ct_entry *e = flow->entry;

	if (!e || flow->is_related || !flow->is_reply || (e->flags & (CT_PICKED_UP | CT_VIA_STACK | CT_SERVICE)) != CT_PICKED_UP)
		return;
	ct_turn(e, p);
	e->flags |= CT_VIA_STACK;
	flow->is_reply = 0;
}

INLINE int choose_way_of_host(struct __sk_buff *skb, const struct packet *p, const struct config *c, struct flow *flow,
			      struct way *way)
{
	struct ct_entry *e = flow->is_related ? NULL : flow->entry;

	/*
	 * What the flow remembers is the way of a pod of this node towards the other side, and packets of both directions
	 * come by here. Hence pods first; CT_STACK means the stack itself, which would not send to twill0.
	 */
	if (find_pod(e, !flow->is_high, &p->dst, &way->pod)) {
		find_way_to_pod(flow, way);
	} else {
		if (e && e->flags & CT_TUNNEL && recall_way(e, c->revision, way))
			return 0;
		find_way_beyond(&p->dst, way);
	}
	if (way->kind == WAY_STACK)
		return METRIC_DROP_NO_ROUTE;
	if (unlikely(way->kind == WAY_DROP)) {
		forget_judgement(flow);
		return way->reason;
	}
	if (flow->is_related)
		return 0;
	if (e) {
		if (unlikely(e->revision != c->revision && way->kind == WAY_TUNNEL))
			remember_way(e, way, c->revision);
		return 0;
	}
	return begin_flow_of_host(skb, p, flow, way);
}

SEC("tc")
int from_host(struct __sk_buff *skb)
{
	struct packet p = {};
	struct flow flow;
	struct way way = {};
	const struct config *c = get_config();
	int failed;

	if (unlikely(!c))
		return drop(skb, &p, METRIC_DROP_NOT_CONFIGURED, HOOK_FROM_HOST);
	failed = read_packet(skb, &p);
	if (unlikely(failed))
		return drop(skb, &p, failed, HOOK_FROM_HOST);
	if (unlikely(is_multicast(&p)))
		return drop(skb, &p, METRIC_IGNORED_MULTICAST, HOOK_FROM_HOST);
	/* Packets come in by twill0 and leave by it: the stack would tell pods of a shorter way that they cannot go. */
	if (unlikely(is_redirect(&p)))
		return drop(skb, &p, METRIC_DROP_ROUTER_REDIRECT, HOOK_FROM_HOST);
	failed = find_flow(skb, &p, &flow);
	if (likely(!failed)) {
		ct_touch(skb, &p, c, &flow, CT_VIA_STACK);
		claim_flow(&p, &flow);
		failed = check_policy(skb, &p, &flow, HOOK_FROM_HOST);
		/* Where nobody speaks of the node it has no say. A pod that has none went while the stack had its packet. */
		if (likely(!failed) && unlikely(!has_sender_said(&p, &flow)) && is_own_pods(&p.src))
			failed = check_say(&p, &flow);
	}
	if (likely(!failed))
		failed = choose_way_of_host(skb, &p, c, &flow, &way);
	if (unlikely(failed))
		return refuse(skb, &p, failed, NULL, HOOK_FROM_HOST);
	if (is_from_backend(&flow))
		return answer_client(skb, &p, HOOK_FROM_HOST);
	if (way.kind == WAY_LOCAL)
		return to_pod(skb, &p, &way.pod, false, HOOK_FROM_HOST);
	return to_tunnel(skb, &p, c, &way.tunnel, &flow, false, HOOK_FROM_HOST);
}
