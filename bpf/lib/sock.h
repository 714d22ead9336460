// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * What the programs of sock.c share: which backend a socket is given, and what it had asked for. A socket belongs to the control group of
 * who made it; its own address and port are not known yet when it asks.
 */
#ifndef TWILL_SOCK_H
#define TWILL_SOCK_H

#include "sock-choose.h"

#include <asm-generic/errno.h>

/* libbpf's, a constant for the verifier. */
extern int LINUX_KERNEL_VERSION __kconfig;

enum sock_verdict {
	SOCK_DENY = 0,
	SOCK_PASS = 1,
};

enum asking {
	ASK_CONNECT = 0,
	ASK_SEND = 1,
};

/*
 * Nobody is there: said at once. Linux before 5.18 knows one answer only, EPERM, and says that. With internalTrafficPolicy
 * Local a pod's packets go on to where they are dropped, as kube-proxy does it: whoever comes in time answers what is sent again.
 * The node's own would go on to the wire, and nobody would look at them again.
 */
INLINE int refuse_socket(struct bpf_sock_addr *ctx, const struct pick *k)
{
	if (k->set.count)
		count_sock(SOCK_METRIC_HOLE);
	if (k->flags & SERVICE_INSIDE_LOCAL && !is_in_node(ctx)) {
		count_sock(SOCK_METRIC_LOCAL);
		return SOCK_PASS;
	}
	count_sock(SOCK_METRIC_REFUSED);
	if (LINUX_KERNEL_VERSION >= KERNEL_VERSION(5, 18, 0))
		bpf_set_retval(-ECONNREFUSED);
	return SOCK_DENY;
}

/* Gives a socket that asks for no service the pod of a host port, if it asks for one. */
INLINE int give_pod(struct bpf_sock_addr *ctx, const struct service_key *key, enum asking asking, const struct backend **to)
{
	*to = find_asked_host_port(ctx, key);
	if (likely(!*to)) {
		count_sock(SOCK_METRIC_NO_SERVICE);
		return SOCK_PASS;
	}
	count_sock(asking == ASK_CONNECT ? SOCK_METRIC_CONNECTED : SOCK_METRIC_SENT);
	remember(bpf_get_socket_cookie(ctx), key, *to, 0, 0, asking == ASK_CONNECT);
	return SOCK_PASS;
}

/* Finds who answers. `to` is NULL where the socket shall go on as it is, or not at all: see what is returned. */
INLINE int give_backend(struct bpf_sock_addr *ctx, struct pick *k, enum asking asking, const struct backend **to)
{
	__u64 cookie;

	*to = NULL;
	if (!k->key.protocol)
		return SOCK_PASS;
	if (likely(!socket_asks_for_service(ctx, k)))
		return give_pod(ctx, &k->key, asking, to);
	cookie = bpf_get_socket_cookie(ctx);
	if (k->flags & SERVICE_AFFINITY)
		*to = pick_for_netns(k, cookie, bpf_get_netns_cookie(ctx));
	else if (asking == ASK_SEND)
		*to = pick_for_datagram(k, cookie);
	else
		*to = pick_for_socket(k, cookie);
	if (unlikely(!*to))
		return refuse_socket(ctx, k);
	count_sock(asking == ASK_CONNECT ? SOCK_METRIC_CONNECTED : SOCK_METRIC_SENT);
	remember(cookie, &k->key, *to, k->backend, k->client.service, asking == ASK_CONNECT);
	return SOCK_PASS;
}

/* What the socket had asked for when it was given this peer; NULL: the peer itself. @metric: what it is told that for */
INLINE const struct sock_reverse *find_asked(struct bpf_sock_addr *ctx, const struct service_key *peer, __u32 metric)
{
	struct sock_reverse_key key = { .addr = peer->addr, .port = peer->port, .protocol = peer->protocol };
	const struct sock_reverse *asked;

	if (!key.protocol)
		return NULL;
	key.cookie = bpf_get_socket_cookie(ctx);
	asked = bpf_map_lookup_elem(&sock_reverse, &key);
	if (asked)
		count_sock(metric);
	return asked;
}

#endif
