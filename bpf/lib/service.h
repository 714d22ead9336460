// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Which backend a packet to a service goes to.
 *
 *   known? service_flows[packet] ──────────────────────────────────────────▶ translation
 *   else   services[address, port] ─▶ set ─▶ affinity, Maglev or chance ─▶ backend ─▶ translation, kept for both directions
 */
#ifndef TWILL_SERVICE_H
#define TWILL_SERVICE_H

#include "service-pick.h"
#include "translate.h"

/* Backends, or ports in place of the client's, that are tried until the translated packet is none of another flow. */
#define SERVICE_TRIES 32

/* Whether an address that the cluster does not know is one of the node's all the same: of another device, or a second one. */
static __noinline bool is_local_address(struct __sk_buff *skb, const struct packet *p)
{
	const struct config *c = get_config();
	struct bpf_fib_lookup fib = {};

	if (!c)
		return false;
	fib.ifindex = c->twill0_ifindex;
	if (p->family == 4) {
		if (*(const __u8 *)&p->dst.w[3] == 127)
			return false;
		fib.family = AF_INET;
		fib.ipv4_dst = p->dst.w[3];
	} else {
		/* The loopback's, and those of a link. */
		if (!p->dst.w[0] || is_link_local6(p, &p->dst))
			return false;
		fib.family = AF_INET6;
		__builtin_memcpy(fib.ipv6_dst, p->dst.w, 16);
	}
	return bpf_fib_lookup(skb, &fib, sizeof(fib), 0) == BPF_FIB_LKUP_RET_NOT_FWDED;
}

/* The service that a packet asks for, or NULL. */
INLINE const struct service *find_service(struct __sk_buff *skb, const struct packet *p, bool is_outside)
{
	/* A node port is the same at every node: pods need not go to another one for it. */
	__u32 nodes_flags = is_outside ? IPCACHE_LOCAL_NODE : IPCACHE_LOCAL_NODE | IPCACHE_REMOTE_NODE;
	struct service_key key = { .port = p->dst_port, .protocol = p->protocol };
	const struct ipcache_entry *known;
	const struct service *s;

	key.addr = p->dst;
	s = bpf_map_lookup_elem(&services, &key);
	if (!s) {
		s = node_port_at(&key);
		if (!s)
			return NULL;
		known = ipcache_find(&p->dst);
		if (known ? !(known->flags & nodes_flags) : !is_local_address(skb, p))
			return NULL;
	}
	return is_outside && !(s->flags & SERVICE_OUTSIDE) ? NULL : s;
}

/* Whether packets may be for a service or a host port at all. */
static __noinline bool is_serving(void)
{
	const struct config *c = get_config();

	return c && (c->flags & CONFIG_SERVICES || has_host_ports());
}

enum host_port_found {
	HOST_PORT_NONE = 0,
	HOST_PORT_HERE = 1,
	HOST_PORT_MAYBE = 2, /* if the address is one of the node's, which `ipcache` does not know */
};

/* The pod that has the port that a packet asks for: it is in the scratch. */
static __noinline __u32 find_host_port(const struct packet *p)
{
	struct service_key key = { .port = p->dst_port, .protocol = p->protocol };
	struct translation *t = get_translation();
	const struct ipcache_entry *known;
	const struct backend *pod;

	if (!t || !has_host_ports())
		return HOST_PORT_NONE;
	key.addr = p->dst;
	pod = host_port_at(&key);
	if (!pod)
		return HOST_PORT_NONE;
	t->host_port = *pod;
	known = ipcache_find(&p->dst);
	if (!known)
		return HOST_PORT_MAYBE;
	return known->flags & IPCACHE_LOCAL_NODE ? HOST_PORT_HERE : HOST_PORT_NONE;
}

/* Whether a translation still says what `host_ports` says; any other one is good. Its pod may have gone, another may have come. */
static __noinline bool is_host_port_true(const struct translation *t)
{
	struct service_key key = { .port = t->key.dst_port, .protocol = t->key.protocol };
	const struct backend *pod;

	if (!(t->to.flags & SERVICE_FLOW_HOST_PORT))
		return true;
	key.addr = t->key.dst;
	pod = host_port_at(&key);
	return pod && pod->port == t->to.dst_port && addr_equal(&pod->addr, &t->to.dst);
}

/* Of a flow, the same on every node; of a client where it is to stay with its backend. */
INLINE __u32 hash_of(const struct packet *p, bool is_of_client)
{
	const __u64 *w = (const __u64 *)&p->src;
	__u64 words[5] = { w[0], w[1], w[2], w[3], (__u64)p->protocol << 32 | p->ports };
	__u64 hash = 0x9e3779b97f4a7c15;
	int i;

	if (is_of_client)
		words[4] &= ~0xffffULL; /* the client's port */
#pragma unroll
	for (i = 0; i < 5; i++) {
		hash = (hash ^ words[i]) * 0xff51afd7ed558ccd;
		hash ^= hash >> 32;
	}
	return hash;
}

INLINE bool is_source_allowed(__u32 service, const struct addr *client)
{
	struct service_source_key key = { .prefix_bits = 32 + 128, .service = service };
	const struct service_source *known;

	key.addr = *client;
	known = bpf_map_lookup_elem(&service_sources, &key);
	return known && known->is_allowed;
}

/* Whose address on the wire cannot be true, or who could not be answered: the stack's to judge. */
INLINE bool is_impossible_client(const struct packet *p)
{
	const struct ipcache_entry *known = ipcache_find(&p->src);
	__u8 first = *(const __u8 *)(p->family == 4 ? &p->src.w[3] : &p->src.w[0]);

	if (known && known->flags & (IPCACHE_LOCAL_NODE | IPCACHE_POD_CIDR))
		return true;
	if (p->family == 4)
		return first == 0 || first == 127 || first >= 224;
	return first == 0 || first == 0xff || is_link_local6(p, &p->src);
}

/* The backend that the n-th try is about: its number, or 0. */
INLINE __u32 backend_number(const struct translation *t, __u32 attempt)
{
	if (t->wanted)
		return t->wanted;
	if (attempt == 0 && t->flags & SERVICE_AFFINITY) {
		const struct service_affinity *last = bpf_map_lookup_elem(&service_affinity, &t->client);

		if (last && tick_now() - last->last_seen <= t->affinity_ticks && set_has(t->set, t->slots, last->backend))
			return last->backend;
	}
	if (!t->slots)
		return 0;
	return slot_at(t->set, (t->flags & SERVICE_MAGLEV ? t->hash + attempt : bpf_get_prandom_u32()) % t->slots);
}

/*
 * Whether a translated packet, in `t->to`, would be taken for one of another flow. What is left of one that has ended is
 * nobody's.
 */
INLINE bool is_clash(const struct packet *p, const struct translation *t)
{
	const struct service_flow *known = bpf_map_lookup_elem(&service_flows, &t->reply_key);
	const struct ct_entry *e = ct_lookup(&t->flow);
	struct nat_key key = {};

	if (known && addr_equal(&known->src, &t->key.dst) && addr_equal(&known->dst, &t->key.src) &&
	    known->src_port == t->key.dst_port && known->dst_port == t->key.src_port)
		return false;
	/* Its flow may begin just now on another CPU. */
	if (known && !e)
		return tick_now() - known->created <= 1;
	if (e && !(is_syn(p) && ct_is_closed(e)))
		return known || !(e->flags & CT_SERVICE);
	if (!has_own_source(t))
		return false;
	/* What is masqueraded has ports of the same range. */
	key.src = t->to.dst;
	key.dst = t->to.src;
	key.src_port = t->to.dst_port;
	key.dst_port = t->to.src_port;
	key.protocol = p->protocol;
	key.direction = NAT_IN;
	return bpf_map_lookup_elem(&nat, &key);
}

/* The address that stands in place of the client's; NULL: the client's stays. */
INLINE const struct addr *own_source(const struct packet *p, const struct config *c, struct translation *t)
{
	const struct ipcache_entry *known;

	if (!t->asked) {
		/* A pod that is its own backend: what it would get from itself its stack would not take. */
		if (!addr_equal(&p->src, &t->to.dst))
			return NULL;
		return p->family == 4 ? &c->router4 : &c->router6;
	}
	if (bpf_map_lookup_elem(&endpoints, &t->to.dst))
		return NULL;
	known = ipcache_find(&t->to.dst);
	if (known && known->flags & IPCACHE_LOCAL_NODE)
		return NULL;
	if (t->flags & SERVICE_DSR && known && known->flags & IPCACHE_POD_CIDR && !addr_is_zero(&known->tunnel)) {
		t->to.flags |= SERVICE_FLOW_DSR;
		return NULL;
	}
	/* Who is elsewhere would answer the client by another way. */
	return p->family == 4 ? &c->node4 : &c->node6;
}

/* The n-th try: SERVED_NEW and `t->to`, or the reason why not. METRIC_DROP_NO_BACKEND: that one is not there. */
VERIFIED_ONCE int try_backend(const struct packet *p, __u32 attempt)
{
	struct translation *t = get_translation();
	const struct config *c = get_config();
	const struct addr *source;
	const struct backend *b;
	__u32 number, ports;
	bool is_high;

	if (!p || !t || !c)
		return METRIC_DROP_NOT_CONFIGURED;
	number = backend_number(t, attempt);
	b = t->flags & SERVICE_HOST_PORT ? &t->host_port : backend_of(number);
	if (!b || is_mapped(&b->addr) != (p->family == 4))
		return METRIC_DROP_NO_BACKEND;
	t->to.src = p->src;
	t->to.src_port = p->src_port;
	t->to.dst = b->addr;
	t->to.dst_port = b->port;
	t->to.backend = number;
	t->to.flags = t->asked | (t->flags & SERVICE_HOST_PORT ? SERVICE_FLOW_HOST_PORT : 0);
	if ((t->wanted || t->flags & SERVICE_HOST_PORT) && !bpf_map_lookup_elem(&endpoints, &b->addr))
		return METRIC_DROP_NO_ENDPOINT;
	source = own_source(p, c, t);
	if (source) {
		if (addr_is_zero(source) || (p->family == 4 && !source->w[3]))
			return METRIC_DROP_NO_BACKEND;
		t->to.src = *source;
		if (attempt || t->asked)
			t->to.src_port = bpf_htons(c->nat_port_min + bpf_get_prandom_u32() %
								   (__u32)(c->nat_port_max - c->nat_port_min + 1));
	}
	t->reply_key.src = t->to.dst;
	t->reply_key.dst = t->to.src;
	ports = *(__u32 *)&t->to.src_port;
	*(__u32 *)&t->reply_key.src_port = swapped(ports);
	*(__u32 *)&t->reply_key.protocol = p->protocol;
	is_high = ct_sorts_higher(&t->to.src, &t->to.dst, ports);
	ct_fill_key(&t->to.src, &t->to.dst, ports, p->protocol, is_high, &t->flow);
	return is_clash(p, t) ? METRIC_DROP_SERVICE_CLASH : SERVED_NEW;
}

/*
 * Chooses a backend for what asks for a service: SERVED_NOT for what does not, SERVED_NEW and how in the scratch, whose `key` is
 * the packet's, or the reason to drop.
 */
VERIFIED_ONCE int choose_backend(struct __sk_buff *skb, const struct packet *p, __u32 asked)
{
	struct translation *t = get_translation();
	bool is_outside = asked == SERVICE_FLOW_OUTSIDE;
	int result = METRIC_DROP_NO_BACKEND;
	const struct service *s;
	__u32 i, found;

	if (!p || !t || !is_served_protocol(p->protocol))
		return SERVED_NOT;
	t->asked = asked;
	t->to.created = tick_now();
	t->to.pad = 0;
	s = find_service(skb, p, is_outside && !t->wanted);
	if (is_outside && is_impossible_client(p))
		return SERVED_NOT;
	found = s || t->wanted ? HOST_PORT_NONE : find_host_port(p);
	if (found == HOST_PORT_HERE || (found == HOST_PORT_MAYBE && is_local_address(skb, p))) {
		t->flags = SERVICE_HOST_PORT;
		t->slots = 0;
		t->to.service = 0;
		return try_backend(p, 0);
	}
	/* What pods of other nodes ask of services they have had translated there. */
	if (!s || asked == SERVICE_FLOW_TUNNEL)
		return SERVED_NOT;
	if (is_outside && s->flags & SERVICE_SOURCES && !is_source_allowed(s->number, &p->src))
		return METRIC_DROP_SERVICE_SOURCE;
	t->flags = s->flags;
	t->set = is_outside ? s->outside_set : s->inside_set;
	t->slots = is_outside ? s->outside_count : s->inside_count;
	/* nanoseconds >> 30 */
	t->affinity_ticks = ((__u64)s->affinity_seconds * 1000000000) >> TICK_SHIFT;
	t->client.client = p->src;
	t->client.service = s->number;
	t->client.pad = 0;
	t->hash = hash_of(p, s->flags & SERVICE_AFFINITY);
	t->to.service = s->number;
	if (t->wanted)
		return try_backend(p, 0);
	if (!t->slots)
		return s->flags & (is_outside ? SERVICE_OUTSIDE_LOCAL : SERVICE_INSIDE_LOCAL) ? METRIC_DROP_SERVICE_LOCAL
											    : METRIC_DROP_NO_BACKEND;
	for (i = 0; i < SERVICE_TRIES; i++) {
		result = try_backend(p, i);
		if (result == SERVED_NEW)
			return result;
		/* It has changed under our eyes: once more, what it is now. */
		if (result == METRIC_DROP_NO_BACKEND && i > 1)
			return result;
		if (result == METRIC_DROP_NO_BACKEND) {
			s = find_service(skb, p, is_outside);
			if (!s)
				return result;
			t->set = is_outside ? s->outside_set : s->inside_set;
			t->slots = is_outside ? s->outside_count : s->inside_count;
		}
	}
	return result;
}

/*
 * Keeps a new translation: 0, or the reason to drop the packet. SERVED_KNOWN: another CPU was first with a packet of the same
 * flow, its choice counts, and `p` is as that one goes on.
 */
VERIFIED_ONCE int keep_served(struct packet *p)
{
	struct translation *t = get_translation();
	struct service_affinity last = {};
	const struct service_flow *theirs;
	long failed;

	if (!p || !t)
		return METRIC_DROP_SERVICE_FULL;
	t->reply.src = t->key.dst;
	t->reply.dst = t->key.src;
	t->reply.src_port = t->key.dst_port;
	t->reply.dst_port = t->key.src_port;
	t->reply.flags = t->to.flags | SERVICE_FLOW_REPLY;
	t->reply.service = t->to.service;
	t->reply.backend = t->to.backend;
	t->reply.created = t->to.created;
	t->reply.pad = 0;
	/* First what answers are read by. */
	if (bpf_map_update_elem(&service_flows, &t->reply_key, &t->reply, BPF_ANY))
		return METRIC_DROP_SERVICE_FULL;
	failed = bpf_map_update_elem(&service_flows, &t->key, &t->to, t->is_again ? BPF_ANY : BPF_NOEXIST);
	if (!failed) {
		if (t->flags & SERVICE_AFFINITY) {
			last.backend = t->to.backend;
			last.last_seen = t->to.created;
			bpf_map_update_elem(&service_affinity, &t->client, &last, BPF_ANY);
		}
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
