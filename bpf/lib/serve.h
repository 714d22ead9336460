// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Ways of translated packets. What answers is translated back where it is handed to the client: until then every program, the
 * stack and its firewall see the backend.
 *
 *   client       forward                                answer
 *   ──────────── ────────────────────────────────────── ─────────────────────────────────────────────────────
 *   pod here     from_pod                               from_pod (backend here), from_tunnel, from_host, from_wire
 *   pod beyond   from_tunnel ─▶ pod here                from_pod ─▶ tunnel
 *   outside      from_wire ─▶ pod here                  from_pod ─▶ wire
 *                          ─▶ tunnel, as the node       from_tunnel ─▶ wire
 *                          ─▶ the node's stack          to_wire
 *                          ─▶ wire, as the node         from_wire ─▶ wire
 */
#ifndef TWILL_SERVE_H
#define TWILL_SERVE_H

#include "service.h"
#include "shortcut.h"

/*
 * Out of the node by the routing table, with a hop taken and past the stack, which would take the source for forged: it is the
 * node's own, or a service's.
 */
static __noinline int send_out(struct __sk_buff *skb, const struct packet *p, __u32 hook)
{
	const struct config *c = get_config();
	struct bpf_fib_lookup fib = {};
	struct bpf_redir_neigh to = {};
	long failed;

	if (!c)
		return drop(skb, p, METRIC_DROP_NOT_CONFIGURED, hook);
	if (p->hop_limit <= 1)
		return drop(skb, p, METRIC_DROP_TTL, hook);
	fib.ifindex = c->twill0_ifindex;
	fib.l4_protocol = p->protocol;
	if (p->family == 4) {
		fib.family = AF_INET;
		fib.ipv4_src = p->src.w[3];
		fib.ipv4_dst = p->dst.w[3];
	} else {
		fib.family = AF_INET6;
		__builtin_memcpy(fib.ipv6_src, p->src.w, 16);
		__builtin_memcpy(fib.ipv6_dst, p->dst.w, 16);
	}
	failed = bpf_fib_lookup(skb, &fib, sizeof(fib), 0);
	if (failed && failed != BPF_FIB_LKUP_RET_NO_NEIGH)
		return drop(skb, p, METRIC_DROP_NO_ROUTE, hook);
	if (rewrite_headers(skb, p, NULL, true))
		return drop(skb, p, METRIC_DROP_REWRITE, hook);
	to.nh_family = fib.family;
	__builtin_memcpy(to.ipv6_nh, fib.ipv6_dst, 16);
	skb->mark = MARK_SERVED;
	return redirect_neighbour(skb, fib.ifindex, &to);
}

/* To a pod of another node, which asked for a host port by the tunnel. By the device: nothing counts its packets, see shortcut.h. */
static __noinline int send_back(struct __sk_buff *skb, const struct packet *p, __u32 hook)
{
	const struct config *c = get_config();
	const struct ipcache_entry *known = ipcache_find(&p->dst);
	struct flow flow;

	if (!c)
		return drop(skb, p, METRIC_DROP_NOT_CONFIGURED, hook);
	if (!known || addr_is_zero(&known->tunnel))
		return drop(skb, p, METRIC_DROP_NO_ROUTE, hook);
	if (hook != HOOK_FROM_HOST && p->hop_limit <= 1)
		return drop(skb, p, METRIC_DROP_TTL, hook);
	flow.is_first_of_tick = true;
	return to_tunnel(skb, p, c, &known->tunnel, &flow, hook != HOOK_FROM_HOST, hook);
}

/* To a client: a pod, of this node or of another one that asked by the tunnel, or somebody beyond the wire. */
static __noinline int deliver(struct __sk_buff *skb, const struct packet *p, __u32 hook)
{
	const struct endpoint *e = bpf_map_lookup_elem(&endpoints, &p->dst);
	const struct translation *t = get_translation();
	struct ct_side pod __attribute__((aligned(8)));

	if (!e)
		return t && t->to.flags & SERVICE_FLOW_TUNNEL ? send_back(skb, p, hook) : send_out(skb, p, hook);
	/* The stack has taken a hop already. */
	if (hook != HOOK_FROM_HOST && p->hop_limit <= 1)
		return drop(skb, p, METRIC_DROP_TTL, hook);
	side_of(&pod, e, 0);
	return to_pod(skb, p, &pod, hook != HOOK_FROM_HOST, hook);
}

/* Translates an answer back: 0, or the reason to drop. */
INLINE int unserve(struct __sk_buff *skb, struct packet *p)
{
	const struct translation *t = get_translation();
	int failed;

	if (!t || !find_served(skb, p) || !(t->to.flags & SERVICE_FLOW_REPLY))
		return METRIC_DROP_SERVICE_FLOW;
	if (p->is_error) {
		failed = rewrite_served_error(skb, p);
	} else {
		failed = rewrite_served(skb, p);
		translate(p, t);
	}
	if (failed)
		return METRIC_DROP_REWRITE;
	count(skb, METRIC_SERVICE_REPLY);
	return 0;
}

/* Whether a packet is an answer of a backend to a client of this node or beyond it. */
INLINE bool is_from_backend(const struct flow *flow)
{
	return flow->entry && unlikely(flow->entry->flags & CT_SERVICE) && flow->is_reply;
}

/* Notes an answer in its flow. Returns the flow's flags; 0: there is none. */
static __noinline __u32 note_answer(struct __sk_buff *skb, const struct packet *p)
{
	const struct config *c = get_config();
	struct flow flow;

	ct_find(p, &flow);
	if (!c || !flow.entry)
		return 0;
	ct_touch(skb, p, c, &flow, 0);
	return flow.entry->flags;
}

/* Whether an answer goes by the tunnel and does not fit it: the stack answers it, or cuts it up. */
static __noinline bool is_too_big_to_answer(struct __sk_buff *skb, const struct packet *p)
{
	const struct config *c = get_config();
	const struct translation *t = get_translation();

	return c && t && !fits_tunnel(skb, p, c) && find_served(skb, p) && t->to.flags & SERVICE_FLOW_TUNNEL;
}

/* Ends an answer of a backend, which policy has let pass. */
static __noinline int answer_client(struct __sk_buff *skb, struct packet *p, __u32 hook)
{
	const struct config *c = get_config();
	int failed;

	if (c && hook == HOOK_FROM_POD && unlikely(is_too_big_to_answer(skb, p))) {
		count(skb, METRIC_SLOW_MTU);
		return to_stack(skb, p, c, hook);
	}
	failed = unserve(skb, p);
	return failed ? drop(skb, p, failed, hook) : deliver(skb, p, hook);
}

#endif
