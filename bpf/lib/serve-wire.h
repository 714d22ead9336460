// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* What comes from the wire for a service: see serve.h. */
#ifndef TWILL_SERVE_WIRE_H
#define TWILL_SERVE_WIRE_H

#include "host.h"
#include "serve.h"

#define PACKET_HOST 0
#define DSR_MARK bpf_htons(0x0ed5) /* two bytes of a local unicast address (IEEE 802) */

/* The source of the inner Ethernet header of what a backend of another node answers itself. */
struct dsr_mac {
	__be16 mark;
	__u32 backend; /* its number */
} __attribute__((packed, aligned(2)));
#define IP_DF 0x40 /* in the upper byte of the fragment offset */

/* Where the backend is: 0 or the reason to drop. */
static __noinline int find_backend_way(const struct packet *p, struct way *way, bool *is_for_node)
{
	const struct ipcache_entry *known = ipcache_find(&p->dst);

	*is_for_node = known && known->flags & IPCACHE_LOCAL_NODE;
	/* By the wire, as what answers: the other node would take the tunnel's for a packet that came the wrong way. */
	if (known && known->flags & IPCACHE_REMOTE_NODE) {
		way->kind = WAY_STACK;
		return 0;
	}
	find_way_beyond(&p->dst, way);
	return way->kind == WAY_DROP ? way->reason : 0;
}

/* Answers that go another way must not make the flow age as one that has none. */
#define SEEN_ELSEWHERE (TCP_SYN | TCP_ACK)

/* Begins the flow of a translated packet that may pass, or notes its way: 0 or the reason to drop. */
static __noinline int settle_served(struct __sk_buff *skb, const struct packet *p, const struct flow *flow,
				    const struct way *way)
{
	const struct config *c = get_config();
	const struct translation *t = get_translation();
	struct ct_entry fresh = { .flags = flow->is_own_source ? CT_SERVICE | CT_OWN_SOURCE : CT_SERVICE };
	struct ct_entry *e = flow->entry;

	if (!c || !t)
		return METRIC_DROP_NOT_CONFIGURED;
	if (flow->is_related)
		return 0;
	if (e) {
		if (way->kind == WAY_TUNNEL && e->revision != c->revision)
			remember_way(e, way, c->revision);
		return 0;
	}
	if (t->to.flags & SERVICE_FLOW_DSR)
		fresh.reply_seen = SEEN_ELSEWHERE;
	if (way->kind == WAY_TUNNEL)
		remember_way(&fresh, way, c->revision);
	return ct_create(skb, p, flow, &fresh);
}

/* Whether it may be cut up on its way through the tunnel. */
INLINE bool may_fragment(struct __sk_buff *skb, const struct packet *p)
{
	__u8 flags = IP_DF;

	return p->family == 4 && !bpf_skb_load_bytes(skb, ETH_HLEN + 6, &flags, 1) && !(flags & IP_DF);
}

/* Ends a packet that is dropped after it was translated, but before it was rewritten. */
static __noinline int refuse_from_wire(struct __sk_buff *skb, struct packet *p, bool is_kept, __u32 reason, __u32 hook)
{
	const struct translation *t = get_translation();

	if (is_kept)
		forget_served();
	if (t && !p->is_error && reason == METRIC_SLOW_MTU) {
		translate_back(p, t);
		count(skb, METRIC_SLOW_MTU);
		return answer(skb, p, NULL, HOOK_FROM_WIRE, ANSWER_TOO_BIG);
	}
	/* Policy has told already. */
	return reason == METRIC_DROP_POLICY ? VERDICT_DROP : drop(skb, p, reason, hook);
}

/* Policy and the way, and the translation is kept: 0, or the reason to drop. Changes nothing in the packet. */
static __noinline int admit_served(struct __sk_buff *skb, struct packet *p, struct flow *flow, struct way *way, __u32 hook)
{
	const struct config *c = get_config();
	struct ct_entry *e = flow->entry;
	const struct translation *t = get_translation();
	const struct endpoint *pod;
	bool is_for_node = false;
	int failed;

	if (!c || !t)
		return METRIC_DROP_NOT_CONFIGURED;
	__builtin_memset(&flow->said, 0, sizeof(flow->said));
	ct_touch(skb, p, c, flow, flow->is_own_source ? CT_SERVICE | CT_OWN_SOURCE : CT_SERVICE);
	if (e && t->to.flags & SERVICE_FLOW_DSR && e->reply_seen != SEEN_ELSEWHERE)
		e->reply_seen = SEEN_ELSEWHERE;
	pod = bpf_map_lookup_elem(&endpoints, &p->dst);
	if (pod) {
		side_of(&way->pod, pod, 0);
		/* The node itself is asked by `guard`, in the name of the device. */
		failed = check_policy(skb, p, flow, hook);
		if (!failed)
			find_way_to_pod(flow, way);
		if (!failed && way->kind == WAY_DROP)
			failed = way->reason;
	} else {
		failed = find_backend_way(p, way, &is_for_node);
	}
	if (failed)
		return failed;
	/* See begin_translation of to_wire.c. */
	if (flow->is_own_source && way->kind == WAY_STACK && p->protocol == IPPROTO_UDP &&
	    p->dst_port == bpf_htons(c->tunnel_port))
		return METRIC_DROP_TUNNEL_SPOOFED;
	if (!is_for_node && p->hop_limit <= 1)
		return METRIC_DROP_TTL;
	if (way->kind == WAY_TUNNEL && !fits_tunnel(skb, p, c) && !may_fragment(skb, p))
		return METRIC_SLOW_MTU;
	if (flow->served == SERVED_NEW) {
		failed = keep_served(p);
		/* Another CPU was first: the next packet finds its choice, and whoever sent this one sends it again. */
		if (failed)
			return failed == SERVED_KNOWN ? METRIC_DROP_SERVICE_CLASH : failed;
	}
	if (is_for_node)
		way->kind = WAY_DROP; /* nothing that is sent: the stack has it from here */
	return 0;
}

/*
 * As it came to the node of its backend, which is named by the source of the inner Ethernet header: pods have no part in that, and
 * the network no use for it. Goes by the tunnel's device.
 */
static __noinline int send_dsr(struct __sk_buff *skb, struct packet *p, const struct addr *tunnel)
{
	const struct config *c = get_config();
	const struct translation *t = get_translation();
	struct dsr_mac mac = { .mark = DSR_MARK };

	if (!c || !t)
		return VERDICT_DROP;
	mac.backend = t->to.backend;
	if (!p->is_error)
		translate_back(p, t);
	if (p->tcp_flags & TCP_SYN && clamp_mss(skb, p, c->tunnel_mtu))
		return drop(skb, p, METRIC_DROP_REWRITE, HOOK_FROM_WIRE);
	if (rewrite_headers(skb, p, NULL, true) || bpf_skb_store_bytes(skb, 6, &mac, sizeof(mac), 0))
		return drop(skb, p, METRIC_DROP_REWRITE, HOOK_FROM_WIRE);
	if (!c->tunnel_ifindex || set_tunnel(skb, tunnel, c->tunnel_vni))
		return drop(skb, p, METRIC_DROP_NO_TUNNEL_KEY, HOOK_FROM_WIRE);
	count(skb, METRIC_FORWARD_TUNNEL);
	count(skb, METRIC_SERVICE_FORWARD);
	return redirect(skb, c->tunnel_ifindex, 0);
}

/* An ICMP error about what a backend of another node has answered. */
static __noinline int send_dsr_error(struct __sk_buff *skb, struct packet *p)
{
	const struct translation *t = get_translation();
	const struct ipcache_entry *known = t ? ipcache_find(&t->to.dst) : NULL;

	if (!known || addr_is_zero(&known->tunnel))
		return drop(skb, p, METRIC_DROP_ICMP_UNRELATED, HOOK_FROM_WIRE);
	if (p->hop_limit <= 1)
		return drop(skb, p, METRIC_DROP_TTL, HOOK_FROM_WIRE);
	return send_dsr(skb, p, &known->tunnel);
}

/* On to the backend: a verdict. */
static __noinline int forward_served(struct __sk_buff *skb, struct packet *p, const struct flow *flow, const struct way *way,
				     __u32 hook)
{
	const struct config *c = get_config();

	if (!c)
		return VERDICT_NEXT;
	if (!p->is_error && rewrite_served(skb, p))
		return drop(skb, p, METRIC_DROP_REWRITE, hook);
	count(skb, METRIC_SERVICE_FORWARD);
	if (way->kind == WAY_DROP)
		return VERDICT_NEXT;
	if (way->kind == WAY_STACK)
		return send_out(skb, p, hook);
	if (way->kind == WAY_TUNNEL)
		return to_tunnel(skb, p, c, &way->tunnel, flow, true, hook);
	return to_pod(skb, p, &way->pod, true, hook);
}

/*
 * Takes in what is for a service of this node, or answers one that this node has forwarded: a verdict; VERDICT_NEXT also for all
 * that is neither. `p`: room for the packet, whatever is in there.
 */
static __noinline int serve_from_wire(struct __sk_buff *skb, struct packet *p)
{
	const struct config *c = get_config();
	struct translation *t = get_translation();
	struct way way = {};
	struct flow flow;
	int served, failed;

	if (!c || !t || skb->pkt_type != PACKET_HOST || (skb->vlan_present && skb->vlan_tci & VLAN_ID_MASK))
		return VERDICT_NEXT;
	__builtin_memset(p, 0, sizeof(*p));
	if (read_packet(skb, p) || (!is_served_protocol(p->protocol) && !p->is_error) || is_multicast(p))
		return VERDICT_NEXT;
	if (p->protocol == IPPROTO_UDP && p->dst_port == bpf_htons(c->tunnel_port) && is_tunnel_end(&p->src))
		return VERDICT_NEXT;
	if (p->fragment && find_fragment(skb, p))
		return VERDICT_NEXT;
	served = find_served(skb, p);
	if (served && t->to.flags == (SERVICE_FLOW_REPLY | SERVICE_FLOW_OUTSIDE) &&
	    (addr_equal(&t->key.dst, &c->node4) || addr_equal(&t->key.dst, &c->node6)))
		/* A pod of another node answers by the tunnel. */
		return p->is_error || !(note_answer(skb, p) & CT_TUNNEL) ? answer_client(skb, p, HOOK_FROM_WIRE) : VERDICT_NEXT;
	/* What goes to the node itself needs no flow here. */
	__builtin_memset(&flow, 0, sizeof(flow));
	failed = serve(skb, p, &flow, SERVICE_FLOW_OUTSIDE, served);
	if (failed == METRIC_DROP_ICMP_UNRELATED || (!failed && !flow.served))
		return VERDICT_NEXT;
	if (!failed && p->is_error && t->to.flags & SERVICE_FLOW_DSR)
		return send_dsr_error(skb, p);
	if (!failed && p->is_error) {
		failed = ct_find_related(skb, p, &flow);
		flow.served = SERVED_KNOWN;
	}
	if (failed)
		return refuse(skb, p, failed, NULL, HOOK_FROM_WIRE);
	failed = admit_served(skb, p, &flow, &way, HOOK_FROM_WIRE);
	if (!failed)
		failed = settle_served(skb, p, &flow, &way);
	if (failed)
		return refuse_from_wire(skb, p, flow.served == SERVED_NEW, failed, HOOK_FROM_WIRE);
	if (way.kind == WAY_TUNNEL && t->to.flags & SERVICE_FLOW_DSR)
		return send_dsr(skb, p, &way.tunnel);
	return forward_served(skb, p, &flow, &way, HOOK_FROM_WIRE);
}

/* Whether that node may send from that address: 0 or the reason to drop. */
VERIFIED_ONCE int check_origin(const struct packet *p, const struct addr *outer)
{
	const struct ipcache_entry *known;
	const struct node *node;

	if (!p || !outer)
		return METRIC_DROP_NOT_OF_NODE;
	node = bpf_map_lookup_elem(&nodes, outer);
	if (!node)
		return METRIC_DROP_NODE_UNKNOWN;
	known = ipcache_find(&p->src);
	return known && known->node_id == node->node_id ? 0 : METRIC_DROP_NOT_OF_NODE;
}

/* The backend that another node has chosen for a packet of the tunnel, which this node is to answer; 0: none. */
INLINE __u32 dsr_backend(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data;
	const struct dsr_mac *mac = data + 6;

	if (data + ETH_HLEN > (void *)(long)skb->data_end || mac->mark != DSR_MARK)
		return 0;
	return mac->backend;
}

/*
 * Takes a packet of the tunnel to its pod: a verdict. `flow` and `way`: room. One that another node has chosen a backend for, or
 * for a host port of this one: `backend` is 0, `flow` the packet's, and VERDICT_NEXT says that it is neither.
 */
INLINE int serve_from_tunnel(struct __sk_buff *skb, struct packet *p, struct flow *flow, struct way *way,
			     const struct addr *outer, __u32 backend)
{
	struct translation *t = get_translation();
	int served, failed;

	if (!t)
		return drop(skb, p, METRIC_DROP_NOT_CONFIGURED, HOOK_FROM_TUNNEL);
	if (backend) {
		failed = bpf_map_lookup_elem(&nodes, outer) ? 0 : METRIC_DROP_NODE_UNKNOWN;
		if (!failed && p->fragment)
			failed = find_fragment(skb, p);
		__builtin_memset(flow, 0, sizeof(*flow));
	} else {
		failed = check_origin(p, outer);
	}
	if (failed)
		return drop(skb, p, failed, HOOK_FROM_TUNNEL);
	served = find_served(skb, p);
	t->wanted = backend;
	failed = serve(skb, p, flow, backend ? SERVICE_FLOW_OUTSIDE : SERVICE_FLOW_TUNNEL, served);
	if (!backend && (failed == METRIC_DROP_ICMP_UNRELATED || (!failed && !flow->served)))
		return VERDICT_NEXT;
	if (!failed && p->is_error) {
		failed = ct_find_related(skb, p, flow);
		flow->served = SERVED_KNOWN;
	}
	/* It has no such service (yet): whoever sends it again may be luckier. */
	if (!failed && !flow->served)
		failed = METRIC_DROP_NOT_OF_NODE;
	if (failed)
		return drop(skb, p, failed, HOOK_FROM_TUNNEL);
	failed = admit_served(skb, p, flow, way, HOOK_FROM_TUNNEL);
	if (!failed)
		failed = settle_served(skb, p, flow, way);
	if (failed)
		return refuse_from_wire(skb, p, flow->served == SERVED_NEW, failed, HOOK_FROM_TUNNEL);
	if (!p->is_error && rewrite_served(skb, p))
		return drop(skb, p, METRIC_DROP_REWRITE, HOOK_FROM_TUNNEL);
	count(skb, METRIC_SERVICE_FORWARD);
	return to_pod(skb, p, &way->pod, true, HOOK_FROM_TUNNEL);
}

#endif
