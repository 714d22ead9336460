// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Where a service or a pod's port of this node is asked for: from address and port to their entries. Needs no packet, and knows none
 * who asks: packets (service-ask.h) and sockets (sock.h) say at whose addresses ports of nodes are theirs.
 */
#ifndef TWILL_SERVICE_FIND_H
#define TWILL_SERVICE_FIND_H

#include "addr.h"
#include "policy.h"
#include "service-maps.h"

/* What stands for all of the node's addresses in the tables: nobody is asked for there. */
INLINE bool is_any(const struct addr *a)
{
	return !a->w[3] && !a->w[0] && !a->w[1] && (!a->w[2] || is_mapped(a));
}

INLINE void make_any(const struct service_key *key, struct service_key *any)
{
	if (is_mapped(&key->addr))
		addr_set4(&any->addr, 0);
	any->port = key->port;
	any->protocol = key->protocol;
}

/* The entry of a node port, whatever address it is asked for at. */
INLINE const struct service *node_port_at(const struct service_key *key)
{
	struct service_key any = {};

	make_any(key, &any);
	return bpf_map_lookup_elem(&services, &any);
}

/* The service that is asked for; that the address of a node port is one of a node's is the caller's to see to. */
INLINE const struct service *find_service(const struct service_key *key, bool *is_node_port)
{
	const struct service *s = bpf_map_lookup_elem(&services, key);

	*is_node_port = !s || unlikely(is_any(&key->addr));
	return s ? s : node_port_at(key);
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
	struct service_key any = {};
	const struct backend *pod;

	make_any(key, &any);
	pod = bpf_map_lookup_elem(&host_ports, &any);
	return pod ? pod : bpf_map_lookup_elem(&host_ports, key);
}

#endif
