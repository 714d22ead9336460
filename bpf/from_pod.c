// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Ingress of a pod's host end: everything that a pod sends. Nothing of it enters the node's stack but through twill0.
 *
 *   own address and MAC? → flow, or service → pod of this node: its link
 *                                           → other node, or a pod of its: tunnel
 *                                           → everything else, and what cannot be forwarded here: the stack
 */
#include "lib/neighbour.h"
#include "lib/serve.h"

struct sender {
	struct ct_side pod;
} __attribute__((aligned(8)));

/* The frame's MACs: 0 or the reason to drop. */
INLINE int check_macs(struct __sk_buff *skb, const struct ct_side *source)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	struct ethhdr *eth = data;

	if (data + ETH_HLEN > end)
		return METRIC_DROP_MALFORMED;
	if (*(__u32 *)&eth->h_dest[0] != GATEWAY_MAC_HIGH || *(__u16 *)&eth->h_dest[4] != GATEWAY_MAC_LOW)
		return METRIC_DROP_WRONG_MAC;
	return mac_equal(eth->h_source, source->mac) ? 0 : METRIC_DROP_MAC_SPOOFED;
}

/*
 * Whether the packet is the pod's to send: 0 or the reason to drop. `source` comes from the flow that the packet claims
 * to belong to, when there is one, which is the same answer for less.
 */
INLINE int check_sender(struct __sk_buff *skb, const struct packet *p, struct flow *flow, struct sender *source)
{
	struct ct_entry *e = flow->is_related ? NULL : flow->entry;

	if (unlikely(!find_pod(e, flow->is_high, &p->src, &source->pod) || source->pod.ifindex != skb->ifindex))
		return is_link_local6(p, &p->src) ? METRIC_DROP_LINK_LOCAL : METRIC_DROP_SOURCE_SPOOFED;
	/* Routers on the way report errors, and so does who the packet was for: a pod is no router of other pods' flows. */
	if (unlikely(flow->is_related && !flow->is_of_target))
		return METRIC_DROP_ICMP_UNRELATED;
	return check_macs(skb, &source->pod);
}

/* Whether the packet goes to something beyond its link: 0 or the reason to drop. */
INLINE int check_destination(const struct packet *p)
{
	if (unlikely(is_multicast(p)))
		return METRIC_IGNORED_MULTICAST;
	/* A node with `route_localnet` (portmap and kube-proxy set it) would let in what is for its own loopback. */
	if (unlikely(is_link_local6(p, &p->dst) ||
		     (p->family == 4 && (p->dst.w[3] == GATEWAY4 || (p->dst.w[3] & bpf_htonl(0xff000000)) == LOOPBACK4))))
		return METRIC_DROP_LINK_LOCAL;
	/* Only routers redirect; a pod is none. */
	return unlikely(is_redirect(p)) ? METRIC_DROP_ND_SPOOFED : 0;
}

/* Of a flow that begins. */
INLINE __u32 flow_flags(const struct flow *flow)
{
	if (likely(!flow->served))
		return 0;
	return flow->is_own_source ? CT_SERVICE | CT_OWN_SOURCE : CT_SERVICE;
}

/* Begins the flow of a packet whose way is found: 0 or the reason to drop. */
static __noinline int begin_flow(struct __sk_buff *skb, const struct packet *p, const struct flow *flow,
				 const struct way *way)
{
	const struct config *c = get_config();
	struct ct_entry fresh = { .flags = flow_flags(flow) };

	if (!c)
		return METRIC_DROP_NOT_CONFIGURED;
	remember_way(&fresh, way, c->revision);
	return ct_create(skb, p, flow, &fresh);
}

/* Where to: remembered by the flow, or decided now and remembered. 0 or the reason to drop. */
INLINE int choose_way(struct __sk_buff *skb, const struct packet *p, const struct config *c, struct flow *flow,
		      struct way *way)
{
	struct ct_entry *e = flow->is_related ? NULL : flow->entry;

	if (recall_way(e, c->revision, way))
		return 0;
	if (find_pod(e, !flow->is_high, &p->dst, &way->pod))
		find_way_to_pod(flow, way);
	else
		find_way_beyond(&p->dst, way);
	if (unlikely(way->kind == WAY_DROP)) {
		forget_judgement(flow);
		return way->reason;
	}
	if (flow->is_related)
		return 0;
	if (unlikely(!e))
		return begin_flow(skb, p, flow, way);
	if (unlikely(e->revision != c->revision))
		remember_way(e, way, c->revision);
	return 0;
}

/* The way is decided: what cannot go by it as it is goes to the stack instead. */
INLINE int send_from_pod(struct __sk_buff *skb, const struct packet *p, const struct config *c, const struct flow *flow,
			 const struct way *way)
{
	if (way->kind == WAY_STACK)
		return to_stack(skb, p, c, HOOK_FROM_POD);
	if (unlikely(p->hop_limit <= 1)) {
		count(skb, METRIC_SLOW_TTL);
		return to_stack(skb, p, c, HOOK_FROM_POD);
	}
	if (way->kind == WAY_LOCAL)
		return to_pod(skb, p, &way->pod, true, HOOK_FROM_POD);
	if (unlikely(!fits_tunnel(skb, p, c))) {
		count(skb, METRIC_SLOW_MTU);
		return to_stack(skb, p, c, HOOK_FROM_POD);
	}
	return to_tunnel(skb, p, c, &way->tunnel, flow, true, HOOK_FROM_POD);
}

/*
 * Whether services have to be looked at: the flow is not known; or it is one of a service, which a packet of its origin is never
 * found under by its own addresses; or it goes to the stack and has no answer, as what was sent before its service was there.
 */
INLINE bool may_be_served(const struct packet *p, const struct config *c, const struct flow *flow, int failed)
{
	const struct ct_entry *e = flow->entry;

	if (failed)
		return unlikely(failed == METRIC_DROP_ICMP_UNRELATED) && is_serving();
	if (likely(e && !(e->flags & (CT_SERVICE | CT_STACK))))
		return false;
	return !flow->is_related && (!e || (!flow->is_reply && (e->flags & CT_SERVICE || !e->reply_seen))) && is_serving();
}

/* Finds the flow, checks the sender, and translates what asks for a service: 0 or the reason to drop. */
INLINE int find_flow_of_pod(struct __sk_buff *skb, struct packet *p, const struct config *c, struct flow *flow,
			    struct sender *source)
{
	int failed;

	flow->entry = NULL;
	failed = find_flow(skb, p, flow);
	if (likely(!may_be_served(p, c, flow, failed)))
		return failed ? failed : check_sender(skb, p, flow, source);
	if (failed) {
		flow->entry = NULL;
		flow->is_related = 0;
	}
	failed = check_sender(skb, p, flow, source);
	if (likely(!failed))
		failed = serve(skb, p, flow, 0, find_served(skb, p));
	if (unlikely(p->is_error) && !failed) {
		failed = ct_find_related(skb, p, flow);
		flow->served = SERVED_KNOWN;
	}
	return failed;
}

/* Ends a packet that is dropped after it was translated, as far as it was: the client is answered by whom it asked. */
static __noinline int refuse_served(struct __sk_buff *skb, struct packet *p, const struct flow *flow, __u32 reason)
{
	const struct translation *t = get_translation();

	if (flow->served == SERVED_NEW)
		forget_served();
	if (t && !p->is_error && reason == METRIC_DROP_POLICY)
		translate_back(p, t);
	return refuse(skb, p, reason, NULL, HOOK_FROM_POD);
}

/* Keeps and writes the translation of what policy has let pass: 0 or the reason to drop. */
static __noinline int finish_served(struct __sk_buff *skb, struct packet *p, struct flow *flow)
{
	int failed = flow->served == SERVED_NEW ? keep_served(p) : 0;

	if (failed == SERVED_KNOWN) {
		ct_find_apart(p, flow);
		flow->served = SERVED_KNOWN;
	} else if (failed) {
		return failed;
	}
	count(skb, METRIC_SERVICE_FORWARD);
	return !p->is_error && rewrite_served(skb, p) ? METRIC_DROP_REWRITE : 0;
}

SEC("tc")
int from_pod(struct __sk_buff *skb)
{
	struct packet p = {};
	struct flow flow;
	struct sender source = {};
	struct way way = {};
	const struct config *c = get_config();
	int failed;

	if (unlikely(!c))
		return drop(skb, &p, METRIC_DROP_NOT_CONFIGURED, HOOK_FROM_POD);
	if (unlikely(skb->vlan_present || skb->protocol == bpf_htons(ETH_P_8021Q) ||
		     skb->protocol == bpf_htons(ETH_P_8021AD)))
		return drop(skb, &p, METRIC_DROP_VLAN, HOOK_FROM_POD);
	if (unlikely(skb->protocol == bpf_htons(ETH_P_ARP)))
		return answer_arp(skb, &p);
	failed = read_packet(skb, &p);
	if (unlikely(failed))
		return drop(skb, &p, failed, HOOK_FROM_POD);
	if (unlikely(is_neighbour_discovery(&p)))
		return answer_nd(skb, &p);
	failed = check_destination(&p);
	if (likely(!failed))
		failed = find_flow_of_pod(skb, &p, c, &flow, &source);
	if (unlikely(failed))
		return refuse(skb, &p, failed, NULL, HOOK_FROM_POD);
	ct_touch(skb, &p, c, &flow, flow_flags(&flow));
	failed = check_policy(skb, &p, &flow, HOOK_FROM_POD);
	if (likely(!failed))
		failed = check_say(&p, &flow);
	if (likely(!failed) && unlikely(flow.served))
		failed = finish_served(skb, &p, &flow);
	if (likely(!failed) && is_from_backend(&flow))
		return answer_client(skb, &p, HOOK_FROM_POD);
	if (likely(!failed))
		failed = choose_way(skb, &p, c, &flow, &way);
	if (unlikely(failed))
		return flow.served ? refuse_served(skb, &p, &flow, failed) : refuse(skb, &p, failed, NULL, HOOK_FROM_POD);
	if (flow.entry && unlikely(flow.entry->flags & CT_VIA_STACK) && flow.is_reply)
		return to_stack(skb, &p, c, HOOK_FROM_POD);
	return send_from_pod(skb, &p, c, &flow, &way);
}
