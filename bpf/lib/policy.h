// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Verdicts. Each end of a flow that is a pod of this node, or the node itself, has its say, once for each flow and state of
 * policy; the flow's entry remembers that it was allowed, and under which state. Replies and ICMP errors follow their flow.
 *
 *   endpoint, host → class → bank → identity of the peer → set → verdict on protocol and port
 *
 * What is missing anywhere is denied. src/policy/lookup.ts reads the same tables for tests and people.
 */
#ifndef TWILL_POLICY_H
#define TWILL_POLICY_H

#include "conntrack.h"

/* What is asked about a flow, in the direction in which it began. Pointers, for the stack of programs is small. */
struct question {
	const struct addr *origin;
	const struct addr *target;
	__u8 family;
	__u8 protocol;
	__be16 port; /* as in `policy_sets` */
	__u16 hook;
	__u16 host_side; /* of a packet of the question's direction: enum host_side */
} __attribute__((aligned(8)));

/* The say of one end. */
struct say {
	const struct policy_verdict *verdict; /* NULL: the tables have none, which denies */
	__u32 identity;			      /* of the peer */
	__u32 bank;
	__u32 direction; /* enum direction */
	__u32 pad;
} __attribute__((aligned(8)));

INLINE __u32 policy_generation(void)
{
	__u32 index = GENERATION_POLICY;
	const struct generation *g = bpf_map_lookup_elem(&generation, &index);

	return g ? g->value : 0;
}

static __noinline void count_hit(struct __sk_buff *skb, __u32 rule)
{
	struct policy_hit_key key = { .rule = rule };
	struct metric_value *v, first = { .packets = 1, .bytes = skb->len };

	v = bpf_map_lookup_elem(&policy_hits, &key);
	if (v) {
		v->packets++;
		v->bytes += skb->len;
	} else if (bpf_map_update_elem(&policy_hits, &key, &first, BPF_NOEXIST)) {
		count(skb, METRIC_POLICY_HITS_FULL);
	}
}

/* The keys of the four look-ups, one after the other in the same place. */
union policy_key {
	struct policy_class_key class;
	struct identity_key identity;
	struct policy_peer_key peer;
	struct policy_set_key set;
} __attribute__((aligned(8)));

/* The verdict of a class about a peer, or NULL. Fills in who the peer is. Out of line, for its keys. */
static __noinline const struct policy_verdict *find_verdict(__u32 number, const struct addr *peer,
							    const struct question *q, struct say *say)
{
	union policy_key key;
	const struct policy_class *class;
	const struct identity_entry *known;
	const struct policy_peer *own;

	key.class = (struct policy_class_key){ .number = number };
	class = bpf_map_lookup_elem(&policy_classes, &key.class);
	if (!class)
		return NULL;
	say->bank = class->bank;
	key.identity.prefix_bits = 32 + 128;
	key.identity.bank = class->bank;
	addr_copy(&key.identity.addr, peer);
	known = bpf_map_lookup_elem(&identities, &key.identity);
	if (!known)
		return NULL;
	say->identity = known->identity;
	key.peer = (struct policy_peer_key){ .number = number, .identity = known->identity };
	own = bpf_map_lookup_elem(&policy_peers, &key.peer);
	key.set = (struct policy_set_key){ .prefix_bits = 64, .protocol = q->protocol, .port = q->port };
	key.set.set = own ? own->set : q->family == 4 ? class->set4 : class->set6;
	return bpf_map_lookup_elem(&policy_sets, &key.set);
}

/* What a bank calls an address; 0: nothing, or there is no bank. */
INLINE __u32 identity_of(__u32 bank, const struct addr *a)
{
	struct identity_key key = { .prefix_bits = 32 + 128, .bank = bank };
	const struct identity_entry *known;

	key.addr = *a;
	known = bpf_map_lookup_elem(&identities, &key);
	return known ? known->identity : 0;
}

/* Counts a verdict and tells of it; addresses are those of the packet that asked. */
static __noinline void tell_verdict(struct __sk_buff *skb, const struct packet *p, const struct say *say, __u32 hook,
				    __u32 reason)
{
	const struct policy_verdict *v = say->verdict;
	struct event *e;

	count(skb, reason);
	e = begin_event(skb, p, reason, hook);
	if (!e)
		return;
	e->direction = say->direction;
	if (v && reason == METRIC_POLICY_STAGED) {
		e->is_allowed = !!(v->flags & POLICY_STAGED_ALLOWED);
		e->rule = v->staged_rule;
	} else if (v) {
		e->is_allowed = !!(v->flags & POLICY_ALLOWED);
		e->rule = reason == METRIC_POLICY_LOGGED ? v->log_rule : v->rule;
	}
	e->bank = say->bank;
	e->src_identity = identity_of(say->bank, &p->src);
	e->dst_identity = identity_of(say->bank, &p->dst);
	bpf_ringbuf_submit(e, 0);
}

/* Asks one end. True: allowed. */
INLINE bool ask_end(struct __sk_buff *skb, const struct packet *p, const struct question *q, __u32 number,
			       struct say *say)
{
	const struct addr *peer = say->direction == DIRECTION_EGRESS ? q->target : q->origin;
	const struct policy_verdict *v = find_verdict(number, peer, q, say);

	say->verdict = v;
	if (likely(v)) {
		if (v->rule)
			count_hit(skb, v->rule);
		if (unlikely(v->flags & POLICY_STAGED)) {
			if (v->staged_rule)
				count_hit(skb, v->staged_rule | STAGED_HIT);
			tell_verdict(skb, p, say, q->hook, METRIC_POLICY_STAGED);
		}
		if (unlikely(v->log_rule))
			tell_verdict(skb, p, say, q->hook, METRIC_POLICY_LOGGED);
		if (likely(v->flags & POLICY_ALLOWED))
			return true;
	}
	tell_verdict(skb, p, say, q->hook, METRIC_DROP_POLICY);
	return false;
}

INLINE const struct ipcache_entry *ipcache_find(const struct addr *a)
{
	struct ipcache_key key = { .prefix_bits = 128 };

	key.addr = *a;
	return bpf_map_lookup_elem(&ipcache, &key);
}

/* What policy says of the node where that end of the question is the node; NULL where it is not, or nobody speaks of it. */
INLINE const struct host_entry *find_host(struct __sk_buff *skb, const struct question *q, bool is_origin)
{
	/* Between the node and the wire the device is the wire's. */
	struct host_key key = { .ifindex = q->host_side ? skb->ifindex : 0 };
	const struct host_entry *h = bpf_map_lookup_elem(&hosts, &key);
	const struct ipcache_entry *known;

	if (!h && key.ifindex) {
		key.ifindex = 0;
		h = bpf_map_lookup_elem(&hosts, &key);
	}
	if (likely(!h))
		return NULL;
	if (q->host_side)
		return q->host_side == (is_origin ? HOST_SENDS : HOST_RECEIVES) ? h : NULL;
	known = ipcache_find(is_origin ? q->origin : q->target);
	return known && known->flags & IPCACHE_LOCAL_NODE ? h : NULL;
}

/* No class: nobody judges. */
#define NOBODY 0xffffffff

/* The class that judges one end of the question, or NOBODY. Out of line, for its keys. */
static __noinline __u32 find_class(struct __sk_buff *skb, const struct question *q, bool is_origin)
{
	const struct endpoint *e = bpf_map_lookup_elem(&endpoints, is_origin ? q->origin : q->target);
	const struct host_entry *h;

	if (e)
		return is_origin ? e->egress_class : e->ingress_class;
	h = find_host(skb, q, is_origin);
	/* What the node sends to its own pods nobody forbids (Kubernetes' documentation of NetworkPolicy): probes have to pass. */
	if (likely(!h) || (is_origin && bpf_map_lookup_elem(&endpoints, q->target)))
		return NOBODY;
	return is_origin ? h->egress_class : h->ingress_class;
}

/*
 * Asks the ends that are pods of this node or the node itself, the sender's first. True: allowed, and `said` tells by what. A
 * loop, so that there is one copy of the question on the stack.
 */
INLINE bool ask_ends(struct __sk_buff *skb, const struct packet *p, const struct question *q, struct judgement *said)
{
	struct say say = {};
	int i;

	/* "A pod cannot block access to itself" (Kubernetes' documentation of NetworkPolicy). */
	if (addr_equal(q->origin, q->target)) {
		said->asked = ASKED_ORIGIN | ASKED_TARGET;
		return true;
	}
#pragma clang loop unroll(disable)
	for (i = 0; i < 2; i++) {
		bool is_egress = i == 0;
		__u32 number = find_class(skb, q, is_egress);

		if (number == NOBODY)
			continue;
		said->asked |= is_egress ? ASKED_ORIGIN : ASKED_TARGET;
		say.direction = is_egress ? DIRECTION_EGRESS : DIRECTION_INGRESS;
		if (!ask_end(skb, p, q, number, &say))
			return false;
		if (is_egress) {
			said->egress_rule = say.verdict->rule;
			said->reply_identity = say.identity;
		} else {
			said->ingress_rule = say.verdict->rule;
			said->origin_identity = say.identity;
		}
	}
	return true;
}

/* A connection of the other side's, while the flow with its addresses and ports is alive: no reply, and asks for itself. */
INLINE bool is_counter_syn(const struct packet *p, const struct flow *flow)
{
	return flow->is_reply && (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/*
 * Judges the packet's flow, in the direction in which it began: 0 or METRIC_DROP_POLICY, counted and told. `flow` without its
 * entry, which what is verified once has to be given as such.
 */
VERIFIED_ONCE int judge_flow(struct __sk_buff *skb, const struct packet *p, struct flow *flow, struct ct_entry *e, __u32 hook)
{
	struct question q = { .hook = hook };
	const struct addr *from;
	/* Before any look-up: what older tables say must not pass for what newer ones say. */
	__u32 generation = policy_generation();
	bool is_reply;

	if (!p || !flow)
		return METRIC_DROP_POLICY;
	is_reply = flow->is_reply;
	if (is_counter_syn(p, flow)) {
		e = NULL;
		is_reply = false;
	}
	from = flow->is_related ? &flow->quoted_dst : &p->src;
	q.origin = is_reply ? &p->dst : from;
	q.target = is_reply ? from : &p->dst;
	q.family = p->family;
	q.protocol = flow->is_related ? flow->quoted_protocol : p->protocol;
	q.port = e ? e->asked : is_reply ? p->src_port : port_of(p);
	if (flow->host)
		q.host_side = is_reply ? HOST_SENDS + HOST_RECEIVES - flow->host : flow->host;
	if (e && e->judged)
		count(skb, METRIC_POLICY_REJUDGED);
	/* "A pod cannot block access to itself", and what only passes the node is not the node's. */
	if (flow->is_own_source || (e && e->flags & CT_OWN_SOURCE)) {
		flow->said.generation = generation;
		flow->said.asked = ASKED_ORIGIN | ASKED_TARGET;
		flow->is_for_nobody = 0;
		if (e)
			remember_judgement(e, &flow->said);
		return 0;
	}
	if (!ask_ends(skb, p, &q, &flow->said))
		return METRIC_DROP_POLICY;
	flow->is_for_nobody = !(flow->said.asked & (is_reply ? ASKED_ORIGIN : ASKED_TARGET));
	flow->said.generation = generation;
	if (e)
		remember_judgement(e, &flow->said);
	return 0;
}

/* Whether the flow was judged under the present policy, and so was allowed. */
INLINE bool is_judged(const struct ct_entry *e)
{
	__u32 generation = policy_generation();

	return generation && e->judged == generation;
}

/*
 * Whether the packet may pass, since its flow was judged under the present policy or is judged now: 0 or
 * METRIC_DROP_POLICY. A flow without an entry yet gets what `flow->said` holds when its entry is made. Without one a packet
 * may be known to be a reply all the same: by its translation.
 */
INLINE int check_policy(struct __sk_buff *skb, const struct packet *p, struct flow *flow, __u32 hook)
{
	struct ct_entry *e = flow->entry;
	int failed;

	if (likely(e && is_judged(e)) && likely(!is_counter_syn(p, flow)))
		return 0;
	__builtin_memset(&flow->said, 0, sizeof(flow->said));
	if (!flow->is_related)
		__builtin_memset(&flow->quoted_dst, 0, sizeof(flow->quoted_dst));
	failed = judge_flow(skb, p, flow, e, hook);
	/* The verifier takes it for lost. */
	asm volatile("" : "+r"(e));
	flow->entry = e;
	return failed;
}

#endif
