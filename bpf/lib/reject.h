// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Answers to what policy denies, where CONFIG_REJECT asks for them, and to what asks for a service that nobody is behind: TCP
 * gets a reset, everything else an ICMP error. Built beside the packet, which is then cut to its length and overwritten, and
 * sent back the way it came.
 */
#ifndef TWILL_REJECT_H
#define TWILL_REJECT_H

#include "forward.h"

/* Answers of one CPU in one tick: enough for who waits for them, too few to be of use to a flood. */
#define ANSWERS_PER_TICK 256

#define CODE_PROHIBITED4 13 /* of ICMP_DEST_UNREACH; RFC 1812 section 5.2.7.1 */
#define CODE_NO_PORT4 3     /* RFC 792 */
#define CODE_TOO_BIG4 4     /* RFC 1191 section 4 */
#define ICMPV6_DEST_UNREACH 1
#define ICMPV6_TOO_BIG 2
#define CODE_PROHIBITED6 1 /* RFC 4443 section 3.1 */
#define CODE_NO_PORT6 4

/* What is the matter with a packet. */
enum answer {
	ANSWER_PROHIBITED = 0, /* a reset, or "communication administratively prohibited" */
	ANSWER_NO_PORT = 1,    /* a reset, or "port unreachable" */
	ANSWER_TOO_BIG = 2,    /* "fragmentation needed", "packet too big": larger than the tunnel takes */
};

/* Bytes of the denied packet that an error quotes, so that it is no larger than 576 (RFC 1812 4.3.2.3), 1280 (RFC 4443 2.4). */
#define QUOTED4 548
#define QUOTED6 1232

#define TRAFFIC_CLASS 0xc0 /* of errors: internetwork control (RFC 1812 section 4.3.2.5) */

/* RFC 1071: a sum of words as the checksum that it makes. */
INLINE __u16 checksum_of(__s64 sum)
{
	__u32 s = ((__u32)sum & 0xffff) + ((__u32)sum >> 16);

	return ~((s & 0xffff) + (s >> 16));
}

/* Bytes of the IP packet, as it says itself; segments that are still in one are all of them. */
INLINE __u32 length_of(struct __sk_buff *skb, const struct packet *p)
{
	__be16 length = 0;

	if (bpf_skb_load_bytes(skb, ETH_HLEN + (p->family == 4 ? 2 : 4), &length, 2))
		return 0;
	if (!length)
		return skb->len - ETH_HLEN;
	return bpf_ntohs(length) + (p->family == 4 ? 0 : sizeof(struct ipv6hdr));
}

/* The IP header of an answer. */
INLINE void write_ip(struct scratch *s, const struct addr *from, const struct packet *p, __u8 protocol, __u32 payload)
{
	__u8 tos = protocol == IPPROTO_TCP ? 0 : TRAFFIC_CLASS;

	if (p->family == 4) {
		struct iphdr *ip = (void *)&s->own_frame[ETH_HLEN];

		*(__u8 *)ip = 0x45;
		ip->tos = tos;
		ip->tot_len = bpf_htons(sizeof(*ip) + payload);
		ip->id = 0;
		ip->frag_off = bpf_htons(0x4000); /* so small that nothing has to cut it up */
		ip->ttl = 64;
		ip->protocol = protocol;
		ip->check = 0;
		ip->saddr = from->w[3];
		ip->daddr = p->src.w[3];
		ip->check = checksum_of(bpf_csum_diff(NULL, 0, (__be32 *)ip, sizeof(*ip), 0));
	} else {
		struct ipv6hdr *ip = (void *)&s->own_frame[ETH_HLEN];

		*(__be32 *)ip = bpf_htonl(0x60000000 | tos << 20);
		ip->payload_len = bpf_htons(payload);
		ip->nexthdr = protocol;
		ip->hop_limit = 64;
		__builtin_memcpy(&ip->saddr, from->w, 16);
		__builtin_memcpy(&ip->daddr, p->src.w, 16);
	}
}

/* The sum over the pseudo header of an answer (RFC 9293 section 3.1, RFC 8200 section 8.1). */
INLINE __s64 pseudo_sum(const struct addr *from, const struct packet *p, __u8 protocol, __u32 payload)
{
	struct {
		__be32 length, protocol;
	} rest = { bpf_htonl(payload), bpf_htonl(protocol) };
	__s64 sum = bpf_csum_diff(NULL, 0, (__be32 *)&rest, sizeof(rest), 0);

	if (p->family == 4) {
		sum = bpf_csum_diff(NULL, 0, (__be32 *)&from->w[3], 4, sum);
		return bpf_csum_diff(NULL, 0, (__be32 *)&p->src.w[3], 4, sum);
	}
	sum = bpf_csum_diff(NULL, 0, (__be32 *)from->w, 16, sum);
	return bpf_csum_diff(NULL, 0, (__be32 *)p->src.w, 16, sum);
}

/* RFC 9293 section 3.10.7.1, what a closed port answers. The frame's length; 0: no answer. */
INLINE __u32 write_reset(struct __sk_buff *skb, const struct packet *p, struct scratch *s)
{
	__u32 header = p->family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr);
	struct tcphdr *tcp = p->family == 4 ? (void *)&s->own_frame[ETH_HLEN + sizeof(struct iphdr)]
					    : (void *)&s->own_frame[ETH_HLEN + sizeof(struct ipv6hdr)];
	__be32 numbers[2];
	__u32 length = length_of(skb, p);

	if (length < p->headers || bpf_skb_load_bytes(skb, p->l4 + 4, numbers, sizeof(numbers)))
		return 0;
	write_ip(s, &p->dst, p, IPPROTO_TCP, sizeof(*tcp));
	__builtin_memset(tcp, 0, sizeof(*tcp));
	tcp->source = p->dst_port;
	tcp->dest = p->src_port;
	((__u8 *)tcp)[12] = sizeof(*tcp) / 4 << 4;
	if (p->tcp_flags & TCP_ACK) {
		tcp->seq = numbers[1];
		((__u8 *)tcp)[13] = TCP_RST;
	} else {
		/* What it counts in sequence numbers: its bytes, and its SYN and FIN. */
		length = length - p->headers + !!(p->tcp_flags & TCP_SYN) + !!(p->tcp_flags & TCP_FIN);
		tcp->ack_seq = bpf_htonl(bpf_ntohl(numbers[0]) + length);
		((__u8 *)tcp)[13] = TCP_RST | TCP_ACK;
	}
	tcp->check = checksum_of(bpf_csum_diff(NULL, 0, (__be32 *)tcp, sizeof(*tcp),
					       pseudo_sum(&p->dst, p, IPPROTO_TCP, sizeof(*tcp))));
	return ETH_HLEN + header + sizeof(*tcp);
}

/* The sum of an error's message of at most 1240 bytes; older kernels sum 512 at once. */
INLINE __s64 message_sum(const __u8 *message, __u32 bytes, __s64 sum)
{
	__u32 i;

#pragma unroll
	for (i = 0; i < 3; i++) {
		__u32 n = bytes > 512 ? 512 : bytes;

		if (!n)
			break;
		sum = bpf_csum_diff(NULL, 0, (__be32 *)(message + 512 * i), n, sum);
		bytes -= n;
	}
	return sum;
}

/* The first eight bytes of an error, its sum left out. */
INLINE void write_complaint(__u8 *message, const struct packet *p, const struct config *c, __u32 why)
{
	*(__u64 *)message = 0;
	if (p->family == 4) {
		message[0] = ICMP_DEST_UNREACH;
		message[1] = why == ANSWER_TOO_BIG ? CODE_TOO_BIG4 : why == ANSWER_NO_PORT ? CODE_NO_PORT4 : CODE_PROHIBITED4;
	} else {
		message[0] = why == ANSWER_TOO_BIG ? ICMPV6_TOO_BIG : ICMPV6_DEST_UNREACH;
		message[1] = why == ANSWER_TOO_BIG ? 0 : why == ANSWER_NO_PORT ? CODE_NO_PORT6 : CODE_PROHIBITED6;
	}
	/* 16 bits of it in IPv4, 32 in IPv6, which end at the same place. */
	if (why == ANSWER_TOO_BIG)
		*(__be32 *)&message[4] = bpf_htonl(c->tunnel_mtu & 0xffff);
}

/*
 * An ICMP error, from the gateway; who is beyond the wire hears it from whom the packet was for. The frame's length; 0: no
 * answer.
 */
INLINE __u32 write_error(struct __sk_buff *skb, const struct packet *p, const struct config *c, struct scratch *s,
			 __u32 hook, __u32 why)
{
	const struct addr *router = p->family == 4 ? &c->router4 : &c->router6;
	const struct addr *from = hook == HOOK_FROM_WIRE || addr_is_zero(router) ? &p->dst : router;
	__u32 quoted = length_of(skb, p);
	__u8 *message;

	if (p->family == 4) {
		message = &s->own_frame[ETH_HLEN + sizeof(struct iphdr)];
		quoted = quoted > QUOTED4 ? QUOTED4 : quoted & ~3;
	} else {
		message = &s->own_frame[ETH_HLEN + sizeof(struct ipv6hdr)];
		quoted = quoted > QUOTED6 ? QUOTED6 : quoted & ~3;
	}
	if (quoted < sizeof(struct iphdr) || bpf_skb_load_bytes(skb, ETH_HLEN, message + 8, quoted))
		return 0;
	write_complaint(message, p, c, why);
	if (p->family == 4) {
		*(__u16 *)&message[2] = checksum_of(message_sum(message, 8 + quoted, 0));
		write_ip(s, from, p, IPPROTO_ICMP, 8 + quoted);
		return ETH_HLEN + sizeof(struct iphdr) + 8 + quoted;
	}
	*(__u16 *)&message[2] =
		checksum_of(message_sum(message, 8 + quoted, pseudo_sum(from, p, IPPROTO_ICMPV6, 8 + quoted)));
	write_ip(s, from, p, IPPROTO_ICMPV6, 8 + quoted);
	return ETH_HLEN + sizeof(struct ipv6hdr) + 8 + quoted;
}

/*
 * Makes the packet so long, with nothing left of it that matters. A checksum that a device was to fill in (CHECKSUM_PARTIAL)
 * would be written into the answer: the kernel forgets of it when the place where it begins is cut off at the front. 0: done.
 */
INLINE int resize(struct __sk_buff *skb, const struct packet *p, __u32 bytes)
{
	__u32 cut = p->l4 + 2;

	return bpf_skb_change_tail(skb, ETH_HLEN + cut + sizeof(struct ipv6hdr), 0) ||
	       bpf_skb_adjust_room(skb, -(__s32)cut, BPF_ADJ_ROOM_MAC, 0) || bpf_skb_change_tail(skb, bytes, 0);
}

/* No error about an error, to nobody, about a part; no reset for a reset. What from_wire denies has no way back. */
INLINE bool may_answer(const struct packet *p, __u32 hook, __u32 why)
{
	return (hook != HOOK_FROM_WIRE || why != ANSWER_PROHIBITED) && !p->is_error && p->fragment != FRAGMENT_LATER &&
	       !(p->protocol == IPPROTO_TCP && p->tcp_flags & TCP_RST && why != ANSWER_TOO_BIG);
}

/* False: so many were answered in this tick that this one is not. */
INLINE bool take_turn(struct __sk_buff *skb, struct scratch *s)
{
	__u32 now = tick_now();

	if (s->tick != now) {
		s->tick = now;
		s->answers = 0;
	}
	if (s->answers >= ANSWERS_PER_TICK) {
		count(skb, METRIC_REJECT_LIMITED);
		return false;
	}
	s->answers++;
	return true;
}

/* The Ethernet header of an answer: back to who sent the frame, from the gateway or from whom it was for. 0: done. */
INLINE int write_macs(struct __sk_buff *skb, struct scratch *s, const struct packet *p, __u32 hook)
{
	__builtin_memset(&s->own_frame[0], 0xee, 12); /* the gateway's address, which is the stack's and the tunnel's, too */
	*(__be16 *)&s->own_frame[12] = p->family == 4 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6);
	if ((hook == HOOK_FROM_POD || hook == HOOK_FROM_WIRE) && bpf_skb_load_bytes(skb, 6, &s->own_frame[0], 6))
		return -1;
	return hook == HOOK_FROM_WIRE ? bpf_skb_load_bytes(skb, 0, &s->own_frame[6], 6) : 0;
}

/*
 * Answers a packet that is counted and told already. `outer`: the node that sent it through the tunnel; used with
 * HOOK_FROM_TUNNEL only. A verdict.
 */
static __noinline int answer(struct __sk_buff *skb, const struct packet *p, const struct addr *outer, __u32 hook, __u32 why)
{
	const struct config *c = get_config();
	__u32 zero = 0, bytes;
	struct scratch *s;

	if (!c || !may_answer(p, hook, why))
		return VERDICT_DROP;
	s = bpf_map_lookup_elem(&scratch, &zero);
	if (!s || !take_turn(skb, s) || write_macs(skb, s, p, hook))
		return VERDICT_DROP;
	bytes = p->protocol == IPPROTO_TCP && why != ANSWER_TOO_BIG ? write_reset(skb, p, s)
								    : write_error(skb, p, c, s, hook, why);
	if (bytes < ETH_HLEN || bytes > sizeof(s->own_frame) || resize(skb, p, bytes) ||
	    bpf_skb_store_bytes(skb, 0, s->own_frame, bytes, BPF_F_RECOMPUTE_CSUM))
		return VERDICT_DROP;
	if (hook == HOOK_FROM_TUNNEL && set_tunnel(skb, outer, c->tunnel_vni))
		return VERDICT_DROP;
	count(skb, METRIC_REJECTED);
	if (hook == HOOK_FROM_TUNNEL)
		return redirect(skb, c->tunnel_ifindex, 0);
	if (hook == HOOK_FROM_POD)
		return redirect(skb, skb->ifindex, 0);
	if (hook == HOOK_FROM_WIRE) {
		skb->mark = MARK_SERVED;
		return redirect(skb, skb->ifindex, 0);
	}
	return redirect(skb, c->twill0_ifindex, BPF_F_INGRESS);
}

/* Ends a packet that policy denies, which is counted and told already. */
static __noinline int deny(struct __sk_buff *skb, const struct packet *p, const struct addr *outer, __u32 hook)
{
	const struct config *c = get_config();

	return c && unlikely(c->flags & CONFIG_REJECT) ? answer(skb, p, outer, hook, ANSWER_PROHIBITED) : VERDICT_DROP;
}

/* Ends a packet. Nobody behind a service is said at once, whatever the configuration: clients try the next one. */
INLINE int refuse(struct __sk_buff *skb, const struct packet *p, __u32 reason, const struct addr *outer, __u32 hook)
{
	int verdict;

	if (reason == METRIC_DROP_POLICY)
		return deny(skb, p, outer, hook);
	verdict = drop(skb, p, reason, hook);
	return unlikely(reason == METRIC_DROP_NO_BACKEND) ? answer(skb, p, outer, hook, ANSWER_NO_PORT) : verdict;
}

#endif
