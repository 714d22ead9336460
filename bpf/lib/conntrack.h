// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * One entry per flow, found by the packets of both directions: the key holds the flow's two sides in sorted order, the
 * entry says which of them began. Entries are never deleted here: the agent does, by `last_seen` and what both sides were
 * seen to do (src/agent/gc/timeouts.ts has the times).
 */
#ifndef TWILL_CONNTRACK_H
#define TWILL_CONNTRACK_H

#include "maps.h"
#include "metrics.h"
#include "read.h"

/* Ports of a fragment are remembered for as long as anybody keeps its parts (RFC 8200 section 4.5: 60 seconds). */
#define FRAGMENT_TICKS 60

/* What policy said about a flow that it allowed. */
struct judgement {
	__u32 generation; /* GENERATION_POLICY before it was asked */
	__u32 origin_identity;
	__u32 reply_identity;
	__u32 egress_rule;
	__u32 ingress_rule;
	__u32 asked; /* ASKED_…: the ends that had a say, both of a flow that was judged before; not remembered */
} __attribute__((aligned(8)));

#define ASKED_ORIGIN 1
#define ASKED_TARGET 2

struct flow {
	struct ct_entry *entry; /* NULL: none yet */
	struct judgement said;  /* for the entry of a flow that begins; see lib/policy.h */
	struct addr quoted_dst; /* of the packet inside an ICMP error; set with is_related only */
	__u32 now;              /* tick */
	__u8 is_high;           /* the packet's sender is the side that sorts higher */
	__u8 is_reply;          /* the packet goes towards the flow's origin */
	__u8 is_related;        /* the packet is an ICMP error about the flow: do not change it */
	__u8 is_first_of_tick;  /* nobody has seen the flow in this tick yet */
	__u8 is_of_target;      /* the ICMP error is sent by whom the packet inside was for; set with is_related only */
	__u8 quoted_protocol;   /* same as quoted_dst */
	__u8 is_for_nobody;     /* policy was asked about this packet, and who it is for was no pod of this node then */
	__u8 host;              /* enum host_side */
	__u8 served;            /* enum served: lib/service.h */
	__u8 is_own_source;     /* as CT_OWN_SOURCE, of a flow that begins */
};

/* Which side of a packet between the node and the wire the node itself is. */
enum host_side {
	HOST_NEITHER = 0, /* or not known: addresses tell */
	HOST_SENDS = 1,
	HOST_RECEIVES = 2,
};

INLINE __u32 tick_now(void)
{
	return bpf_ktime_get_coarse_ns() >> TICK_SHIFT;
}

/* Any total order will do, as long as it is one; the last words differ most often. */
INLINE bool ct_sorts_higher(const struct addr *src, const struct addr *dst, __u32 ports)
{
	int i;

#pragma unroll
	for (i = 3; i >= 0; i--)
		if (src->w[i] != dst->w[i])
			return src->w[i] > dst->w[i];
	return (__u16)ports > ports >> 16;
}

/* Fills the key, every byte. `ports`: source and destination, as they lie in the packet. */
INLINE void ct_fill_key(const struct addr *src, const struct addr *dst, __u32 ports, __u8 protocol, bool is_high,
			struct ct_key *key)
{
	addr_copy(&key->low, is_high ? dst : src);
	addr_copy(&key->high, is_high ? src : dst);
	/* The hash reads words: both ports as one, the protocol with the three bytes of padding behind it. */
	*(__u32 *)&key->low_port = is_high ? ports << 16 | ports >> 16 : ports;
	*(__u32 *)&key->protocol = protocol;
}

/* Fills the key; says whether the packet's sender is its higher side. */
INLINE bool ct_make_key(const struct packet *p, struct ct_key *key)
{
	bool is_high = ct_sorts_higher(&p->src, &p->dst, p->ports);

	ct_fill_key(&p->src, &p->dst, p->ports, p->protocol, is_high, key);
	return is_high;
}

/* The two look-ups stay apart, since the kernel inlines one only where it knows which map it is in. */
INLINE struct ct_entry *ct_lookup(const struct ct_key *key)
{
	struct ct_entry *entry;

	if (key->protocol == IPPROTO_TCP) {
		entry = bpf_map_lookup_elem(&ct_tcp, key);
		asm volatile("" : "+r"(entry));
	} else {
		entry = bpf_map_lookup_elem(&ct_other, key);
	}
	return entry;
}

INLINE __u8 ct_seen_bits(const struct packet *p)
{
	return p->protocol == IPPROTO_TCP ? p->tcp_flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK) : TCP_ACK;
}

/* What a packet that begins a flow asks of policy, as a key of `policy_sets` has it. */
INLINE __be16 port_of(const struct packet *p)
{
	return p->is_icmp ? bpf_htons(p->icmp_type << 8 | p->icmp_code) : p->dst_port;
}

/* The generation last: who reads it must find what was said under it. */
INLINE void remember_judgement(struct ct_entry *e, const struct judgement *said)
{
	e->origin_identity = said->origin_identity;
	e->reply_identity = said->reply_identity;
	e->egress_rule = said->egress_rule;
	e->ingress_rule = said->ingress_rule;
	e->judged = said->generation;
}

/* Both have closed, or one has reset: a SYN may begin the flow anew. */
INLINE bool ct_is_closed(const struct ct_entry *e)
{
	return (e->origin_seen | e->reply_seen) & TCP_RST || e->origin_seen & e->reply_seen & TCP_FIN;
}

/* The other side began the flow, by such a packet: what policy said is of no worth any more. */
INLINE void ct_turn(struct ct_entry *e, const struct packet *p)
{
	__u8 seen = e->origin_seen;

	e->judged = 0;
	e->asked = port_of(p);
	e->flags ^= CT_ORIGIN_HIGH;
	e->origin_seen = e->reply_seen;
	e->reply_seen = seen;
}

/* A SYN on a closed connection: a new flow takes over the entry, with its own origin, flags and decision. */
static __noinline void ct_reopen(struct __sk_buff *skb, const struct packet *p, struct flow *flow, __u32 revision,
				 __u32 flags)
{
	struct ct_entry *e = flow->entry;

	if (!e)
		return;
	if (flow->is_reply)
		ct_turn(e, p);
	e->judged = 0;
	e->flags = (e->flags & CT_ORIGIN_HIGH) | flags;
	e->origin_seen = 0;
	e->reply_seen = 0;
	e->created = flow->now;
	e->revision = revision - 1; /* any that is not the present one: the decision is due */
	flow->is_reply = 0;
	count(skb, METRIC_CT_REOPENED);
}

/* Finds the packet's flow, and changes nothing: whether the packet may belong to it is not known yet. */
INLINE void ct_find(const struct packet *p, struct flow *flow)
{
	struct ct_key key __attribute__((aligned(8)));

	flow->now = tick_now();
	flow->is_high = ct_make_key(p, &key);
	flow->is_related = 0;
	flow->is_for_nobody = 0;
	flow->said.asked = ASKED_ORIGIN | ASKED_TARGET;
	flow->is_first_of_tick = 1;
	flow->is_reply = 0;
	flow->host = HOST_NEITHER;
	flow->served = 0;
	flow->is_own_source = 0;
	flow->entry = ct_lookup(&key);
	if (flow->entry)
		flow->is_reply = flow->is_high != !!(flow->entry->flags & CT_ORIGIN_HIGH);
}

/* The same where the key would be too much for the caller's stack. */
static __noinline void ct_find_apart(const struct packet *p, struct flow *flow)
{
	ct_find(p, flow);
}

/* Notes in the packet's flow that it was seen; `flags` are those of a flow that begins anew. */
INLINE void ct_touch(struct __sk_buff *skb, const struct packet *p, const struct config *c, struct flow *flow,
		     __u32 flags)
{
	struct ct_entry *e = flow->entry;
	__u8 bits, *seen;

	if (!e || unlikely(flow->is_related))
		return;
	if (p->protocol == IPPROTO_TCP && unlikely((p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN) && ct_is_closed(e))
		ct_reopen(skb, p, flow, c->revision, flags);
	/* Its answer was seen first, since conntrack was lost in between: who asks has begun. */
	if (unlikely(p->is_question) && flow->is_reply) {
		ct_turn(e, p);
		flow->is_reply = 0;
	}
	/* A cache line that two CPUs share is written only when something is new. */
	flow->is_first_of_tick = e->last_seen != flow->now;
	if (flow->is_first_of_tick)
		e->last_seen = flow->now;
	bits = ct_seen_bits(p);
	seen = flow->is_reply ? &e->reply_seen : &e->origin_seen;
	if ((*seen & bits) != bits)
		*seen |= bits;
}

/* Begins a flow: 0 or the reason to drop its packet. */
static __noinline int ct_create(struct __sk_buff *skb, const struct packet *p, const struct flow *flow,
				struct ct_entry *fresh)
{
	struct ct_key key __attribute__((aligned(8)));
	long failed;

	fresh->flags |= ct_make_key(p, &key) ? CT_ORIGIN_HIGH : 0;
	fresh->origin_seen = ct_seen_bits(p);
	fresh->last_seen = fresh->created = flow->now;
	fresh->asked = port_of(p);
	remember_judgement(fresh, &flow->said);
	if (p->protocol == IPPROTO_TCP) {
		if (!(p->tcp_flags & TCP_SYN))
			fresh->flags |= CT_PICKED_UP;
		failed = bpf_map_update_elem(&ct_tcp, &key, fresh, BPF_NOEXIST);
	} else {
		failed = bpf_map_update_elem(&ct_other, &key, fresh, BPF_NOEXIST);
	}
	if (failed == -17) /* EEXIST: another CPU was first with the same decision */
		return 0;
	if (failed)
		return METRIC_DROP_CT_FULL;
	count(skb, METRIC_CT_CREATED);
	return 0;
}

/*
 * Gives a later fragment the ports of its first one, and remembers those of the first: 0 or the reason to drop.
 * Linux sends fragments in order and the tunnel keeps the order, since all of them hash alike.
 */
static __noinline int find_fragment(struct __sk_buff *skb, struct packet *p)
{
	struct frag_key key = { .id = p->fragment_id, .protocol = p->protocol };
	__u32 now = tick_now();

	count(skb, METRIC_FRAGMENT);
	key.src = p->src;
	key.dst = p->dst;
	if (p->fragment == FRAGMENT_LATER) {
		struct frag_entry *e = bpf_map_lookup_elem(&frags, &key);

		if (!e || now - e->created > FRAGMENT_TICKS)
			return METRIC_DROP_FRAGMENT_UNKNOWN;
		p->src_port = e->src_port;
		p->dst_port = e->dst_port;
	} else {
		struct frag_entry e = { .src_port = p->src_port, .dst_port = p->dst_port, .created = now };

		/* An LRU map makes room; should it fail, the later fragments are counted as unknown. */
		bpf_map_update_elem(&frags, &key, &e, BPF_ANY);
	}
	return 0;
}

/* The packet inside an ICMP error, which is about what the error's receiver sent: 0 or the reason to drop. */
INLINE int read_inner(struct __sk_buff *skb, const struct packet *p, struct packet *inner)
{
	int failed = read_slowly(skb, p->l4 + 8, inner, true);

	if (failed)
		return failed;
	if (inner->family != p->family || !addr_equal(&inner->src, &p->dst))
		return METRIC_DROP_ICMP_UNRELATED;
	/* The ports of a later fragment are not in it. Nobody owes an error about one (RFC 1122 section 3.2.2). */
	return inner->fragment == FRAGMENT_LATER || inner->is_error ? METRIC_DROP_ICMP_UNRELATED : 0;
}

/* Finds the flow that an ICMP error is about: 0 or the reason to drop. */
static __noinline int ct_find_related(struct __sk_buff *skb, const struct packet *p, struct flow *flow)
{
	struct packet inner = {};
	int failed = read_inner(skb, p, &inner);

	if (failed)
		return failed;
	ct_find_apart(&inner, flow);
	/* The error travels against the packet inside. */
	flow->is_high = !flow->is_high;
	flow->is_related = 1;
	flow->quoted_dst = inner.dst;
	flow->quoted_protocol = inner.protocol;
	if (!flow->entry)
		return METRIC_DROP_ICMP_UNRELATED;
	flow->is_of_target = addr_equal(&inner.dst, &p->src);
	flow->is_reply = flow->is_high != !!(flow->entry->flags & CT_ORIGIN_HIGH);
	count(skb, METRIC_ICMP_RELATED);
	return 0;
}

/* The flow of any packet: 0 (flow->entry may be NULL) or the reason to drop. */
INLINE int find_flow(struct __sk_buff *skb, struct packet *p, struct flow *flow)
{
	if (unlikely(p->fragment)) {
		int failed = find_fragment(skb, p);

		if (failed)
			return failed;
	}
	if (unlikely(p->is_error))
		return ct_find_related(skb, p, flow);
	ct_find(p, flow);
	/* What an ICMP message is about stands in its first fragment, which was denied or has never been here. */
	if (unlikely(p->fragment == FRAGMENT_LATER && !flow->entry && is_icmp_protocol(p)))
		return METRIC_DROP_FRAGMENT_UNKNOWN;
	return 0;
}

#endif
