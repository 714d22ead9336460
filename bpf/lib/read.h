// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Reading a packet, once. Two readers give the same result: a fast one with constant offsets for what nearly every
 * packet looks like, and a slow one for IPv4 options, IPv6 extension headers, fragments, headers that are not in the
 * linear part of the buffer, and the packet inside an ICMP error.
 */
#ifndef TWILL_READ_H
#define TWILL_READ_H

#include "packet.h"

/* Extension headers that are looked through; RFC 8200 section 4.1 names seven kinds, of which one is IPsec's. */
#define MAX_EXTENSION_HEADERS 6

/*
 * The type of the question that an answer answers, and of a question its own; 0: neither (RFC 792, 950, 8335; RFC 4443,
 * 4620). All of them have an identifier, or what serves as one, in the same place.
 */
INLINE __u8 question_of(__u8 family, __u8 type)
{
	if (family == 4) {
		if (type == ICMP_ECHO || type == ICMP_ECHOREPLY)
			return ICMP_ECHO;
		if (type >= ICMP_TIMESTAMP && type <= ICMP_ADDRESSREPLY)
			return type - !(type & 1);
		return type == ICMP_EXT_ECHO || type == ICMP_EXT_ECHOREPLY ? ICMP_EXT_ECHO : 0;
	}
	if (type == ICMPV6_ECHO_REQUEST || type == ICMPV6_ECHO_REPLY)
		return ICMPV6_ECHO_REQUEST;
	if (type == ICMPV6_NI_QUERY || type == ICMPV6_NI_REPLY)
		return ICMPV6_NI_QUERY;
	return type == ICMPV6_EXT_ECHO_REQUEST || type == ICMPV6_EXT_ECHO_REPLY ? ICMPV6_EXT_ECHO_REQUEST : 0;
}

static __noinline void note_icmp(struct packet *p, __u8 type, __u8 code, __be16 id)
{
	__u8 question = question_of(p->family, type);

	p->is_icmp = 1;
	p->icmp_type = type;
	p->icmp_code = code;
	if (p->family == 4) {
		p->is_echo = type == ICMP_ECHO || type == ICMP_ECHOREPLY;
		p->is_error = type == ICMP_DEST_UNREACH || type == ICMP_SOURCE_QUENCH || type == ICMP_TIME_EXCEEDED ||
			      type == ICMP_PARAMETERPROB;
	} else {
		p->is_echo = type == ICMPV6_ECHO_REQUEST || type == ICMPV6_ECHO_REPLY;
		p->is_error = type < 128;
	}
	p->is_question = question && question == type;
	p->is_answer = question && question != type;
	if (p->is_answer) {
		/* The code is the question's where answers have none of their own. */
		p->src_port = bpf_htons(question << 8 | (p->is_echo || (p->family == 4 && type < ICMP_EXT_ECHO) ? code : 0));
		p->dst_port = id;
	} else if (!p->is_error) {
		p->src_port = p->is_question ? id : 0;
		p->dst_port = bpf_htons(type << 8 | code);
	}
}

/*
 * The transport header at p->l4, of which `available` bytes belong to the packet. The packet inside an ICMP error
 * may be cut after 8 bytes (RFC 792), which hold all that is wanted but TCP's flags.
 */
INLINE int read_transport(struct __sk_buff *skb, struct packet *p, __u32 available, bool is_inner)
{
	__u8 h[16] __attribute__((aligned(8)));
	__u32 header;

	switch (p->protocol) {
	case IPPROTO_TCP:
		header = is_inner ? 8 : sizeof(struct tcphdr);
		break;
	case PROTOCOL_SCTP:
		header = is_inner ? 8 : 12;
		break;
	case IPPROTO_UDP:
	case PROTOCOL_UDPLITE:
		header = sizeof(struct udphdr);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		header = 8;
		break;
	default:
		return 0;
	}
	if (available < header)
		return METRIC_DROP_MALFORMED;
	if (bpf_skb_load_bytes(skb, p->l4, h, 8))
		return METRIC_DROP_MALFORMED;
	if (p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6) {
		/* ICMP of the other family is an unknown protocol to its receiver: forwarded by address. */
		if ((p->protocol == IPPROTO_ICMP) == (p->family == 4))
			note_icmp(p, h[0], h[1], *(__be16 *)&h[4]);
	} else {
		p->src_port = *(__be16 *)&h[0];
		p->dst_port = *(__be16 *)&h[2];
	}
	if (p->protocol == IPPROTO_TCP && !is_inner) {
		if (bpf_skb_load_bytes(skb, p->l4 + 12, &h[8], 2))
			return METRIC_DROP_MALFORMED;
		header = (h[8] >> 4) * 4;
		if (header < sizeof(struct tcphdr) || header > available)
			return METRIC_DROP_MALFORMED;
		p->tcp_flags = h[9];
	}
	p->headers += header;
	return 0;
}

INLINE int read_slowly4(struct __sk_buff *skb, __u32 at, struct packet *p, bool is_inner)
{
	struct iphdr ip;
	__u32 total, header, offset;

	if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)))
		return METRIC_DROP_MALFORMED;
	header = ip.ihl * 4;
	total = bpf_ntohs(ip.tot_len);
	if (ip.version != 4 || header < sizeof(ip))
		return METRIC_DROP_MALFORMED;
	/* A length of 0 is what a segmentation offload of more than 64 KiB looks like before it is cut up. */
	if (total == 0 && skb->gso_size)
		total = skb->len - at;
	if (total < header || (!is_inner && total > skb->len - at))
		return METRIC_DROP_MALFORMED;
	p->family = 4;
	addr_set4(&p->src, ip.saddr);
	addr_set4(&p->dst, ip.daddr);
	p->protocol = ip.protocol;
	p->hop_limit = ip.ttl;
	p->l4 = at + header;
	p->headers = header;
	offset = bpf_ntohs(ip.frag_off) & 0x1fff;
	if (ip.frag_off & bpf_htons(0x3fff)) {
		p->fragment = offset ? FRAGMENT_LATER : FRAGMENT_FIRST;
		p->fragment_id = ip.id;
	}
	/* RFC 3128: a fragment that would overwrite the flags that the first one was judged by. */
	if (offset == 1 && ip.protocol == IPPROTO_TCP)
		return METRIC_DROP_MALFORMED;
	return offset ? 0 : read_transport(skb, p, total - header, is_inner);
}

/* Walks the extension headers; p->protocol ends as the first thing that is none. */
INLINE int skip_extension_headers(struct __sk_buff *skb, struct packet *p)
{
	__u32 at = p->l4;
	__u32 next = p->protocol;
	__u8 h[8] __attribute__((aligned(8)));
	int i;

	for (i = 0; i <= MAX_EXTENSION_HEADERS; i++) {
		__u32 length;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_FRAGMENT &&
		    next != IPPROTO_DSTOPTS && next != IPPROTO_AH) {
			p->protocol = next;
			p->l4 = at;
			return 0;
		}
		if (bpf_skb_load_bytes(skb, at, h, 8))
			return METRIC_DROP_MALFORMED;
		if (next == IPPROTO_FRAGMENT) {
			__u16 offset = bpf_ntohs(*(__be16 *)&h[2]);

			length = 8;
			/* Neither an offset nor more to come: an atomic fragment (RFC 6946) is a whole packet. */
			if (offset & 0xfff9) {
				p->fragment = offset & 0xfff8 ? FRAGMENT_LATER : FRAGMENT_FIRST;
				p->fragment_id = *(__be32 *)&h[4];
			}
			if (offset & 0xfff8) {
				p->protocol = h[0];
				p->l4 = at + 8;
				return 0;
			}
		} else if (next == IPPROTO_AH) {
			length = (h[1] + 2) * 4;
		} else {
			length = (h[1] + 1) * 8;
		}
		next = h[0];
		at += length;
	}
	return METRIC_DROP_EXTENSION_HEADERS;
}

INLINE int read_slowly6(struct __sk_buff *skb, __u32 at, struct packet *p, bool is_inner)
{
	struct ipv6hdr ip;
	__u32 end;
	int failed;

	if (bpf_skb_load_bytes(skb, at, &ip, sizeof(ip)))
		return METRIC_DROP_MALFORMED;
	end = at + sizeof(ip) + bpf_ntohs(ip.payload_len);
	if (ip.version != 6)
		return METRIC_DROP_MALFORMED;
	if (ip.payload_len == 0 && skb->gso_size)
		end = skb->len;
	if (!is_inner && end > skb->len)
		return METRIC_DROP_MALFORMED;
	p->family = 6;
	__builtin_memcpy(&p->src, &ip.saddr, 16);
	__builtin_memcpy(&p->dst, &ip.daddr, 16);
	p->protocol = ip.nexthdr;
	p->hop_limit = ip.hop_limit;
	p->l4 = at + sizeof(ip);
	failed = skip_extension_headers(skb, p);
	if (failed)
		return failed;
	if (p->l4 > end)
		return METRIC_DROP_MALFORMED;
	p->headers = p->l4 - at;
	return p->fragment == FRAGMENT_LATER ? 0 : read_transport(skb, p, end - p->l4, is_inner);
}

/* IPv4-mapped addresses on the wire are IPv4's in the maps: an IPv6 packet that carries one means mischief. */
INLINE bool has_mapped(const struct packet *p)
{
	return p->family == 6 && (is_mapped(&p->src) || is_mapped(&p->dst));
}

/* Reads the IP packet at an offset of the frame; 0 or the reason to drop it. `p` is zeroed by the caller. */
VERIFIED_ONCE int read_slowly(struct __sk_buff *skb, __u32 at, struct packet *p, int is_inner)
{
	__u8 version;
	int failed;

	at &= 0x1ff;
	if (!p || bpf_skb_load_bytes(skb, at, &version, 1))
		return METRIC_DROP_MALFORMED;
	failed = version >> 4 == 6 ? read_slowly6(skb, at, p, is_inner) : read_slowly4(skb, at, p, is_inner);
	return !failed && has_mapped(p) ? METRIC_DROP_MALFORMED : failed;
}

/* `skip` bytes of outer headers lie before the packet's own Ethernet header; offsets in `p` are as if they did not. */
INLINE int read_fast4(struct __sk_buff *skb, __u32 skip, struct packet *p)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	struct iphdr *ip = data + skip + ETH_HLEN;
	void *l4 = ip + 1;
	__u32 total;

	if ((void *)(ip + 1) + 8 > end || *(__u8 *)ip != 0x45 || ip->frag_off & bpf_htons(0x3fff))
		return READ_SLOWLY;
	total = bpf_ntohs(ip->tot_len);
	if (total < sizeof(*ip) + 8 || total > skb->len - skip - ETH_HLEN)
		return READ_SLOWLY;
	p->family = 4;
	addr_set4(&p->src, ip->saddr);
	addr_set4(&p->dst, ip->daddr);
	p->protocol = ip->protocol;
	p->hop_limit = ip->ttl;
	p->l4 = ETH_HLEN + sizeof(*ip);
	if (ip->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = l4;
		__u32 header;

		if ((void *)(tcp + 1) > end)
			return READ_SLOWLY;
		header = tcp->doff * 4;
		if (header < sizeof(*tcp) || sizeof(*ip) + header > total)
			return METRIC_DROP_MALFORMED;
		p->headers = sizeof(*ip) + header;
		p->tcp_flags = ((__u8 *)tcp)[13];
		p->ports = *(__u32 *)tcp;
		return 0;
	}
	if (ip->protocol == IPPROTO_UDP) {
		struct udphdr *udp = l4;

		p->headers = sizeof(*ip) + sizeof(*udp);
		p->ports = *(__u32 *)udp;
		return 0;
	}
	return READ_SLOWLY;
}

INLINE int read_fast6(struct __sk_buff *skb, __u32 skip, struct packet *p)
{
	void *data = (void *)(long)skb->data;
	void *end = (void *)(long)skb->data_end;
	struct ipv6hdr *ip = data + skip + ETH_HLEN;
	void *l4 = ip + 1;
	__u32 payload;

	if ((void *)(ip + 1) + 8 > end || *(__u8 *)ip >> 4 != 6)
		return READ_SLOWLY;
	payload = bpf_ntohs(ip->payload_len);
	if (payload < 8 || payload + sizeof(*ip) > skb->len - skip - ETH_HLEN)
		return READ_SLOWLY;
	p->family = 6;
	addr_set6(&p->src, &ip->saddr);
	addr_set6(&p->dst, &ip->daddr);
	p->protocol = ip->nexthdr;
	p->hop_limit = ip->hop_limit;
	p->l4 = ETH_HLEN + sizeof(*ip);
	if (has_mapped(p))
		return METRIC_DROP_MALFORMED;
	if (ip->nexthdr == IPPROTO_TCP) {
		struct tcphdr *tcp = l4;
		__u32 header;

		if ((void *)(tcp + 1) > end)
			return READ_SLOWLY;
		header = tcp->doff * 4;
		if (header < sizeof(*tcp) || header > payload)
			return METRIC_DROP_MALFORMED;
		p->headers = sizeof(*ip) + header;
		p->tcp_flags = ((__u8 *)tcp)[13];
		p->ports = *(__u32 *)tcp;
		return 0;
	}
	if (ip->nexthdr == IPPROTO_UDP) {
		struct udphdr *udp = l4;

		p->headers = sizeof(*ip) + sizeof(*udp);
		p->ports = *(__u32 *)udp;
		return 0;
	}
	return READ_SLOWLY;
}

/* Reads the frame's packet into a zeroed structure; 0 or the reason to drop it. */
INLINE int read_packet(struct __sk_buff *skb, struct packet *p)
{
	int result;

	if (skb->protocol == bpf_htons(ETH_P_IP))
		result = read_fast4(skb, 0, p);
	else if (skb->protocol == bpf_htons(ETH_P_IPV6))
		result = read_fast6(skb, 0, p);
	else
		return METRIC_DROP_NOT_IP;
	if (likely(result != READ_SLOWLY))
		return result;
	result = read_slowly(skb, ETH_HLEN, p, false);
	/* The EtherType decides who will read it next: it has to say the same as the packet's own version. */
	if (!result && (p->family == 4) != (skb->protocol == bpf_htons(ETH_P_IP)))
		return METRIC_DROP_MALFORMED;
	return result;
}

#endif
