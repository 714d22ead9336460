// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Everything that both sides know: keys and values of the maps, the event of the ring, names of metrics and flags.
 *
 * The TypeScript side (src/net/gen/bpf-maps.ts) is generated from this file's BTF. Therefore:
 * - every byte has a name; fields that are called `pad…`, and `own_…` for what only the programs use, are written as zero
 *   by TypeScript and hidden from it,
 * - sizes are multiples of 8, except of the LPM key, whose size the kernel's trie prescribes,
 * - `__be16` and `__be32` are in network order here and ordinary numbers in TypeScript,
 * - `struct addr` is 16 bytes in network order, IPv4 as ::ffff:a.b.c.d.
 */
#ifndef TWILL_TYPES_H
#define TWILL_TYPES_H

#include <linux/bpf.h>
#include <linux/types.h>

/* Time in maps is a tick: CLOCK_MONOTONIC nanoseconds >> 30, about 1.07 seconds. Comparing costs no division. */
#define TICK_SHIFT 30

struct addr {
	__be32 w[4];
};

/* What happened to a packet: index of the map `metrics`; values from METRIC_DROP_FIRST on are reasons of a drop. */
enum metric {
	METRIC_FORWARD_LOCAL = 0,      /* handed to a pod of this node */
	METRIC_FORWARD_TUNNEL = 1,     /* sent to another node through the tunnel */
	METRIC_FORWARD_STACK = 2,      /* given to the node's stack through twill0 */
	METRIC_FORWARD_SHAPED = 3,     /* through the pair that limits a pod (ENDPOINT_SHAPED) */
	METRIC_NAT_OUT = 4,            /* source translated on the way out */
	METRIC_NAT_IN = 5,             /* destination translated back on the way in */
	METRIC_ANSWER_ARP = 6,         /* gateway's ARP answer */
	METRIC_ANSWER_ND = 7,          /* gateway's neighbour advertisement */
	METRIC_SLOW_TTL = 8,           /* hop limit used up: the stack answers (also counted as FORWARD_STACK) */
	METRIC_SLOW_MTU = 9,           /* larger than the tunnel takes: the stack answers or fragments (same) */
	METRIC_MSS_CLAMPED = 10,       /* MSS of a TCP SYN lowered to what the tunnel takes */
	METRIC_CT_CREATED = 11,        /* flow begun */
	METRIC_CT_REOPENED = 12,       /* flow begun again with the addresses and ports of a closed one */
	METRIC_NAT_CREATED = 13,       /* port allocated */
	METRIC_NAT_COLLISION = 14,     /* port tried that was taken */
	METRIC_EVENT_LOST = 15,        /* drop that the ring buffer had no room for */
	METRIC_IGNORED_MULTICAST = 16, /* multicast or broadcast of a pod: not forwarded, no event */
	METRIC_IGNORED_ND = 17,        /* neighbour discovery of a pod that needs no answer: no event */
	METRIC_IGNORED_ARP = 18,       /* ARP of a pod that needs no answer: no event */
	METRIC_FRAGMENT = 19,          /* fragment seen (also counted by what happened to it) */
	METRIC_ICMP_RELATED = 20,      /* ICMP error of a known flow (same) */
	METRIC_SHORTCUT_OUT = 21,      /* encapsulated without the VXLAN device (same) */
	METRIC_SHORTCUT_IN = 22,       /* decapsulated without the VXLAN device (same) */
	METRIC_POLICY_REJUDGED = 23,   /* known flow judged again, since policy has changed */
	METRIC_POLICY_LOGGED = 24,     /* verdict on whose way a rule that logs stood */
	METRIC_POLICY_STAGED = 25,     /* verdict that staged policies would turn around */
	METRIC_POLICY_HITS_FULL = 26,  /* verdict whose rule found no room in `policy_hits` */
	METRIC_REJECTED = 27,          /* denied packet that was answered (also counted as DROP_POLICY) */
	METRIC_REJECT_LIMITED = 28,    /* denied packet that was not, since enough were in this tick (same) */
	METRIC_HOST_UNTRACKED = 29,    /* flow of the node's own that conntrack has no room for: each packet is judged */
	METRIC_SERVICE_FORWARD = 30,   /* translated from a service to its backend (also counted by what happened to it) */
	METRIC_SERVICE_REPLY = 31,     /* translated back from the backend to the service (same) */

	METRIC_DROP_FIRST = 32,
	METRIC_DROP_NOT_CONFIGURED = 32,     /* the map `config` is not filled yet */
	METRIC_DROP_NOT_IP = 33,             /* EtherType that is neither IPv4, IPv6 nor ARP */
	METRIC_DROP_VLAN = 34,               /* VLAN tag on a pod's frame */
	METRIC_DROP_MALFORMED = 35,          /* lengths or versions that contradict each other; truncated header */
	METRIC_DROP_EXTENSION_HEADERS = 36,  /* more IPv6 extension headers than are looked through */
	METRIC_DROP_FRAGMENT_UNKNOWN = 37,   /* fragment whose first fragment was not seen */
	METRIC_DROP_SOURCE_SPOOFED = 38,     /* source address is not one of the pod's link */
	METRIC_DROP_MAC_SPOOFED = 39,        /* source MAC is not the pod's */
	METRIC_DROP_ARP_SPOOFED = 40,        /* ARP that claims an address or MAC of somebody else */
	METRIC_DROP_ND_SPOOFED = 41,         /* router advertisement, redirect or foreign neighbour advertisement */
	METRIC_DROP_WRONG_MAC = 42,          /* unicast frame that is not addressed to the gateway */
	METRIC_DROP_LINK_LOCAL = 43,         /* link-local address beyond its link */
	METRIC_DROP_NO_ENDPOINT = 44,        /* pod address of this node that no pod has */
	METRIC_DROP_NO_ROUTE = 45,           /* in-cluster address that no node has */
	METRIC_DROP_TTL = 46,                /* hop limit used up where the stack cannot answer */
	METRIC_DROP_CT_FULL = 47,            /* conntrack map is full */
	METRIC_DROP_ICMP_UNRELATED = 48,     /* ICMP error about no known flow */
	METRIC_DROP_NODE_UNKNOWN = 49,       /* tunnel packet from an address that is no node's */
	METRIC_DROP_WRONG_VNI = 50,          /* tunnel packet of another network */
	METRIC_DROP_NOT_OF_NODE = 51,        /* inner source address does not belong to the sending node */
	METRIC_DROP_NO_TUNNEL_KEY = 52,      /* tunnel metadata is missing or could not be set */
	METRIC_DROP_NAT_FULL = 53,           /* NAT map is full */
	METRIC_DROP_NAT_NO_PORT = 54,        /* no free port in the bounded number of tries */
	METRIC_DROP_NAT_PROTOCOL = 55,       /* protocol that cannot be masqueraded */
	METRIC_DROP_ROUTER_REDIRECT = 56,    /* ICMP redirect of the node's own stack: no event */
	METRIC_DROP_REWRITE = 57,            /* the kernel refused to change the packet */
	METRIC_DROP_POLICY = 58,             /* denied by policy */
	METRIC_DROP_TUNNEL_SPOOFED = 59,     /* a pod's packet that another node would take for this node's tunnel */
	METRIC_DROP_NO_BACKEND = 60,         /* service that nobody is behind; answered at once */
	METRIC_DROP_SERVICE_SOURCE = 61,     /* service that this client may not ask for (loadBalancerSourceRanges) */
	METRIC_DROP_SERVICE_FULL = 62,       /* no room in `service_flows` */
	METRIC_DROP_SERVICE_LOCAL = 63,      /* service whose traffic policy is Local, and nobody of this node is behind it */
	METRIC_DROP_SERVICE_CLASH = 64,      /* translated it would be a packet of another flow, or it is one of a translated flow */
	METRIC_DROP_SERVICE_FLOW = 65,       /* answer of a backend whose translation is gone */

	METRIC_COUNT = 96,
};

/* Which program speaks; also index of documentation's drawings. */
enum hook {
	HOOK_FROM_POD = 1,
	HOOK_FROM_HOST = 2,
	HOOK_FROM_TUNNEL = 3,
	HOOK_FROM_WIRE = 4,
	HOOK_TO_WIRE = 5,
};

/* Whose rules spoke. */
enum direction {
	DIRECTION_NONE = 0,
	DIRECTION_INGRESS = 1, /* those of who receives */
	DIRECTION_EGRESS = 2,  /* those of who sends */
};

enum endpoint_flag {
	/* Its link is the far end of the pair that limits it (shape.c): by that one's egress qdisc, which redirect_peer would bypass. */
	ENDPOINT_SHAPED = 1,
};

/* HASH endpoints: pods' addresses of this node. No entry: the link is closed for that address. */
struct endpoint_key {
	struct addr addr;
};

enum generation_of {
	GENERATION_ENDPOINTS = 0, /* `endpoints`: flows remember where their pods are */
	GENERATION_POLICY = 1,    /* `identities`, `policy_…`, classes of `endpoints`: flows remember their verdict */
	GENERATION_HOST_PORTS = 2, /* `host_ports`: 0 while nobody has any, so that nobody is looked for */
	GENERATION_COUNT = 3,
};

/*
 * ARRAY generation [GENERATION_COUNT]: another value after every change of what it stands for, written after it. Flows
 * remember under which one they looked. Writers need no agreement: any value not used before will do, except 0.
 * Of host ports nothing is remembered: there every value but 0 says that it is to be looked.
 */
struct generation {
	__u32 value;
	__u32 pad;
};

struct endpoint {
	__u32 ifindex; /* host end of the pod's veth */
	__u32 flags;   /* enum endpoint_flag */
	__u32 ingress_class; /* 0: closed */
	__u32 egress_class;
	__u8 mac[6]; /* pod's end */
	__u8 host_mac[6];
	__u32 pad;
};

enum ipcache_flag {
	IPCACHE_NO_MASQUERADE = 1, /* in-cluster, or excluded from masquerading by configuration */
	IPCACHE_LOCAL_NODE = 2,    /* address of this node: its router addresses, its node addresses */
	IPCACHE_REMOTE_NODE = 4,   /* address of another node */
	IPCACHE_POD_CIDR = 8,      /* pod CIDR of a node; this node's own when `tunnel` is zero */
};

/* LPM_TRIE ipcache: what is known about prefixes. */
struct ipcache_key {
	__u32 prefix_bits; /* 0 … 128; IPv4 prefixes lie in ::ffff:0:0/96 */
	struct addr addr;
};

struct ipcache_entry {
	__u32 flags;        /* enum ipcache_flag */
	__u32 node_id;      /* node that may send from it; 0: none */
	struct addr tunnel; /* where its packets are sent to; zero: nowhere */
};

/*
 * LPM_TRIE identities: which addresses policy cannot tell apart. A bank is one agent's numbering: its successor writes
 * another one and then makes endpoints change over, each by one write, since a class names the bank of its peers.
 */
struct identity_key {
	__u32 prefix_bits; /* 32 + (0 … 128) */
	__u32 bank;
	struct addr addr;
};

struct identity_entry {
	__u32 identity;
	__u32 pad;
};

/*
 * HASH hosts: what policy says of the node itself. No entry: nobody speaks of it. Packets between the node and the wire ask the
 * entry of their device, all others, and where a device has none, the one of 0.
 */
struct host_key {
	__u32 ifindex;
	__u32 pad;
};

struct host_entry {
	__u32 ingress_class; /* 0: closed */
	__u32 egress_class;
};

/* HASH policy_classes: the rules of one direction that endpoints share. A class that is not here is closed. */
struct policy_class_key {
	__u32 number;
	__u32 pad;
};

struct policy_class {
	__u32 set4; /* answers to IPv4 peers without an entry in `policy_peers`; 0: closed */
	__u32 set6;
	__u32 bank;
	__u32 pad;
};

/* HASH policy_peers: answers of a class that are not its own default. */
struct policy_peer_key {
	__u32 number; /* of the class */
	__u32 identity;
};

struct policy_peer {
	__u32 set;
	__u32 pad;
};

/* LPM_TRIE policy_sets: the answer over all protocols and ports. What is not here is denied. */
struct policy_set_key {
	__u32 prefix_bits; /* 32: any protocol; 48: any port of it; 48 + n: n leading bits of the port */
	__u32 set;
	__u8 protocol;
	__u8 pad;
	__be16 port; /* destination port of TCP, UDP, UDP-Lite, SCTP; ICMP of the family: type << 8 | code; others 0 */
};

enum policy_flag {
	POLICY_ALLOWED = 1,
	POLICY_STAGED = 2,         /* staged policies would decide otherwise */
	POLICY_STAGED_ALLOWED = 4, /* … and allow */
};

struct policy_verdict {
	__u32 rule;        /* that decided; 0: none did */
	__u32 log_rule;    /* first rule on the way that logs; 0: none */
	__u32 staged_rule; /* valid with POLICY_STAGED */
	__u32 flags;       /* enum policy_flag */
};

/*
 * PERCPU_HASH policy_hits: how often a rule decided, for new flows, flows judged again and every denied packet. What staged
 * policies would have decided counts for their rule with STAGED_HIT in it.
 */
struct policy_hit_key {
	__u32 rule;
	__u32 pad;
};

enum hit_flag {
	STAGED_HIT = 0x40000000, /* rule numbers are smaller */
};

/* HASH nodes: outer source addresses that tunnel packets may come from. */
struct node_key {
	struct addr tunnel;
};

struct node {
	__u32 node_id; /* not 0 */
	__u32 flags;   /* none yet: 0 */
};

enum config_flag {
	CONFIG_MASQUERADE4 = 1, /* needs node4 */
	CONFIG_MASQUERADE6 = 2, /* needs node6 */
	CONFIG_NO_SHORTCUT = 4, /* all tunnel packets pass the VXLAN device, as where a firewall wants to see them */
	CONFIG_REJECT = 8,      /* answer what policy denies: TCP RST, ICMP administratively prohibited */
	CONFIG_HOST_POLICY = 16, /* `hosts` has something to say of what the node itself exchanges with the wire */
	CONFIG_TRACKED = 32,     /* the node's firewall follows connections: what passes it one way has to come back by it */
	CONFIG_SERVICES = 64,    /* `services` has something to say */
};

/* ARRAY config [1]. */
struct config {
	struct addr node4; /* masquerade to, and accept replies at; zero: none */
	struct addr node6;
	struct addr router4; /* addresses of twill0; zero: none */
	struct addr router6;
	/*
	 * Differs whenever ipcache, nodes or this structure differ from before (a counter or a hash of their contents):
	 * flows look their way up anew when it is not the one they found it under. Write it last.
	 */
	__u32 revision;
	__u32 flags;          /* enum config_flag */
	__u32 twill0_ifindex; /* not 0: programs drop everything before */
	__u32 twill1_ifindex;
	__u32 tunnel_ifindex; /* 0: no tunnel */
	__u32 tunnel_vni;
	__u32 tunnel_mtu;  /* largest inner IP packet, bytes */
	__u16 tunnel_port; /* UDP, host order */
	__u16 nat_port_min; /* inclusive */
	__u16 nat_port_max; /* inclusive */
	__u16 pad[7];
};

enum ct_flag {
	CT_ORIGIN_HIGH = 1, /* the side that sorts higher began the flow */
	CT_VIA_STACK = 2,   /* begun by a packet of the node's stack: replies go back there (DNAT of others is undone) */
	CT_PICKED_UP = 4,   /* TCP flow first seen in its middle */
	CT_TUNNEL = 8,      /* `tunnel` holds the other node's address, valid under `revision` */
	CT_STACK = 16,      /* the other side is reached through the stack, valid under `revision` */
	CT_HOST = 32,       /* between the node itself and the wire */
	CT_SERVICE = 64,    /* its origin asked for a service: `service_flows` has both directions */
	CT_OWN_SOURCE = 128, /* with CT_SERVICE: the source is one of the node's own, put there in place of the client's */
};

/* HASH ct_tcp and ct_other: one entry per flow, whichever way its packets go. */
struct ct_key {
	struct addr low; /* the side that sorts lower, see ct_make_key */
	struct addr high;
	/*
	 * ICMP queries: the identifier at who asks, the question's type << 8 | code at who answers (other messages: 0 and their
	 * own type and code). Protocols without ports: 0.
	 */
	__be16 low_port;
	__be16 high_port;
	__u8 protocol;
	__u8 pad[3];
};

/*
 * A flow's side that is a pod of this node, as `endpoints` had it under that generation. Two words, each written at once:
 * an index never stands beside the generation of another.
 */
struct ct_side {
	__u32 ifindex; /* 0: not known */
	__u32 generation;
	__u8 mac[6];
	__u16 flags; /* enum endpoint_flag */
};

struct ct_entry {
	__u32 last_seen; /* tick; written at most once a tick */
	__u32 created;   /* tick */
	__u32 revision;  /* config.revision of the way */
	__u32 judged;    /* generation[GENERATION_POLICY] of the verdict; 0: none yet */
	__u32 origin_identity; /* in the bank of the class that was asked about it; 0: none was */
	__u32 reply_identity;
	__u16 flags;       /* enum ct_flag */
	__u8 origin_seen;  /* TCP: all flags seen from the origin (FIN 1, SYN 2, RST 4, ACK 16). Others: 16 when seen */
	__u8 reply_seen;   /* same, from the other side */
	__u16 own_slow_in; /* packets that from_wire left to the VXLAN device, and those that came out of it */
	__u16 own_slow_out;
	__u32 own_slow_tick; /* of the last of them */
	__u32 egress_rule;   /* rule that allowed the origin's side to send; 0: none had to */
	__u32 ingress_rule;  /* rule that allowed the other side to receive; 0: none had to */
	__be16 asked;        /* port of the question, as in `policy_sets` */
	__u16 pad;
	struct addr tunnel;
	struct ct_side own_low;
	struct ct_side own_high;
};

enum nat_direction {
	NAT_OUT = 0, /* pod → outside: value is the node's address and the allocated port */
	NAT_IN = 1,  /* outside → node: value is the pod's address and port */
};

/* HASH nat: two entries per masqueraded flow. They live as long as the flow's conntrack entry. */
struct nat_key {
	struct addr src;
	struct addr dst;
	__be16 src_port; /* ICMP echo: identifier in the inside's or node's port, 0 in the outside's */
	__be16 dst_port;
	__u8 protocol;
	__u8 direction; /* enum nat_direction */
	__u16 pad;
};

enum nat_flag {
	NAT_VIA_STACK = 1, /* the stack has put the destination there: what policy said of another one is not enough */
};

struct nat_entry {
	struct addr addr;
	__be16 port;
	__u16 flags; /* enum nat_flag */
	__u32 created; /* tick */
};

/* LRU_HASH frags: ports of a fragmented datagram, for its later fragments. */
struct frag_key {
	struct addr src;
	struct addr dst;
	__be32 id;
	__u8 protocol;
	__u8 pad[3];
};

struct frag_entry {
	__be16 src_port;
	__be16 dst_port;
	__u32 created; /* tick */
};

/* PERCPU_ARRAY metrics [METRIC_COUNT]. */
struct metric_value {
	__u64 packets;
	__u64 bytes;
};

/* PERCPU_ARRAY scratch [1]: what has no room on a program's stack: answers to denied packets, and how many were; translations. */
struct scratch {
	__u32 tick;
	__u32 answers; /* in that tick */
	__u8 own_translation[312]; /* struct translation of lib/translate.h */
	__u8 pad[2];       /* so that an IP header in the frame is aligned */
	__u8 own_frame[1606]; /* 1294 are used; the verifier wants room for three times 512 behind the headers */
};

/* RINGBUF events: each drop, and each verdict that is logged or that staged policies would turn around. */
struct event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 reason;  /* enum metric */
	__u32 ifindex; /* device the packet came in by */
	struct addr src; /* zero where the packet was not parsed that far */
	struct addr dst;
	__be16 src_port; /* ICMP: type << 8 | code */
	__be16 dst_port; /* ICMP: the identifier; 0: none */
	__u8 protocol;
	__u8 hook; /* enum hook */
	__u8 tcp_flags;
	__u8 family; /* 4 or 6; 0 where not parsed */
	__u32 bytes;
	__u16 ether_type; /* host order */
	__u8 direction;   /* enum direction: of the rules that spoke; policy only, like all that follows */
	__u8 is_allowed;  /* the verdict; of METRIC_POLICY_STAGED the one that staged policies would give */
	__u32 rule;
	__u32 src_identity; /* 0: nobody asked */
	__u32 dst_identity;
	__u32 bank; /* what the identities are numbers of */
};

_Static_assert(sizeof(struct endpoint) == 32, "endpoint");
_Static_assert(sizeof(struct ipcache_key) == 20, "ipcache_key");
_Static_assert(sizeof(struct ipcache_entry) == 24, "ipcache_entry");
_Static_assert(sizeof(struct identity_key) == 24, "identity_key");
_Static_assert(sizeof(struct policy_set_key) == 12, "policy_set_key");
_Static_assert(sizeof(struct config) == 112, "config");
_Static_assert(sizeof(struct ct_key) == 40, "ct_key");
_Static_assert(sizeof(struct ct_entry) == 96, "ct_entry");
_Static_assert(sizeof(struct nat_key) == 40, "nat_key");
_Static_assert(sizeof(struct nat_entry) == 24, "nat_entry");
_Static_assert(sizeof(struct frag_key) == 40, "frag_key");
_Static_assert(sizeof(struct scratch) == 1928, "scratch");
_Static_assert(sizeof(struct event) == 80, "event");

#endif
