// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Masquerading: a pod's packet to the outside leaves with the node's address and a port of the node's own range.
 *
 *   NAT_OUT  pod:port → remote:port     ⇒  node address, allocated port
 *   NAT_IN   remote:port → node:port    ⇒  pod's address and port
 *
 * An allocated port is unique towards one remote address and port only, so that 20,000 ports serve each of them.
 */
#ifndef TWILL_NAT_H
#define TWILL_NAT_H

#include "forward.h"
#include "service-maps.h"

/* At 90 percent of a range in use one allocation in 30 fails after so many tries; it is counted. */
#define NAT_TRIES 32

#define PROTOCOL_GRE 47
#define PROTOCOL_ESP 50

INLINE bool has_nat_port(const struct packet *p)
{
	return p->protocol == IPPROTO_TCP || p->protocol == IPPROTO_UDP || p->is_echo;
}

/* ICMP that no translation is for: only echoes are translated, questions on the way out and answers on the way in. */
INLINE bool is_other_icmp(const struct packet *p, bool is_out)
{
	return p->is_icmp && !p->is_error && !(p->is_echo && (is_out ? p->is_question : p->is_answer));
}

/*
 * Protocols whose checksum covers no addresses can have their source changed without being understood; they keep their
 * ports (SCTP), or have none.
 */
INLINE bool is_nat_by_address(const struct packet *p)
{
	return p->protocol == PROTOCOL_SCTP || p->protocol == PROTOCOL_GRE || p->protocol == PROTOCOL_ESP ||
	       p->protocol == IPPROTO_IPIP || p->protocol == IPPROTO_IPV6;
}

INLINE void nat_key_out(const struct packet *p, struct nat_key *key)
{
	addr_copy(&key->src, &p->src);
	addr_copy(&key->dst, &p->dst);
	key->src_port = p->src_port;
	key->dst_port = is_icmp_protocol(p) ? 0 : p->dst_port;
	key->protocol = p->protocol;
	key->direction = NAT_OUT;
	key->pad = 0;
}

INLINE void nat_key_in(const struct packet *p, struct nat_key *key)
{
	addr_copy(&key->src, &p->src);
	addr_copy(&key->dst, &p->dst);
	key->src_port = is_icmp_protocol(p) ? 0 : p->src_port;
	key->dst_port = p->dst_port;
	key->protocol = p->protocol;
	key->direction = NAT_IN;
	key->pad = 0;
}

/* Whether a socket of the node itself would get what comes back to this port. */
INLINE bool is_port_of_node(struct __sk_buff *skb, const struct packet *p, const struct addr *node, __be16 port)
{
	struct bpf_sock_tuple t = {};
	struct bpf_sock *sk;
	__u32 size;

	if (p->protocol != IPPROTO_TCP && p->protocol != IPPROTO_UDP)
		return false;
	if (p->family == 4) {
		t.ipv4.saddr = p->dst.w[3];
		t.ipv4.daddr = node->w[3];
		t.ipv4.sport = p->dst_port;
		t.ipv4.dport = port;
		size = sizeof(t.ipv4);
	} else {
		__builtin_memcpy(t.ipv6.saddr, p->dst.w, 16);
		__builtin_memcpy(t.ipv6.daddr, node->w, 16);
		t.ipv6.sport = p->dst_port;
		t.ipv6.dport = port;
		size = sizeof(t.ipv6);
	}
	if (p->protocol == IPPROTO_TCP)
		sk = bpf_skc_lookup_tcp(skb, &t, size, BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_sk_lookup_udp(skb, &t, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return false;
	bpf_sk_release(sk);
	return true;
}

/* Whether what comes back to this port is an answer to somebody outside, who asked for a service in the node's name. */
static __noinline bool is_port_of_service(const struct nat_key *in)
{
	struct service_flow_key key = {};

	addr_copy(&key.src, &in->src);
	addr_copy(&key.dst, &in->dst);
	key.src_port = in->src_port;
	key.dst_port = in->dst_port;
	key.protocol = in->protocol;
	return bpf_map_lookup_elem(&service_flows, &key);
}

/*
 * Picks a port and writes both entries: 0 or the reason to drop. `out` is what the packet is translated to; its flags are
 * the caller's.
 */
VERIFIED_ONCE int nat_allocate(struct __sk_buff *skb, const struct packet *p, const struct config *c,
			       struct nat_entry *out)
{
	struct nat_key in __attribute__((aligned(8))) = {};
	struct nat_key key __attribute__((aligned(8)));
	struct nat_entry back = {};
	__u32 range, tries, i;
	bool keeps;
	long failed;

	if (!p || !c || !out)
		return METRIC_DROP_NAT_NO_PORT;
	range = c->nat_port_max - c->nat_port_min + 1;
	tries = has_nat_port(p) ? NAT_TRIES : 1;
	out->addr = p->family == 4 ? c->node4 : c->node6;
	out->created = tick_now();
	back.addr = p->src;
	back.port = p->src_port;
	back.created = out->created;
	back.flags = out->flags;
	in.src = p->dst;
	in.dst = out->addr;
	in.src_port = is_icmp_protocol(p) ? 0 : p->dst_port;
	in.protocol = p->protocol;
	in.direction = NAT_IN;
	for (i = 0; i < NAT_TRIES; i++) {
		if (i >= tries)
			return METRIC_DROP_NAT_NO_PORT;
		/* Whatever the node sends keeps what its socket chose, if it can. */
		keeps = tries == 1 || (i == 0 && addr_equal(&p->src, &out->addr));
		in.dst_port = keeps ? p->src_port : bpf_htons(c->nat_port_min + bpf_get_prandom_u32() % range);
		failed = is_port_of_node(skb, p, &out->addr, in.dst_port) ||
					 (c->flags & CONFIG_SERVICES && is_port_of_service(&in))
				 ? -17
				 : bpf_map_update_elem(&nat, &in, &back, BPF_NOEXIST);
		if (!failed)
			break;
		if (failed != -17) /* EEXIST */
			return METRIC_DROP_NAT_FULL;
		count(skb, METRIC_NAT_COLLISION);
	}
	if (i == NAT_TRIES)
		return METRIC_DROP_NAT_NO_PORT;
	out->port = in.dst_port;
	nat_key_out(p, &key);
	failed = bpf_map_update_elem(&nat, &key, out, BPF_NOEXIST);
	if (!failed) {
		count(skb, METRIC_NAT_CREATED);
		return 0;
	}
	bpf_map_delete_elem(&nat, &in);
	if (failed == -17) {
		/* Another CPU has just translated a packet of the same flow: its choice counts. */
		struct nat_entry *theirs = bpf_map_lookup_elem(&nat, &key);

		if (theirs) {
			*out = *theirs;
			return 0;
		}
	}
	return METRIC_DROP_NAT_FULL;
}

/* Sum of new bytes minus old ones, to be added to a checksum. */
INLINE __s64 addr_diff(const struct packet *p, const struct addr *from, const struct addr *to)
{
	if (p->family == 4)
		return bpf_csum_diff((__be32 *)&from->w[3], 4, (__be32 *)&to->w[3], 4, 0);
	return bpf_csum_diff((__be32 *)from->w, 16, (__be32 *)to->w, 16, 0);
}

/* Where the transport header keeps its checksum; 0: nowhere that depends on addresses or ports. */
INLINE __u32 sum_offset(const struct packet *p)
{
	if (p->protocol == IPPROTO_TCP)
		return 16;
	if (p->protocol == IPPROTO_UDP)
		return 6;
	return p->is_icmp ? 2 : 0;
}

/*
 * Changes source or destination of the outer header; `extra` is what has already changed behind it. The helpers know of
 * checksums that a device is to fill in (CHECKSUM_PARTIAL) or has summed up (CHECKSUM_COMPLETE). IPv6 has no header
 * checksum that absorbs the change of an address, hence the recomputing store: it cancels what the helper for the
 * transport checksum assumes. 0: done.
 */
INLINE int write_addr(struct __sk_buff *skb, const struct packet *p, const struct addr *from, const struct addr *to,
		      bool is_source)
{
	bool is_fragment_tail = p->fragment == FRAGMENT_LATER;
	__u32 sum = is_fragment_tail ? 0 : sum_offset(p);
	__u64 flags = BPF_F_PSEUDO_HDR;

	if (p->protocol == IPPROTO_UDP)
		flags |= BPF_F_MARK_MANGLED_0;
	/* ICMP's checksum covers no addresses, ICMPv6's does. */
	if (sum && !(p->is_icmp && p->family == 4) &&
	    bpf_l4_csum_replace(skb, p->l4 + sum, 0, addr_diff(p, from, to), flags))
		return -1;
	if (p->family == 4)
		return bpf_l3_csum_replace(skb, ETH_HLEN + 10, from->w[3], to->w[3], 4) ||
		       bpf_skb_store_bytes(skb, ETH_HLEN + (is_source ? 12 : 16), &to->w[3], 4, 0);
	return bpf_skb_store_bytes(skb, ETH_HLEN + (is_source ? 8 : 24), to->w, 16, BPF_F_RECOMPUTE_CSUM);
}

/* Changes a port, or an echo's identifier. 0: done. */
INLINE int write_port(struct __sk_buff *skb, const struct packet *p, __be16 from, __be16 to, bool is_source)
{
	__u32 place = p->is_echo ? 4 : is_source ? 0 : 2;
	__u64 flags = 2;

	if (p->fragment == FRAGMENT_LATER || !has_nat_port(p) || from == to)
		return 0;
	if (p->protocol == IPPROTO_UDP)
		flags |= BPF_F_MARK_MANGLED_0;
	return bpf_l4_csum_replace(skb, p->l4 + sum_offset(p), from, to, flags) ||
	       bpf_skb_store_bytes(skb, p->l4 + place, &to, 2, 0);
}

/* Translates the packet itself. 0: done. */
static __noinline int nat_rewrite(struct __sk_buff *skb, const struct packet *p, const struct nat_entry *to,
				  bool is_source)
{
	const struct addr *from = is_source ? &p->src : &p->dst;
	__be16 port = is_source ? p->src_port : p->dst_port;

	return write_port(skb, p, port, to->port, is_source) || write_addr(skb, p, from, &to->addr, is_source);
}

/* A field inside an ICMP error that is to be replaced: the change of the ICMP checksum goes to `sum`. 0: done. */
INLINE int write_inner(struct __sk_buff *skb, __u32 at, const void *from, const void *to, __u32 bytes, __s64 *sum)
{
	*sum = bpf_csum_diff((__be32 *)from, bytes < 4 ? 4 : bytes, (__be32 *)to, bytes < 4 ? 4 : bytes, *sum);
	return bpf_skb_store_bytes(skb, at, to, bytes, 0);
}

/* RFC 1624 equation 3: a checksum after the words under it have changed by `diff`. */
INLINE __u16 sum_after(__u16 sum, __u32 diff)
{
	__u32 s = (__u16)~sum;

	s += (diff & 0xffff) + (diff >> 16);
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	return ~s;
}

/* The checksum of the inner transport header, when so much of it is there. 0: done. */
INLINE int fix_inner_sum(struct __sk_buff *skb, const struct packet *inner, __u32 diff, __s64 *sum)
{
	__u32 place = sum_offset(inner);
	__u32 from = 0, to = 0;

	if (!place || bpf_skb_load_bytes(skb, inner->l4 + place, &from, 2))
		return 0;
	if (inner->protocol == IPPROTO_UDP && from == 0)
		return 0;
	to = sum_after(from, diff);
	if (inner->protocol == IPPROTO_UDP && to == 0)
		to = 0xffff;
	return write_inner(skb, inner->l4 + place, &from, &to, 2, sum);
}

/*
 * Translates the packet inside an ICMP error, whose source (or destination) was translated on its way. The inner headers
 * keep valid checksums of their own, and the outer one follows what changed. 0: done.
 */
static __noinline int nat_rewrite_inner(struct __sk_buff *skb, const struct packet *p, const struct packet *inner,
					const struct nat_entry *to, bool is_source)
{
	__u32 l3 = p->l4 + 8;
	const struct addr *from = is_source ? &inner->src : &inner->dst;
	__u32 old_port = is_source ? inner->src_port : inner->dst_port;
	__u32 new_port = to->port;
	__u32 diff = addr_diff(p, from, &to->addr);
	__s64 sum = 0;
	int failed = 0;

	if (p->family == 4) {
		__u32 was = 0, is;

		if (bpf_skb_load_bytes(skb, l3 + 10, &was, 2))
			return -1;
		is = sum_after(was, diff);
		failed |= write_inner(skb, l3 + 10, &was, &is, 2, &sum);
		failed |= write_inner(skb, l3 + (is_source ? 12 : 16), &from->w[3], &to->addr.w[3], 4, &sum);
	} else {
		failed |= write_inner(skb, l3 + (is_source ? 8 : 24), from->w, to->addr.w, 16, &sum);
	}
	if (inner->is_icmp && p->family == 4)
		diff = 0; /* no pseudo header */
	if ((has_nat_port(inner) || inner->protocol == PROTOCOL_SCTP) && old_port != new_port) {
		__u32 place = inner->is_echo ? 4 : is_source ? 0 : 2;

		failed |= write_inner(skb, inner->l4 + place, &old_port, &new_port, 2, &sum);
		diff = bpf_csum_diff((__be32 *)&old_port, 4, (__be32 *)&new_port, 4, diff);
	}
	if (diff)
		failed |= fix_inner_sum(skb, inner, diff, &sum);
	return failed || bpf_l4_csum_replace(skb, p->l4 + 2, 0, sum, 0);
}

#endif
