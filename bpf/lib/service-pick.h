// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * From what is asked for to who answers: the service of an address and port, and one of its backends. Needs no packet.
 */
#ifndef TWILL_SERVICE_PICK_H
#define TWILL_SERVICE_PICK_H

#include "addr.h"
#include "policy.h"
#include "service-maps.h"

/* Sets up to this size are searched for a backend; whoever is in a larger one is known by being a backend at all. */
#define MAX_SEARCH 64

/* Seconds of so many ticks. */
#define TICKS_TO_SECONDS(ticks) (((__u64)(ticks) << TICK_SHIFT) / 1000000000ULL)

/* A node port is the same at every node: nobody needs to go to another one for it. */
INLINE bool is_node(const struct addr *a)
{
	const struct ipcache_entry *known = ipcache_find(a);

	return known && known->flags & (IPCACHE_LOCAL_NODE | IPCACHE_REMOTE_NODE);
}

/* The entry of a node port, whatever address it is asked for at; `key` stays the caller's. */
INLINE const struct service *node_port_at(const struct service_key *key)
{
	struct service_key any = { .port = key->port, .protocol = key->protocol };

	if (is_mapped(&key->addr))
		addr_set4(&any.addr, 0);
	return bpf_map_lookup_elem(&services, &any);
}

/* Whether ports of this node lead to pods of it at all. */
static __noinline bool has_host_ports(void)
{
	__u32 index = GENERATION_HOST_PORTS;
	const struct generation *g = bpf_map_lookup_elem(&generation, &index);

	return g && g->value;
}

/* The pod that a port leads to, if the address is one of the node's, which the caller has to see to. */
INLINE const struct backend *host_port_at(const struct service_key *key)
{
	struct service_key any = { .port = key->port, .protocol = key->protocol };
	const struct backend *pod;

	if (is_mapped(&key->addr))
		addr_set4(&any.addr, 0);
	pod = bpf_map_lookup_elem(&host_ports, &any);
	return pod ? pod : bpf_map_lookup_elem(&host_ports, key);
}

/* Who is at an index of a set; 0: nobody. */
INLINE __u32 slot_at(__u32 set, __u32 index)
{
	struct service_slot_key key = { .set = set, .index = index };
	const struct service_slot *slot = bpf_map_lookup_elem(&service_slots, &key);

	return likely(slot) ? slot->backend : 0;
}

INLINE const struct backend *backend_of(__u32 number)
{
	struct backend_key key = { .number = number };

	return bpf_map_lookup_elem(&backends, &key);
}

/* A set with its size, read in one piece: the pair may be replaced at any time. */
struct set {
	__u32 number;
	__u32 count;
};

INLINE struct set inside_of(const struct service *s)
{
	__u64 pair = *(const volatile __u64 *)&s->inside_set;
	struct set set = { .number = (__u32)pair, .count = pair >> 32 };

	return set;
}

/* Whether a backend still answers for a set. */
VERIFIED_ONCE int set_has(__u32 set, __u32 count, __u32 backend)
{
	if (count > MAX_SEARCH)
		return !!backend_of(backend);
	for (__u32 i = 0; i < MAX_SEARCH && i < count; i++)
		if (slot_at(set, i) == backend)
			return 1;
	return 0;
}

_Static_assert(__builtin_offsetof(struct service, inside_set) % 8 == 0, "read in one piece");
_Static_assert(__builtin_offsetof(struct service, inside_count) == __builtin_offsetof(struct service, inside_set) + 4,
	       "read in one piece");

#endif
