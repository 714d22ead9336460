// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Services as both sides know them; the rules of types.h hold here too.
 *
 *   services[address, port, protocol] ─▶ set, count ─▶ service_slots[set, index] ─▶ backends[number] ─▶ address, port
 *
 * A frontend that changes points at rows that are there already: backends are written before slots, slots before
 * services, and taken away the other way around. So a reader never finds less than the old or the new answer.
 */
#ifndef TWILL_SERVICE_TYPES_H
#define TWILL_SERVICE_TYPES_H

#include "types.h"

/*
 * HASH services: where a service is asked for. A node port of all the node's addresses has the zero address of its family:
 * ::ffff:0.0.0.0 or ::. Looked for only when the destination is an address of the node.
 */
struct service_key {
	struct addr addr;
	__be16 port;
	__u8 protocol;
	__u8 pad[5];
};

enum service_flag {
	SERVICE_OUTSIDE = 1,       /* asked for from the wire too: node port, load balancer, external address */
	SERVICE_OUTSIDE_LOCAL = 2, /* externalTrafficPolicy Local: keeps the client's address; without a backend: dropped */
	SERVICE_INSIDE_LOCAL = 4,  /* internalTrafficPolicy Local: without a backend: dropped */
	SERVICE_AFFINITY = 8,      /* sessionAffinity ClientIP, for `affinity_seconds` */
	SERVICE_MAGLEV = 16,       /* sets are Maglev tables: the index is a hash of the flow */
	SERVICE_SOURCES = 32,      /* from the wire only from prefixes in `service_sources` */
	SERVICE_DSR = 64,          /* pods of other nodes answer the client themselves: direct server return */
	SERVICE_HOST_PORT = 128,   /* in no map: a pod's port of this node, see `host_ports` */
};

struct service {
	__u32 number; /* of the service's port, whatever its frontend; not 0 */
	__u32 flags;  /* enum service_flag */
	__u32 inside_set; /* for pods and nodes of the cluster */
	__u32 inside_count; /* 0: nobody is there, the client is told at once */
	__u32 outside_set; /* for who comes from the wire */
	__u32 outside_count;
	__u32 affinity_seconds;
	__u32 pad;
};

/* HASH service_slots: backends of a set; indices are 0 … count - 1, and all are there. */
struct service_slot_key {
	__u32 set;
	__u32 index;
};

struct service_slot {
	__u32 backend;
	__u32 pad;
};

/* HASH backends: an address and port of a pod, a node or the outside. */
struct backend_key {
	__u32 number; /* not 0 */
	__u32 pad;
};

struct backend {
	struct addr addr;
	__be16 port;
	__u8 protocol;
	__u8 pad[5];
};

/*
 * HASH host_ports: ports of this node that lead to pods of it; `services` counts before them. Key: as there, the zero address
 * for all of the node's. Value: the pod. Written by whoever attaches pods, whether an agent runs or not.
 */

/* LPM_TRIE service_sources: who may ask for a service with SERVICE_SOURCES. */
struct service_source_key {
	__u32 prefix_bits; /* 32 + (0 … 128) */
	__u32 service;     /* its number */
	struct addr addr;
};

struct service_source {
	__u32 is_allowed;
	__u32 pad;
};

/*
 * HASH service_flows: packets that are translated here and not by a socket. Two entries for each flow. Key: the packet as it
 * comes; value: as it goes on. Each lives as long as the conntrack entry of the flow on the backend's side: with
 * SERVICE_FLOW_REPLY that is the key's addresses and ports, without it the value's; the protocol is the key's. One without
 * such an entry may go, unless it was created in this tick or the last one.
 */
struct service_flow_key {
	struct addr src;
	struct addr dst;
	__be16 src_port;
	__be16 dst_port;
	__u8 protocol;
	__u8 pad[3];
};

enum service_flow_flag {
	SERVICE_FLOW_REPLY = 1,   /* from the backend to the client */
	SERVICE_FLOW_OUTSIDE = 2, /* the client asked from the wire */
	SERVICE_FLOW_DSR = 4,     /* the backend's node translates, and answers: here only the way is kept */
	SERVICE_FLOW_TUNNEL = 8,  /* the client asked by the tunnel: a pod of another node, for a host port of this one */
	SERVICE_FLOW_HOST_PORT = 16, /* of no service: good for as long as `host_ports` says the same */
};

struct service_flow {
	struct addr src;
	struct addr dst;
	__be16 src_port;
	__be16 dst_port;
	__u32 flags;   /* enum service_flow_flag */
	__u32 service; /* its number; of a host port 0 */
	__u32 backend; /* its number: what points at one that is gone goes, too; of a host port 0 */
	__u32 created; /* tick */
	__u32 pad;
};

/* LRU_HASH service_affinity: who asked last by which backend it was answered. */
struct service_affinity_key {
	struct addr client; /* of a socket: zero, then the cookie of its network namespace in the last eight bytes */
	__u32 service;
	__u32 pad;
};

struct service_affinity {
	__u32 backend;
	__u32 last_seen; /* tick */
};

/* LRU_HASH sock_reverse: what a socket asked for, when it was given a backend. */
struct sock_reverse_key {
	__u64 cookie; /* of the socket */
	struct addr addr; /* of the backend */
	__be16 port;
	__u8 protocol;
	__u8 pad[5];
};

struct sock_reverse {
	struct addr addr; /* of the service */
	__be16 port;
	__u16 is_connected; /* to the backend: it talks to nobody else until it is told */
	__u32 service; /* its number; of a host port 0 */
	__u32 backend; /* its number; of a host port 0 */
	__u32 pad;
};

/*
 * LRU_HASH sock_choices: the backend that a socket without connection was given last for what it asks. It stays for as long
 * as it is one of the service's, so that questions and answers of one exchange go one way.
 */
struct sock_choice_key {
	__u64 cookie; /* of the socket */
	struct addr addr; /* of the service */
	__be16 port;
	__u8 protocol;
	__u8 pad[5];
};

struct sock_choice {
	__u32 service; /* its number */
	__u32 backend;
	__u32 index; /* where in the set it was */
	__u32 last_seen; /* tick */
};

/* What became of sockets that asked: index of the map `sock_metrics`. */
enum sock_metric {
	SOCK_METRIC_CONNECTED = 0,  /* connection, by TCP or UDP, that was given a backend */
	SOCK_METRIC_SENT = 1,       /* datagram without a connection that was given a backend */
	SOCK_METRIC_RECEIVED = 2,   /* datagram of a backend that was given the service's name */
	SOCK_METRIC_NAMED = 3,      /* getpeername that was told the service */
	SOCK_METRIC_NO_SERVICE = 4, /* asked for an address that is no service's: left as it is */
	SOCK_METRIC_REFUSED = 5,    /* nobody is behind the service, or nobody that a process of the node may ask: told at once */
	SOCK_METRIC_LOCAL = 6,      /* nobody of this node is, under policy Local: left to the pod's packets, which are dropped */
	SOCK_METRIC_HOLE = 7,       /* a slot or backend that the tables name was not there (also counted as REFUSED) */
	SOCK_METRIC_RENAMED = 8,    /* datagram to a backend that the socket has asked by another service: answers have the later name */

	SOCK_METRIC_COUNT = 16,
};

/* PERCPU_ARRAY sock_metrics [SOCK_METRIC_COUNT]. */
struct sock_metric_value {
	__u64 count;
};

_Static_assert(sizeof(struct service_key) == 24, "service_key");
_Static_assert(sizeof(struct service) == 32, "service");
_Static_assert(sizeof(struct backend) == 24, "backend");
_Static_assert(sizeof(struct service_flow_key) == 40, "service_flow_key");
_Static_assert(sizeof(struct service_flow) == 56, "service_flow");
_Static_assert(sizeof(struct sock_reverse_key) == 32, "sock_reverse_key");
_Static_assert(sizeof(struct sock_reverse) == 32, "sock_reverse");
_Static_assert(sizeof(struct sock_choice_key) == 32, "sock_choice_key");
_Static_assert(sizeof(struct sock_choice) == 16, "sock_choice");

#endif
