// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * What the programs of sock.c share: which backend a socket is given, and what it had asked for. A socket belongs to the control group of
 * who made it; its own address and port are not known yet when it asks.
 */
#ifndef TWILL_SOCK_H
#define TWILL_SOCK_H

#include "packet.h"
#include "service-pick.h"

#include <asm-generic/errno.h>

/* As long as Linux' conntrack knows a datagram's flow that was answered. */
#define CHOICE_SECONDS 120

/* Places of a set that are looked through for a kept backend; in a larger set it is chosen anew once it is not where it was. */
#define MAX_KEPT_SEARCH 32768

/* Other places that are tried for a socket that has asked the backend of the first one by another service. */
#define MAX_APART 4

/* libbpf's, a constant for the verifier. */
extern int LINUX_KERNEL_VERSION __kconfig;

enum sock_verdict {
	SOCK_DENY = 0,
	SOCK_PASS = 1,
};

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

/* 127.0.0.0/8. */
INLINE bool is_loopback4(const struct addr *a)
{
	return is_mapped(a) && (a->w[3] & bpf_htonl(0xff000000)) == bpf_htonl(0x7f000000);
}

/* Whether the socket is one of the node itself: a pod's loopback is its own. */
INLINE bool is_in_node(struct bpf_sock_addr *ctx)
{
	/* Without a socket: the cookie of the machine's first namespace. */
	return bpf_get_netns_cookie(ctx) == bpf_get_netns_cookie(NULL);
}

INLINE const struct service *find_asked_service(struct bpf_sock_addr *ctx, const struct service_key *key)
{
	const struct service *s = bpf_map_lookup_elem(&services, key);

	if (s)
		return s;
	s = node_port_at(key);
	if (likely(!s) || is_node(&key->addr))
		return s;
	/* Processes of the node itself find node ports at 127.0.0.1, too, as kube-proxy's iptables rules have it. */
	return is_loopback4(&key->addr) && is_in_node(ctx) ? s : NULL;
}

/* 127.0.0.0/8 or ::1. */
INLINE bool is_loopback(const struct addr *a)
{
	return is_loopback4(a) || (!a->w[0] && !a->w[1] && !a->w[2] && a->w[3] == bpf_htonl(1));
}

/*
 * The pod that a port of this node leads to, or NULL; unlike a service's it is no other node's. Processes of the node itself find it
 * at its loopback, too.
 */
static __noinline const struct backend *find_asked_host_port(struct bpf_sock_addr *ctx, const struct service_key *key)
{
	const struct ipcache_entry *known;
	const struct backend *pod;

	if (!has_host_ports())
		return NULL;
	pod = host_port_at(key);
	if (!pod)
		return NULL;
	if (is_loopback(&key->addr))
		return is_in_node(ctx) ? pod : NULL;
	known = ipcache_find(&key->addr);
	return known && known->flags & IPCACHE_LOCAL_NODE ? pod : NULL;
}

/* A number that leads to a backend: for Maglev of the socket, which has no port yet, else of chance. */
INLINE __u32 number_for(const struct service *s, const struct service_key *key, __u64 cookie)
{
	__u64 mixed;

	if (!(s->flags & SERVICE_MAGLEV))
		return bpf_get_prandom_u32();
	mixed = (cookie ^ (__u64)key->addr.w[3] << 32 ^ key->port) * 0x9e3779b97f4a7c15ULL;
	return mixed >> 32;
}

struct choice {
	__u32 backend; /* 0: nobody is there */
	__u32 index;
};

INLINE struct choice choose(const struct service *s, const struct service_key *key, __u64 cookie)
{
	struct set set = inside_of(s);
	struct choice c = {};

	if (unlikely(!set.count))
		return c;
	c.index = number_for(s, key, cookie) % set.count;
	c.backend = slot_at(set.number, c.index);
	if (likely(c.backend))
		return c;
	/* The set was taken away between the two looks: the service has another one by now. */
	s = bpf_map_lookup_elem(&services, key);
	if (!s)
		return c;
	set = inside_of(s);
	c.index = 0;
	c.backend = set.count ? slot_at(set.number, 0) : 0;
	return c;
}

/* A service with session affinity: pods and nodes are clients, not sockets. */
static __noinline __u32 choose_affine(const struct service *s, const struct service_key *key, __u64 cookie, __u64 netns)
{
	struct service_affinity_key client = { .service = s->number };
	struct set set = inside_of(s);
	struct service_affinity *known;
	struct service_affinity fresh;

	*(__u64 *)&client.client.w[2] = netns;
	fresh.last_seen = tick_now();
	known = bpf_map_lookup_elem(&service_affinity, &client);
	if (known && TICKS_TO_SECONDS(fresh.last_seen - known->last_seen) < s->affinity_seconds &&
	    set_has(set.number, set.count, known->backend)) {
		known->last_seen = fresh.last_seen;
		return known->backend;
	}
	fresh.backend = choose(s, key, cookie).backend;
	if (fresh.backend)
		bpf_map_update_elem(&service_affinity, &client, &fresh, BPF_ANY);
	return fresh.backend;
}

struct search {
	__u32 set;
	__u32 backend;
	__u32 found; /* index + 1 */
};

static long look_at(__u32 index, struct search *s)
{
	if (slot_at(s->set, index) != s->backend)
		return 0;
	s->found = index + 1;
	return 1;
}

/* Whether a kept backend is one of the set; then it is found at once the next time. */
INLINE bool is_kept(struct sock_choice *known, struct set set)
{
	struct search s = { .set = set.number, .backend = known->backend };

	if (likely(known->index < set.count && slot_at(set.number, known->index) == known->backend))
		return true;
	if (set.count > MAX_KEPT_SEARCH)
		return false;
	bpf_loop(set.count, look_at, &s, 0);
	if (!s.found)
		return false;
	known->index = s.found - 1;
	return true;
}

/* What a socket has asked a backend for. */
INLINE const struct sock_reverse *asked_before(__u64 cookie, const struct backend *b, __u8 protocol)
{
	struct sock_reverse_key key = { .cookie = cookie, .addr = b->addr, .port = b->port, .protocol = protocol };

	return bpf_map_lookup_elem(&sock_reverse, &key);
}

/* Whether answers of this backend would be another service's, too: nobody could tell them apart. */
INLINE bool is_known_otherwise(__u64 cookie, const struct service_key *asked, __u32 number)
{
	const struct backend *b = backend_of(number);
	const struct sock_reverse *known = b ? asked_before(cookie, b, asked->protocol) : NULL;

	return known && (known->port != asked->port || !addr_equal(&known->addr, &asked->addr));
}

/* A socket without connection: what it sends to a service goes to one backend, for as long as that is one. */
static __noinline __u32 choose_kept(const struct service *s, const struct service_key *key, __u64 cookie)
{
	struct sock_choice_key asked = { .cookie = cookie, .addr = key->addr, .port = key->port, .protocol = key->protocol };
	struct set set = inside_of(s);
	struct sock_choice *known = bpf_map_lookup_elem(&sock_choices, &asked);
	struct sock_choice fresh = { .service = s->number, .last_seen = tick_now() };
	struct choice c;

	if (known && known->service == fresh.service &&
	    TICKS_TO_SECONDS(fresh.last_seen - known->last_seen) < CHOICE_SECONDS && is_kept(known, set)) {
		if (known->last_seen != fresh.last_seen)
			known->last_seen = fresh.last_seen;
		return known->backend;
	}
	c = choose(s, key, cookie);
	for (int i = 0; i < MAX_APART && i + 1 < set.count && is_known_otherwise(cookie, key, c.backend); i++) {
		struct choice next = { .index = (c.index + 1) % set.count };

		next.backend = slot_at(set.number, next.index);
		if (next.backend)
			c = next;
	}
	fresh.backend = c.backend;
	fresh.index = c.index;
	if (fresh.backend)
		bpf_map_update_elem(&sock_choices, &asked, &fresh, BPF_ANY);
	return fresh.backend;
}

/* So that the socket may be told again what it asked for. */
INLINE void remember(__u64 cookie, const struct service_key *asked, const struct backend *b, __u32 number, __u32 service,
		     bool is_connected)
{
	struct sock_reverse_key key = { .cookie = cookie, .addr = b->addr, .port = b->port, .protocol = asked->protocol };
	struct sock_reverse value = { .addr = asked->addr, .port = asked->port, .is_connected = is_connected,
				      .service = service, .backend = number };
	const struct sock_reverse *known = asked_before(cookie, b, asked->protocol);

	if (known) {
		bool is_same_name = known->port == value.port && addr_equal(&known->addr, &value.addr);

		if (is_same_name && known->service == service && known->backend == number && known->is_connected == is_connected)
			return;
		if (!is_same_name && !is_connected && !known->is_connected)
			count_sock(SOCK_METRIC_RENAMED);
	}
	bpf_map_update_elem(&sock_reverse, &key, &value, BPF_ANY);
}

/*
 * Nobody is there: said at once. Linux before 5.18 knows one answer only, EPERM, and says that. With internalTrafficPolicy
 * Local the packets go on to where they are dropped, as kube-proxy does it: whoever comes in time answers what is sent again.
 */
INLINE int refuse_connection(const struct service *s)
{
	if (s->flags & SERVICE_INSIDE_LOCAL) {
		count_sock(SOCK_METRIC_LOCAL);
		return SOCK_PASS;
	}
	count_sock(SOCK_METRIC_REFUSED);
	if (LINUX_KERNEL_VERSION >= KERNEL_VERSION(5, 18, 0))
		bpf_set_retval(-ECONNREFUSED);
	return SOCK_DENY;
}

enum asking {
	ASK_CONNECT = 0,
	ASK_SEND = 1,
};

/* Finds who answers. `to` is NULL where the socket shall go on as it is, or not at all: see what is returned. */
INLINE int give_backend(struct bpf_sock_addr *ctx, const struct service_key *key, enum asking asking,
		     const struct backend **to)
{
	const struct service *s;
	__u32 number;
	__u64 cookie;

	*to = NULL;
	if (!key->protocol)
		return SOCK_PASS;
	s = find_asked_service(ctx, key);
	if (likely(!s)) {
		*to = find_asked_host_port(ctx, key);
		if (unlikely(*to)) {
			count_sock(asking == ASK_CONNECT ? SOCK_METRIC_CONNECTED : SOCK_METRIC_SENT);
			remember(bpf_get_socket_cookie(ctx), key, *to, 0, 0, asking == ASK_CONNECT);
		} else {
			count_sock(SOCK_METRIC_NO_SERVICE);
		}
		return SOCK_PASS;
	}
	cookie = bpf_get_socket_cookie(ctx);
	if (s->flags & SERVICE_AFFINITY)
		number = choose_affine(s, key, cookie, bpf_get_netns_cookie(ctx));
	else if (asking == ASK_SEND)
		number = choose_kept(s, key, cookie);
	else
		number = choose(s, key, cookie).backend;
	*to = number ? backend_of(number) : NULL;
	if (unlikely(!*to)) {
		if (s->inside_count)
			count_sock(SOCK_METRIC_HOLE);
		return refuse_connection(s);
	}
	count_sock(asking == ASK_CONNECT ? SOCK_METRIC_CONNECTED : SOCK_METRIC_SENT);
	remember(cookie, key, *to, number, s->number, asking == ASK_CONNECT);
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
