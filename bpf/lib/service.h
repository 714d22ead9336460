// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Which backend a packet to a service goes to.
 *
 *   known? service_flows[packet] ──────────────────────────────────────────▶ translation
 *   else   services[address, port] ─▶ set ─▶ affinity, Maglev or chance ─▶ backend ─▶ translation, kept for both directions
 *          service-ask.h              service-pick.h                       service-choose.h
 */
#ifndef TWILL_SERVICE_H
#define TWILL_SERVICE_H

#include "service-choose.h"

/*
 * Keeps a new translation: 0, or the reason to drop the packet. SERVED_KNOWN: another CPU was first with a packet of the same
 * flow, its choice counts, and `p` is as that one goes on.
 */
VERIFIED_ONCE int keep_served(struct packet *p)
{
	struct translation *t = get_translation();
	struct service_flow reply = {};
	const struct service_flow *theirs;
	long failed;

	if (!p || !t)
		return METRIC_DROP_SERVICE_FULL;
	reply.src = t->key.dst;
	reply.dst = t->key.src;
	reply.src_port = t->key.dst_port;
	reply.dst_port = t->key.src_port;
	reply.flags = t->to.flags | SERVICE_FLOW_REPLY;
	reply.service = t->to.service;
	reply.backend = t->to.backend;
	reply.created = t->to.created;
	/* First what answers are read by. */
	if (bpf_map_update_elem(&service_flows, &t->reply_key, &reply, BPF_ANY))
		return METRIC_DROP_SERVICE_FULL;
	failed = bpf_map_update_elem(&service_flows, &t->key, &t->to, t->is_again ? BPF_ANY : BPF_NOEXIST);
	if (!failed) {
		if (t->pick.flags & SERVICE_AFFINITY)
			keep_affinity(&t->pick, t->to.created);
		return 0;
	}
	theirs = failed == -17 ? bpf_map_lookup_elem(&service_flows, &t->key) : NULL; /* EEXIST */
	if (theirs && theirs->backend == t->to.backend && theirs->src_port == t->to.src_port)
		return 0;
	bpf_map_delete_elem(&service_flows, &t->reply_key);
	if (!theirs)
		return METRIC_DROP_SERVICE_FULL;
	t->to = *theirs;
	translate(p, t);
	return SERVED_KNOWN;
}

/* Takes back what was kept for a packet that was dropped after all. */
static __noinline void forget_served(void)
{
	struct translation *t = get_translation();

	if (!t)
		return;
	bpf_map_delete_elem(&service_flows, &t->key);
	bpf_map_delete_elem(&service_flows, &t->reply_key);
}

/* Whether what answers the packet is translated to this very flow: another may have taken its place. */
INLINE bool is_answered(struct translation *t, __u8 protocol)
{
	const struct service_flow *back;

	t->reply_key.src = t->to.dst;
	t->reply_key.dst = t->to.src;
	*(__u32 *)&t->reply_key.src_port = swapped(*(__u32 *)&t->to.src_port);
	*(__u32 *)&t->reply_key.protocol = protocol;
	back = bpf_map_lookup_elem(&service_flows, &t->reply_key);
	return back && addr_equal(&back->src, &t->key.dst) && addr_equal(&back->dst, &t->key.src) &&
	       back->src_port == t->key.dst_port && back->dst_port == t->key.src_port;
}

/*
 * Finds out whether a packet asks for a service; `served` is what find_served said of it. If it does, `p` and `flow` become those of
 * the packet as it goes on, and flow->served says so; the packet itself has to be rewritten yet. 0, or the reason to drop. Of an
 * ICMP error about what asks for one, the packet is rewritten already, and its flow is not looked for: flow->entry is NULL.
 * With SERVICE_FLOW_DSR it is another node that rewrites both.
 * `asked`: by a pod of this node (0), SERVICE_FLOW_OUTSIDE or SERVICE_FLOW_TUNNEL.
 * `p` has no flow under its own addresses, or one that says nothing of services; `flow` is that one.
 */
static __noinline int serve(struct __sk_buff *skb, struct packet *p, struct flow *flow, __u32 asked, int served)
{
	struct translation *t = get_translation();
	bool is_again;

	if (!t)
		return METRIC_DROP_NOT_CONFIGURED;
	/* What answers is known by its flow; and what a pod has asked for nobody on the wire has. */
	if (served && (t->to.flags & (SERVICE_FLOW_REPLY | SERVICE_FLOW_OUTSIDE | SERVICE_FLOW_TUNNEL)) != asked)
		served = SERVED_NOT;
	if (p->is_error) {
		/* From a pod only about what was for that pod. */
		if (!served || (!asked && !addr_equal(&p->src, &t->key.src)))
			return METRIC_DROP_ICMP_UNRELATED;
		flow->entry = NULL;
		flow->served = SERVED_KNOWN;
		if (t->to.flags & SERVICE_FLOW_DSR)
			return 0;
		return rewrite_served_error(skb, p) ? METRIC_DROP_REWRITE : 0;
	}
	is_again = served;
	if (served && is_host_port_true(t)) {
		translate(p, t);
		ct_find_apart(p, flow);
		/* A connection that begins chooses anew, unless it has just begun. */
		if (!is_syn(p) || (flow->entry && !ct_is_closed(flow->entry) && is_answered(t, p->protocol))) {
			flow->served = SERVED_KNOWN;
			flow->is_own_source = has_own_source(t);
			return 0;
		}
		translate_back(p, t);
		ct_find_apart(p, flow);
	}
	t->is_again = is_again;
	served = choose_backend(skb, p, asked);
	if (served == SERVED_NOT)
		return flow->entry && flow->entry->flags & CT_SERVICE && !flow->is_reply &&
				       !(is_syn(p) && ct_is_closed(flow->entry))
			       ? METRIC_DROP_SERVICE_CLASH
			       : 0;
	if (served != SERVED_NEW)
		return served;
	/* Its first one was denied, or has never been here. */
	if (p->fragment == FRAGMENT_LATER)
		return METRIC_DROP_FRAGMENT_UNKNOWN;
	translate(p, t);
	ct_find_apart(p, flow);
	flow->served = SERVED_NEW;
	flow->is_own_source = has_own_source(t);
	return 0;
}

#endif
