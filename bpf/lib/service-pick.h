// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * From a service to who answers: the one look-up that packets and sockets have in common.
 *
 *   services[key] ─▶ set ─▶ affinity, or a number ─▶ service_slots[set, index] ─▶ backends[number]
 *       ▲                                                      │ not there
 *       └──────────────────── once more ───────────────────────┘
 *
 * Writers keep an order in which every look finds something (service-types.h), but between two looks all of it may have
 * been replaced: what is not there is asked for once more, under the key that has found the service.
 */
#ifndef TWILL_SERVICE_PICK_H
#define TWILL_SERVICE_PICK_H

#include "conntrack.h"
#include "service-find.h"

/* Sets up to this size are searched for a backend; whoever is in a larger one is known by being a backend at all. */
#define MAX_SEARCH 64

/* A set with its size, read in one piece: the pair may be replaced at any time. */
struct set {
	__u32 number;
	__u32 count;
};

/* Who asks for what, and what has been found. */
struct pick {
	struct service_key key;
	struct service_affinity_key client; /* its service is the one that was found; the address is filled with SERVICE_AFFINITY */
	struct set set;
	__u32 flags; /* enum service_flag */
	__u32 affinity_seconds;
	__u32 backend; /* its number */
	__u32 index;   /* where in the set it is */
	bool is_node_port; /* the service is that of the port, at whatever address */
	bool is_outside;   /* who asks comes from the wire */
	bool is_affine;    /* with SERVICE_AFFINITY: the backend has answered the client before, and is noted */
	__u8 pad;
};

_Static_assert(__builtin_offsetof(struct service, inside_set) % 8 == 0, "read in one piece");
_Static_assert(__builtin_offsetof(struct service, inside_count) == __builtin_offsetof(struct service, inside_set) + 4,
	       "read in one piece");
_Static_assert(__builtin_offsetof(struct service, outside_set) % 8 == 0, "read in one piece");
_Static_assert(__builtin_offsetof(struct service, outside_count) == __builtin_offsetof(struct service, outside_set) + 4,
	       "read in one piece");

/* Notes what a service says for who asks. */
INLINE void take_service(struct pick *k, const struct service *s)
{
	__u64 pair = *(const volatile __u64 *)(k->is_outside ? &s->outside_set : &s->inside_set);

	k->set.number = (__u32)pair;
	k->set.count = pair >> 32;
	k->client.service = s->number;
	k->flags = s->flags;
	k->affinity_seconds = s->affinity_seconds;
}

/* Who is at an index of a set; 0: nobody. */
INLINE __u32 slot_at(__u32 set, __u32 index)
{
	struct service_slot_key key = { .set = set, .index = index };
	const struct service_slot *slot = bpf_map_lookup_elem(&service_slots, &key);

	return likely(slot) ? slot->backend : 0;
}

/* A backend that answers for addresses of the family that is asked for, or NULL; 0 is nobody's number. */
INLINE const struct backend *backend_of(const struct pick *k, __u32 number)
{
	struct backend_key key = { .number = number };
	const struct backend *b = bpf_map_lookup_elem(&backends, &key);

	return likely(b) && likely(is_mapped(&b->addr) == is_mapped(&k->key.addr)) ? b : NULL;
}

INLINE const struct backend *backend_at(struct pick *k, __u32 index)
{
	k->index = index;
	k->backend = slot_at(k->set.number, index);
	return backend_of(k, k->backend);
}

/*
 * Nobody was there: the tables, as they are by now. A set that shrinks under this look, too, has its first place for the longest.
 * The set is empty where there is no service any more.
 */
static __noinline const struct backend *pick_again(struct pick *k, __u32 number)
{
	const struct service *s = k->is_node_port ? node_port_at(&k->key) : bpf_map_lookup_elem(&services, &k->key);
	const struct backend *b;

	k->set.count = 0;
	if (s)
		take_service(k, s);
	if (!k->set.count)
		return NULL;
	b = backend_at(k, number % k->set.count);
	return b ? b : backend_at(k, 0);
}

/* The backend that a number leads to, or NULL: nobody is there. */
INLINE const struct backend *pick_backend(struct pick *k, __u32 number)
{
	const struct backend *b;

	if (unlikely(!k->set.count))
		return NULL;
	b = backend_at(k, number % k->set.count);
	return likely(b) ? b : pick_again(k, number);
}

/* Whether a backend still answers for a set. */
VERIFIED_ONCE int set_has(__u32 set, __u32 count, __u32 backend)
{
	if (count > MAX_SEARCH)
		return 1;
	for (__u32 i = 0; i < MAX_SEARCH && i < count; i++)
		if (slot_at(set, i) == backend)
			return 1;
	return 0;
}

/* Whether what was seen last at a tick is further back than so many seconds. */
INLINE bool is_over(__u32 now, __u32 last_seen, __u32 seconds)
{
	return ((__u64)(now - last_seen) << TICK_SHIFT) >= (__u64)seconds * 1000000000;
}

/* With SERVICE_AFFINITY: the backend that has answered the client before, which is noted, or NULL if that is over. */
INLINE const struct backend *pick_affine(struct pick *k, __u32 now)
{
	struct service_affinity *last = bpf_map_lookup_elem(&service_affinity, &k->client);
	const struct backend *b;

	k->is_affine = false;
	if (!last || is_over(now, last->last_seen, k->affinity_seconds))
		return NULL;
	k->backend = last->backend;
	if (!set_has(k->set.number, k->set.count, k->backend))
		return NULL;
	b = backend_of(k, k->backend);
	if (likely(b)) {
		last->last_seen = now;
		k->is_affine = true;
	}
	return b;
}

/* With SERVICE_AFFINITY: notes who answers the client from now on. */
INLINE void keep_affinity(const struct pick *k, __u32 now)
{
	struct service_affinity fresh = { .backend = k->backend, .last_seen = now };

	if (!k->is_affine)
		bpf_map_update_elem(&service_affinity, &k->client, &fresh, BPF_ANY);
}

#endif
