// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* Which backend a socket is given, and what is remembered of it. */
#ifndef TWILL_SOCK_CHOOSE_H
#define TWILL_SOCK_CHOOSE_H

#include "sock-ask.h"

/* As long as Linux' conntrack knows a datagram's flow that was answered. */
#define CHOICE_SECONDS 120

/* Places of a set that are looked through for a kept backend; in a larger set it is chosen anew once it is not where it was. */
#define MAX_KEPT_SEARCH 32768

/* Other places that are tried for a socket that has asked the backend of the first one by another service. */
#define MAX_APART 4

/* A backend by chance; with Maglev by the socket, which has no port yet. */
INLINE const struct backend *pick_for_socket(struct pick *k, __u64 cookie)
{
	__u64 mixed;

	if (!(k->flags & SERVICE_MAGLEV))
		return pick_backend(k, bpf_get_prandom_u32());
	mixed = (cookie ^ (__u64)k->key.addr.w[3] << 32 ^ k->key.port) * 0x9e3779b97f4a7c15ULL;
	return pick_backend(k, mixed >> 32);
}

/* Of a service with session affinity: pods and nodes are clients, not sockets. */
static __noinline const struct backend *pick_for_netns(struct pick *k, __u64 cookie, __u64 netns)
{
	__u32 now = tick_now();
	const struct backend *b;

	__builtin_memset(&k->client.client, 0, sizeof(k->client.client));
	*(__u64 *)&k->client.client.w[2] = netns;
	k->client.pad = 0;
	b = pick_affine(k, now);
	if (!b)
		b = pick_for_socket(k, cookie);
	if (b)
		keep_affinity(k, now);
	return b;
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
INLINE bool is_known_otherwise(__u64 cookie, const struct service_key *asked, const struct backend *b)
{
	const struct sock_reverse *known = asked_before(cookie, b, asked->protocol);

	return known && (known->port != asked->port || !addr_equal(&known->addr, &asked->addr));
}

/* Of a socket without connection: what it sends to a service goes to one backend, for as long as that is one. */
static __noinline const struct backend *pick_for_datagram(struct pick *k, __u64 cookie)
{
	const struct service_key *key = &k->key;
	struct sock_choice_key asked = { .cookie = cookie, .addr = key->addr, .port = key->port, .protocol = key->protocol };
	struct sock_choice *known = bpf_map_lookup_elem(&sock_choices, &asked);
	struct sock_choice fresh = { .last_seen = tick_now() };
	const struct backend *b;

	if (known && known->service == k->client.service && !is_over(fresh.last_seen, known->last_seen, CHOICE_SECONDS) &&
	    is_kept(known, k->set)) {
		if (known->last_seen != fresh.last_seen)
			known->last_seen = fresh.last_seen;
		k->backend = known->backend;
		b = backend_of(k, k->backend);
		if (likely(b))
			return b;
	}
	b = pick_for_socket(k, cookie);
	for (int i = 0; i < MAX_APART && b && i + 1 < k->set.count && is_known_otherwise(cookie, key, b); i++)
		b = backend_at(k, (k->index + 1) % k->set.count);
	if (unlikely(!b))
		b = pick_again(k, k->index);
	if (!b)
		return NULL;
	fresh.service = k->client.service;
	fresh.backend = k->backend;
	fresh.index = k->index;
	bpf_map_update_elem(&sock_choices, &asked, &fresh, BPF_ANY);
	return b;
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

#endif
