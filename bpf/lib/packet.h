// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* What is known of a packet once it is read (lib/read.h), and what follows from it. */
#ifndef TWILL_PACKET_H
#define TWILL_PACKET_H

#include "addr.h"

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#define PROTOCOL_SCTP 132
#define PROTOCOL_UDPLITE 136

/* <linux/icmp.h> and <linux/if_arp.h> drag the C library in. */
#define ICMP_ECHOREPLY 0
#define ICMP_DEST_UNREACH 3
#define ICMP_SOURCE_QUENCH 4
#define ICMP_REDIRECT 5
#define ICMP_ECHO 8
#define ICMP_TIME_EXCEEDED 11
#define ICMP_PARAMETERPROB 12
#define ICMP_TIMESTAMP 13
#define ICMP_ADDRESSREPLY 18
#define ICMP_EXT_ECHO 42
#define ICMP_EXT_ECHOREPLY 43
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY 129
#define ND_ROUTER_SOLICITATION 133
#define ND_ROUTER_ADVERTISEMENT 134
#define ND_NEIGHBOUR_SOLICITATION 135
#define ND_NEIGHBOUR_ADVERTISEMENT 136
#define ND_REDIRECT 137
#define ICMPV6_NI_QUERY 139
#define ICMPV6_NI_REPLY 140
#define ICMPV6_EXT_ECHO_REQUEST 160
#define ICMPV6_EXT_ECHO_REPLY 161
#define ARPHRD_ETHER 1
#define ARPOP_REQUEST 1
#define ARPOP_REPLY 2

#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4
#define TCP_ACK 16

enum fragment {
	FRAGMENT_NONE = 0,
	FRAGMENT_FIRST = 1,
	FRAGMENT_LATER = 2, /* has no transport header */
};

struct packet {
	struct addr src;
	struct addr dst;
	union {
		struct {
			/*
			 * ICMP queries: who asks has the identifier, who answers the question's type << 8 | code. So each
			 * question is a flow of its own, and two sides that ask each other under one identifier are two.
			 */
			__be16 src_port;
			__be16 dst_port;
		};
		__u32 ports; /* both at once, as they lie in the packet */
	};
	__u8 protocol;
	__u8 family; /* 4 or 6; 0: not read */
	__u8 tcp_flags;
	__u8 hop_limit;
	__be32 fragment_id;
	__u8 fragment; /* enum fragment */
	__u8 is_icmp;  /* ICMP or ICMPv6 of the packet's own family, with a header */
	__u8 is_error; /* ICMP error: has a packet inside */
	__u8 is_echo;
	__u8 icmp_type;
	__u8 icmp_code;
	__u16 l4;        /* offset of the transport header in the frame */
	__u16 headers;   /* bytes of IP and transport header */
	__u8 is_question; /* ICMP query that is answered by one with is_answer, which has the same identifier */
	__u8 is_answer;
} __attribute__((aligned(8)));

/* ICMP of the packet's own family, as far as later fragments tell. */
INLINE bool is_icmp_protocol(const struct packet *p)
{
	return p->protocol == (p->family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* What reading gives when the fast reader leaves a packet to the slow one; never seen outside. */
#define READ_SLOWLY 255

/* Multicast of both families, and IPv4's limited broadcast. */
INLINE bool is_multicast(const struct packet *p)
{
	if (p->family == 6)
		return (p->dst.w[0] & bpf_htonl(0xff000000)) == bpf_htonl(0xff000000);
	return (p->dst.w[3] & bpf_htonl(0xf0000000)) == bpf_htonl(0xe0000000) || p->dst.w[3] == 0xffffffff;
}

INLINE bool is_link_local6(const struct packet *p, const struct addr *a)
{
	return p->family == 6 && (a->w[0] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000);
}

INLINE bool is_neighbour_discovery(const struct packet *p)
{
	return p->family == 6 && p->is_icmp && p->icmp_type >= ND_ROUTER_SOLICITATION && p->icmp_type <= ND_REDIRECT;
}

INLINE bool is_redirect(const struct packet *p)
{
	return p->is_icmp && p->icmp_type == (p->family == 4 ? ICMP_REDIRECT : ND_REDIRECT);
}

#endif
