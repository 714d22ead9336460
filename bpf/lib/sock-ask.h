// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* What a socket asks for: a service, or a pod's port of this node. */
#ifndef TWILL_SOCK_ASK_H
#define TWILL_SOCK_ASK_H

#include "packet.h"
#include "service-pick.h"

INLINE void count_sock(__u32 metric)
{
	struct sock_metric_value *v = bpf_map_lookup_elem(&sock_metrics, &metric);

	if (likely(v))
		v->count++;
}

/* Protocol that services are known by; 0: none of theirs. */
INLINE __u8 service_protocol(const struct bpf_sock_addr *ctx)
{
	__u32 protocol = ctx->protocol;

	if (protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP)
		return IPPROTO_TCP;
	return protocol == IPPROTO_UDP ? IPPROTO_UDP : 0;
}

INLINE void read_key4(const struct bpf_sock_addr *ctx, struct service_key *key)
{
	addr_set4(&key->addr, ctx->user_ip4);
	key->port = ctx->user_port;
	key->protocol = service_protocol(ctx);
}

/* An IPv4 address of an AF_INET6 socket is ::ffff:a.b.c.d here as there. */
INLINE void read_key6(const struct bpf_sock_addr *ctx, struct service_key *key)
{
	key->addr.w[0] = ctx->user_ip6[0];
	key->addr.w[1] = ctx->user_ip6[1];
	key->addr.w[2] = ctx->user_ip6[2];
	key->addr.w[3] = ctx->user_ip6[3];
	key->port = ctx->user_port;
	key->protocol = service_protocol(ctx);
}

INLINE void write4(struct bpf_sock_addr *ctx, const struct addr *addr, __be16 port)
{
	ctx->user_ip4 = addr->w[3];
	ctx->user_port = port;
}

INLINE void write6(struct bpf_sock_addr *ctx, const struct addr *addr, __be16 port)
{
	ctx->user_ip6[0] = addr->w[0];
	ctx->user_ip6[1] = addr->w[1];
	ctx->user_ip6[2] = addr->w[2];
	ctx->user_ip6[3] = addr->w[3];
	ctx->user_port = port;
}

/* 127.0.0.0/8; who connects with 0.0.0.0 is connected with that by Linux. */
INLINE bool is_loopback4(const struct addr *a)
{
	return is_mapped(a) && (!a->w[3] || (a->w[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000));
}

/* The same, and ::1, which :: stands for. */
INLINE bool is_loopback(const struct addr *a)
{
	return is_loopback4(a) || (!a->w[0] && !a->w[1] && !a->w[2] && !(a->w[3] & bpf_htonl(~1U)));
}

/* Whether the socket is one of the node itself: a pod's loopback is its own. */
INLINE bool is_in_node(struct bpf_sock_addr *ctx)
{
	/* Without a socket: the cookie of the machine's first namespace. */
	return bpf_get_netns_cookie(ctx) == bpf_get_netns_cookie(NULL);
}

/* Whether an address is one of a node's: of what kinds of nodes, `flags` says. */
INLINE bool is_node(const struct addr *a, __u32 flags)
{
	const struct ipcache_entry *known = ipcache_find(a);

	return known && known->flags & flags;
}

/* Whether a socket asks for a service, which is noted in `k`. */
INLINE bool socket_asks_for_service(struct bpf_sock_addr *ctx, struct pick *k)
{
	const struct service *s = find_service(&k->key, &k->is_node_port);

	if (likely(!s))
		return false;
	/*
	 * A node port is the same at every node. Processes of the node itself find it at 127.0.0.1, too, as kube-proxy's
	 * iptables rules have it.
	 */
	if (k->is_node_port && !is_node(&k->key.addr, IPCACHE_LOCAL_NODE | IPCACHE_REMOTE_NODE) &&
	    !(is_loopback4(&k->key.addr) && is_in_node(ctx)))
		return false;
	k->is_outside = false;
	take_service(k, s);
	return true;
}

/*
 * The pod that a port of this node leads to, or NULL; unlike a service's it is no other node's. Processes of the node itself find it
 * at its loopback, too.
 */
static __noinline const struct backend *find_asked_host_port(struct bpf_sock_addr *ctx, const struct service_key *key)
{
	const struct backend *pod;

	if (!has_host_ports())
		return NULL;
	pod = host_port_at(key);
	if (!pod)
		return NULL;
	if (is_loopback(&key->addr))
		return is_in_node(ctx) ? pod : NULL;
	return is_node(&key->addr, IPCACHE_LOCAL_NODE) ? pod : NULL;
}

#endif
