// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* Which backend a packet goes to, and how it looks then: none of another flow. */
#ifndef TWILL_SERVICE_CHOOSE_H
#define TWILL_SERVICE_CHOOSE_H

#include "service-ask.h"

/* Backends, or ports in place of the client's, that are tried until the translated packet is none of another flow. */
#define SERVICE_TRIES 32

/* The backend that the n-th try is about, or NULL; `t->pick` says its number. */
INLINE const struct backend *next_backend(struct translation *t, __u32 attempt)
{
	struct pick *k = &t->pick;
	const struct backend *b;

	k->is_affine = false;
	if (k->flags & SERVICE_HOST_PORT)
		return &t->host_port;
	if (t->wanted) {
		k->backend = t->wanted;
		return backend_of(k, t->wanted);
	}
	b = attempt == 0 && k->flags & SERVICE_AFFINITY ? pick_affine(k, t->to.created) : NULL;
	return b ? b : pick_backend(k, k->flags & SERVICE_MAGLEV ? t->hash + attempt : bpf_get_prandom_u32());
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
	if (t->pick.flags & SERVICE_DSR && known && known->flags & IPCACHE_POD_CIDR && !addr_is_zero(&known->tunnel)) {
		t->to.flags |= SERVICE_FLOW_DSR;
		return NULL;
	}
	/* Who is elsewhere would answer the client by another way. */
	return p->family == 4 ? &c->node4 : &c->node6;
}

/* The n-th try: SERVED_NEW and `t->to`, or the reason why not. METRIC_DROP_NO_BACKEND: nobody is there. */
VERIFIED_ONCE int try_backend(const struct packet *p, __u32 attempt)
{
	struct translation *t = get_translation();
	const struct config *c = get_config();
	const struct addr *source;
	const struct backend *b;
	bool is_host_port;
	bool is_high;
	__u32 ports;

	if (!p || !t || !c)
		return METRIC_DROP_NOT_CONFIGURED;
	b = next_backend(t, attempt);
	if (!b)
		return METRIC_DROP_NO_BACKEND;
	is_host_port = t->pick.flags & SERVICE_HOST_PORT;
	t->to.src = p->src;
	t->to.src_port = p->src_port;
	t->to.dst = b->addr;
	t->to.dst_port = b->port;
	t->to.service = t->pick.client.service;
	t->to.backend = t->pick.backend;
	t->to.flags = t->asked | (is_host_port ? SERVICE_FLOW_HOST_PORT : 0);
	if ((t->wanted || is_host_port) && !bpf_map_lookup_elem(&endpoints, &b->addr))
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

/* Why what asks for a service is dropped where nobody is there: whether somebody may be on another node. */
INLINE int why_nobody(const struct pick *k)
{
	__u32 is_local = k->flags & (k->is_outside ? SERVICE_OUTSIDE_LOCAL : SERVICE_INSIDE_LOCAL);

	return is_local && !k->set.count ? METRIC_DROP_SERVICE_LOCAL : METRIC_DROP_NO_BACKEND;
}

/*
 * Chooses a backend for what asks for a service: SERVED_NOT for what does not, SERVED_NEW and how in the scratch, whose `key` is
 * the packet's, or the reason to drop.
 */
VERIFIED_ONCE int choose_backend(struct __sk_buff *skb, const struct packet *p, __u32 asked)
{
	struct translation *t = get_translation();
	bool is_outside = asked == SERVICE_FLOW_OUTSIDE;
	int result = METRIC_DROP_SERVICE_CLASH;
	struct pick *k;
	__u32 i;

	if (!p || !t || !is_served_protocol(p->protocol))
		return SERVED_NOT;
	k = &t->pick;
	t->asked = asked;
	t->to.created = tick_now();
	t->to.pad = 0;
	if (packet_asks_for_service(skb, p, is_outside && !t->wanted)) {
		/* What pods of other nodes ask of services they have had translated there. */
		if (asked == SERVICE_FLOW_TUNNEL)
			return SERVED_NOT;
	} else if (t->wanted || !packet_asks_for_host_port(skb, p)) {
		return SERVED_NOT;
	}
	if (is_outside && is_impossible_client(p))
		return SERVED_NOT;
	if (is_outside && k->flags & SERVICE_SOURCES && !is_source_allowed(k->client.service, &p->src))
		return METRIC_DROP_SERVICE_SOURCE;
	if (k->flags & SERVICE_AFFINITY) {
		k->client.client = p->src;
		k->client.pad = 0;
	}
	if (k->flags & SERVICE_MAGLEV)
		t->hash = hash_of(p, k->flags & SERVICE_AFFINITY);
	for (i = 0; i < SERVICE_TRIES && result == METRIC_DROP_SERVICE_CLASH; i++)
		result = try_backend(p, i);
	return result == METRIC_DROP_NO_BACKEND && !t->wanted ? why_nobody(k) : result;
}

#endif
