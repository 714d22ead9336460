// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * The gateway's part of ARP (RFC 826) and neighbour discovery (RFC 4861). Pods have a permanent neighbour entry and
 * do not ask; who flushed it, or brought a network manager along, gets an answer here.
 */
#ifndef TWILL_NEIGHBOUR_H
#define TWILL_NEIGHBOUR_H

#include "forward.h"

#define GATEWAY4 bpf_htonl(0xa9fe0101) /* 169.254.1.1 */
#define LOOPBACK4 bpf_htonl(0x7f000000) /* 127.0.0.0/8 */

struct arp {
	__be16 hardware, protocol;
	__u8 hardware_bytes, protocol_bytes;
	__be16 operation;
	__u8 sender_mac[6];
	__u8 sender[4];
	__u8 target_mac[6];
	__u8 target[4];
} __attribute__((packed));

INLINE bool is_gateway6(const struct addr *a)
{
	return a->w[0] == bpf_htonl(0xfe800000) && a->w[1] == 0 && a->w[2] == 0 && a->w[3] == bpf_htonl(1);
}

INLINE bool mac_equal(const __u8 *a, const __u8 *b)
{
	/* Two bytes at a time: in a frame that was copied to the stack nothing is better aligned. */
	return *(const __u16 *)&a[0] == *(const __u16 *)&b[0] && *(const __u16 *)&a[2] == *(const __u16 *)&b[2] &&
	       *(const __u16 *)&a[4] == *(const __u16 *)&b[4];
}

INLINE void gateway_mac(__u8 *mac)
{
	__builtin_memset(mac, 0xee, 6);
}

/* Whoever claims an address or MAC in ARP must own it; a request for the gateway is answered, the rest is nobody's. */
static __noinline int answer_arp(struct __sk_buff *skb, struct packet *p)
{
	struct {
		struct ethhdr eth;
		struct arp arp;
	} __attribute__((packed, aligned(2))) f;
	__u8 asker_mac[6], asker[4];
	const struct endpoint *e;
	__be32 target;

	if (bpf_skb_load_bytes(skb, 0, &f, sizeof(f)) || f.arp.hardware != bpf_htons(ARPHRD_ETHER) ||
	    f.arp.protocol != bpf_htons(ETH_P_IP) || f.arp.hardware_bytes != 6 || f.arp.protocol_bytes != 4)
		return drop(skb, p, METRIC_DROP_MALFORMED, HOOK_FROM_POD);
	__builtin_memcpy(&target, f.arp.sender, 4);
	addr_set4(&p->src, target);
	__builtin_memcpy(&target, f.arp.target, 4);
	addr_set4(&p->dst, target);
	if (f.arp.operation == bpf_htons(ARPOP_REQUEST) && p->src.w[3] == 0)
		return drop(skb, p, METRIC_IGNORED_ARP, HOOK_FROM_POD); /* RFC 5227 probe: claims nothing */
	e = bpf_map_lookup_elem(&endpoints, &p->src);
	if (!e || e->ifindex != skb->ifindex || !mac_equal(e->mac, f.arp.sender_mac) ||
	    !mac_equal(e->mac, f.eth.h_source))
		return drop(skb, p, METRIC_DROP_ARP_SPOOFED, HOOK_FROM_POD);
	if (f.arp.operation != bpf_htons(ARPOP_REQUEST) || target != GATEWAY4)
		return drop(skb, p, METRIC_IGNORED_ARP, HOOK_FROM_POD);
	__builtin_memcpy(asker_mac, f.arp.sender_mac, 6);
	__builtin_memcpy(asker, f.arp.sender, 4);
	__builtin_memcpy(f.arp.sender, f.arp.target, 4);
	__builtin_memcpy(f.arp.target, asker, 4);
	__builtin_memcpy(f.arp.target_mac, asker_mac, 6);
	__builtin_memcpy(f.eth.h_dest, asker_mac, 6);
	gateway_mac(f.arp.sender_mac);
	gateway_mac(f.eth.h_source);
	f.arp.operation = bpf_htons(ARPOP_REPLY);
	if (bpf_skb_store_bytes(skb, 0, &f, sizeof(f), 0))
		return drop(skb, p, METRIC_DROP_REWRITE, HOOK_FROM_POD);
	count(skb, METRIC_ANSWER_ARP);
	return redirect(skb, skb->ifindex, 0);
}

struct advertisement {
	__u8 type, code;
	__be16 sum;
	__be32 flags;
	struct addr target;
	__u8 option, option_length;
	__u8 mac[6];
} __attribute__((packed, aligned(4)));

/* The gateway's neighbour advertisement, written over the solicitation. */
INLINE int advertise(struct __sk_buff *skb, struct packet *p, const struct addr *target)
{
	struct {
		struct ethhdr eth;
		struct ipv6hdr ip;
	} __attribute__((packed, aligned(2))) head;
	struct advertisement na __attribute__((aligned(8))) = {};
	struct {
		struct addr src, dst;
		__be32 length, next;
	} pseudo __attribute__((aligned(8))) = {};
	__s64 sum;

	na.type = ND_NEIGHBOUR_ADVERTISEMENT;
	na.flags = bpf_htonl(0xe0000000); /* router, solicited, override */
	na.target = *target;
	na.option = 2; /* target link-layer address */
	na.option_length = 1;
	gateway_mac(na.mac);
	pseudo.src = *target;
	pseudo.dst = p->src;
	pseudo.length = bpf_htonl(sizeof(na));
	pseudo.next = bpf_htonl(IPPROTO_ICMPV6);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&pseudo, sizeof(pseudo), 0);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&na, sizeof(na), sum);
	sum = (sum & 0xffff) + ((__u32)sum >> 16);
	sum = (sum & 0xffff) + ((__u32)sum >> 16);
	na.sum = ~sum;
	if (bpf_skb_change_tail(skb, sizeof(head) + sizeof(na), 0) || bpf_skb_load_bytes(skb, 0, &head, sizeof(head)))
		return -1;
	__builtin_memcpy(head.eth.h_dest, head.eth.h_source, 6);
	gateway_mac(head.eth.h_source);
	head.ip.payload_len = bpf_htons(sizeof(na));
	head.ip.hop_limit = 255;
	__builtin_memcpy(&head.ip.saddr, target, 16);
	__builtin_memcpy(&head.ip.daddr, &p->src, 16);
	return bpf_skb_store_bytes(skb, 0, &head, sizeof(head), 0) ||
	       bpf_skb_store_bytes(skb, sizeof(head), &na, sizeof(na), 0);
}

INLINE bool owns(const struct addr *a, __u32 ifindex)
{
	const struct endpoint *e = bpf_map_lookup_elem(&endpoints, a);

	return e && e->ifindex == ifindex;
}

/*
 * Neighbour discovery of a pod. It ends here, whatever it is: none of it may cross a router (RFC 4861 section 6.1, 7.1).
 * A pod may ask for its gateway and speak of its own addresses; router advertisements and redirects are a router's.
 */
static __noinline int answer_nd(struct __sk_buff *skb, struct packet *p)
{
	struct addr target __attribute__((aligned(8)));

	if (p->icmp_type == ND_ROUTER_SOLICITATION) /* there is none to find */
		return drop(skb, p, METRIC_IGNORED_ND, HOOK_FROM_POD);
	if (p->icmp_type == ND_ROUTER_ADVERTISEMENT || p->icmp_type == ND_REDIRECT)
		return drop(skb, p, METRIC_DROP_ND_SPOOFED, HOOK_FROM_POD);
	if (p->l4 != ETH_HLEN + sizeof(struct ipv6hdr) || p->hop_limit != 255 || p->icmp_code != 0 ||
	    bpf_skb_load_bytes(skb, p->l4 + 8, &target, 16))
		return drop(skb, p, METRIC_DROP_MALFORMED, HOOK_FROM_POD);
	/* An address that is of no pod here cannot be taken from anybody: link-local ones are each pod's own affair. */
	if (!is_link_local6(p, &p->src) && !addr_is_zero(&p->src) && !owns(&p->src, skb->ifindex))
		return drop(skb, p, METRIC_DROP_ND_SPOOFED, HOOK_FROM_POD);
	if (p->icmp_type == ND_NEIGHBOUR_ADVERTISEMENT) {
		bool is_own = owns(&target, skb->ifindex) || (is_link_local6(p, &target) && !is_gateway6(&target));

		return drop(skb, p, is_own ? METRIC_IGNORED_ND : METRIC_DROP_ND_SPOOFED, HOOK_FROM_POD);
	}
	/* A solicitation without a source asks whether an address is taken (RFC 4862): the silence says that it is not. */
	if (!is_gateway6(&target) || addr_is_zero(&p->src))
		return drop(skb, p, METRIC_IGNORED_ND, HOOK_FROM_POD);
	if (advertise(skb, p, &target))
		return drop(skb, p, METRIC_DROP_REWRITE, HOOK_FROM_POD);
	count(skb, METRIC_ANSWER_ND);
	return redirect(skb, skb->ifindex, 0);
}

#endif
