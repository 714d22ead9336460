// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* Counting and telling. */
#ifndef TWILL_METRICS_H
#define TWILL_METRICS_H

#include "effects.h"
#include "maps.h"
#include "packet.h"

INLINE void count(struct __sk_buff *skb, __u32 metric)
{
	struct metric_value *v = bpf_map_lookup_elem(&metrics, &metric);

	if (likely(v)) {
		v->packets++;
		v->bytes += skb->len;
	}
}

/* Reasons that every pod gives all the time, and that nobody needs to hear of one by one. */
INLINE bool is_quiet(__u32 reason)
{
	return reason < METRIC_DROP_FIRST || reason == METRIC_DROP_ROUTER_REDIRECT;
}

/* An event with all that is known of the packet, to be submitted; NULL where the ring is full. */
INLINE struct event *begin_event(struct __sk_buff *skb, const struct packet *p, __u32 reason, __u32 hook)
{
	struct event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		count(skb, METRIC_EVENT_LOST);
		return NULL;
	}
	e->time_ns = bpf_ktime_get_ns();
	e->reason = reason;
	e->ifindex = skb->ifindex;
	e->src = p->src;
	e->dst = p->dst;
	e->src_port = p->is_icmp ? bpf_htons(p->icmp_type << 8 | p->icmp_code) : p->src_port;
	e->dst_port = p->is_question ? p->src_port : p->is_icmp && !p->is_answer ? 0 : p->dst_port;
	e->protocol = p->protocol;
	e->hook = hook;
	e->tcp_flags = p->tcp_flags;
	e->family = p->family;
	e->bytes = skb->len;
	e->ether_type = bpf_ntohs(skb->protocol);
	e->direction = DIRECTION_NONE;
	e->is_allowed = 0;
	e->rule = 0;
	e->src_identity = 0;
	e->dst_identity = 0;
	e->bank = 0;
	return e;
}

/* Ends a packet, not one that policy denies: see lib/reject.h. */
static __noinline int drop(struct __sk_buff *skb, const struct packet *p, __u32 reason, __u32 hook)
{
	struct event *e;

	count(skb, reason);
	if (is_quiet(reason))
		return VERDICT_DROP;
	e = begin_event(skb, p, reason, hook);
	if (e)
		bpf_ringbuf_submit(e, 0);
	return VERDICT_DROP;
}

#endif
