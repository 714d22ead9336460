// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* What a packet asks for: a service, or a pod's port of this node; and whether it may. */
#ifndef TWILL_SERVICE_ASK_H
#define TWILL_SERVICE_ASK_H

#include "service-pick.h"
#include "translate.h"

/* Whether packets may be for a service or a host port at all. */
static __noinline bool is_serving(void)
{
	const struct config *c = get_config();

	return c && (c->flags & CONFIG_SERVICES || has_host_ports());
}

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

/* Whether the destination is a node's address: of what kinds of nodes, `flags` says. */
INLINE bool is_to_node(struct __sk_buff *skb, const struct packet *p, __u32 flags)
{
	const struct ipcache_entry *known = ipcache_find(&p->dst);

	return known ? known->flags & flags : is_local_address(skb, p);
}

/* Whether a packet asks for a service, which is noted in the scratch. */
static __noinline bool packet_asks_for_service(struct __sk_buff *skb, const struct packet *p, bool is_outside)
{
	/* A node port is the same at every node: pods need not go to another one for it. */
	__u32 nodes = is_outside ? IPCACHE_LOCAL_NODE : IPCACHE_LOCAL_NODE | IPCACHE_REMOTE_NODE;
	struct translation *t = get_translation();
	const struct service *s;
	struct pick *k;

	if (!t)
		return false;
	k = &t->pick;
	__builtin_memset(&k->key, 0, sizeof(k->key));
	k->key.addr = p->dst;
	k->key.port = p->dst_port;
	k->key.protocol = p->protocol;
	k->is_outside = is_outside;
	s = find_service(&k->key, &k->is_node_port);
	if (!s || (k->is_node_port && !is_to_node(skb, p, nodes)) || (is_outside && !(s->flags & SERVICE_OUTSIDE)))
		return false;
	take_service(k, s);
	return true;
}

/* Whether a packet asks for a port of this node that is a pod's, which is noted in the scratch. */
static __noinline bool packet_asks_for_host_port(struct __sk_buff *skb, const struct packet *p)
{
	struct service_key key = { .port = p->dst_port, .protocol = p->protocol };
	struct translation *t = get_translation();
	const struct backend *pod;

	if (!t || !has_host_ports())
		return false;
	key.addr = p->dst;
	pod = host_port_at(&key);
	if (!pod)
		return false;
	t->host_port = *pod;
	t->pick.flags = SERVICE_HOST_PORT;
	t->pick.client.service = 0;
	t->pick.backend = 0;
	return is_to_node(skb, p, IPCACHE_LOCAL_NODE);
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

#endif
