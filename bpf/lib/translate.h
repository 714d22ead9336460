// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * How a packet to a service, or from a backend, is translated. A translation is decided before policy is asked, about the packet
 * as it goes on; it is kept and written into the packet only after policy has allowed it. Meanwhile it lies in the CPU's scratch:
 * the stack of programs is small, and nothing comes between.
 */
#ifndef TWILL_TRANSLATE_H
#define TWILL_TRANSLATE_H

#include "nat.h"
#include "reject.h"
#include "service-pick.h"

enum served {
	SERVED_NOT = 0,
	SERVED_KNOWN = 1, /* by an entry that there is already */
	SERVED_NEW = 2,   /* nobody knows of it yet */
};

struct translation {
	struct service_flow_key key; /* the packet as it comes; of an ICMP error: one that would travel with it */
	struct service_flow to;
	struct service_flow_key reply_key;
	struct ct_key flow; /* of the translated packet */
	struct backend host_port; /* with SERVICE_HOST_PORT */
	struct pick pick;
	__u32 hash; /* with SERVICE_MAGLEV */
	__u32 asked; /* 0, SERVICE_FLOW_OUTSIDE or SERVICE_FLOW_TUNNEL */
	__u32 is_again; /* the entry of `key` is one of a flow that has ended */
	__u32 wanted;   /* the backend that another node has chosen; 0: none has */
};

_Static_assert(sizeof(struct translation) <= sizeof(((struct scratch *)0)->own_translation), "translation");

INLINE struct translation *get_translation(void)
{
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratch, &zero);

	return s ? (struct translation *)s->own_translation : NULL;
}

INLINE bool is_served_protocol(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == PROTOCOL_SCTP;
}

INLINE bool is_syn(const struct packet *p)
{
	return p->protocol == IPPROTO_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

INLINE bool has_own_source(const struct translation *t)
{
	return !addr_equal(&t->key.src, &t->to.src);
}

INLINE __u32 swapped(__u32 ports)
{
	return ports << 16 | ports >> 16;
}

/* How the packet is translated, or what an ICMP error is about, as far as that is known: enum served. */
VERIFIED_ONCE int find_served(struct __sk_buff *skb, const struct packet *p)
{
	struct translation *t = get_translation();
	const struct service_flow *known;
	struct packet inner = {};

	if (!p || !t)
		return SERVED_NOT;
	t->wanted = 0;
	if (p->is_error) {
		if (read_inner(skb, p, &inner) || !is_served_protocol(inner.protocol))
			return SERVED_NOT;
		addr_copy(&t->key.src, &inner.dst);
		addr_copy(&t->key.dst, &inner.src);
		*(__u32 *)&t->key.src_port = swapped(inner.ports);
		*(__u32 *)&t->key.protocol = inner.protocol;
	} else {
		if (!is_served_protocol(p->protocol))
			return SERVED_NOT;
		addr_copy(&t->key.src, &p->src);
		addr_copy(&t->key.dst, &p->dst);
		*(__u32 *)&t->key.src_port = p->ports;
		*(__u32 *)&t->key.protocol = p->protocol;
	}
	known = bpf_map_lookup_elem(&service_flows, &t->key);
	if (!known)
		return SERVED_NOT;
	t->to = *known;
	return SERVED_KNOWN;
}

/* What is known of a packet, as it goes on. A router on the way keeps its name, unless the sender's is another's, too. */
INLINE void translate(struct packet *p, const struct translation *t)
{
	if (!p->is_error || addr_equal(&p->src, &t->key.src) || has_own_source(t))
		addr_copy(&p->src, &t->to.src);
	addr_copy(&p->dst, &t->to.dst);
	if (!p->is_error)
		p->ports = *(const __u32 *)&t->to.src_port;
}

/* And as it came, no error. */
INLINE void translate_back(struct packet *p, const struct translation *t)
{
	addr_copy(&p->src, &t->key.src);
	addr_copy(&p->dst, &t->key.dst);
	p->ports = *(const __u32 *)&t->key.src_port;
}

/* Product of two polynomials over GF(2) modulo CRC-32C's; the highest bit is x^0, as in the checksum. */
VERIFIED_ONCE __u32 crc32c_multiply(__u32 a, __u32 b)
{
	__u32 product = 0, i;

	for (i = 0; i < 32; i++) {
		product ^= b & -(a >> 31);
		a <<= 1;
		b = (b >> 1) ^ (0x82f63b78 & -(b & 1));
	}
	return product;
}

/*
 * What a change in the first four bytes of a message changes in its CRC-32C: the sum is linear, so that nothing else of the
 * message has to be read. Both as they lie in memory.
 */
VERIFIED_ONCE __u32 crc32c_change(__u32 change, __u32 bytes)
{
	__u32 power = 1 << 23; /* x^8 */
	__u32 i;

	for (i = 0; i < 16; i++) {
		if (bytes >> i & 1)
			change = crc32c_multiply(change, power);
		power = crc32c_multiply(power, power);
	}
	return change;
}

/* SCTP's sum (RFC 9260 section 6.8) covers ports, and no addresses. One that a device is to fill in may change as well. 0: done. */
INLINE int write_sctp_ports(struct __sk_buff *skb, const struct packet *p, __u32 from, __u32 to)
{
	__u32 sum;

	if (from == to || p->fragment == FRAGMENT_LATER)
		return 0;
	/* Of a part nobody knows how long the whole is. */
	if (p->fragment || bpf_skb_load_bytes(skb, p->l4 + 8, &sum, 4))
		return -1;
	sum ^= crc32c_change(from ^ to, length_of(skb, p) - (p->l4 - ETH_HLEN));
	return bpf_skb_store_bytes(skb, p->l4, &to, 4, BPF_F_RECOMPUTE_CSUM) ||
	       bpf_skb_store_bytes(skb, p->l4 + 8, &sum, 4, BPF_F_RECOMPUTE_CSUM);
}

/* Writes the translation into the packet; `p` is as it goes on, or as it came. No error. 0: done. */
VERIFIED_ONCE int rewrite_served(struct __sk_buff *skb, const struct packet *p)
{
	const struct translation *t = get_translation();

	if (!p || !t)
		return -1;
	if (p->protocol == PROTOCOL_SCTP) {
		if (write_sctp_ports(skb, p, *(const __u32 *)&t->key.src_port, *(const __u32 *)&t->to.src_port))
			return -1;
	} else if (write_port(skb, p, t->key.src_port, t->to.src_port, true) ||
		   write_port(skb, p, t->key.dst_port, t->to.dst_port, false)) {
		return -1;
	}
	if (has_own_source(t) && write_addr(skb, p, &t->key.src, &t->to.src, true))
		return -1;
	return addr_equal(&t->key.dst, &t->to.dst) ? 0 : write_addr(skb, p, &t->key.dst, &t->to.dst, false);
}

/* The same of an ICMP error, which travels against what it is about; `p` goes along. 0: done. */
VERIFIED_ONCE int rewrite_served_error(struct __sk_buff *skb, struct packet *p)
{
	const struct translation *t = get_translation();
	struct packet inner = {};
	struct nat_entry side = {};

	if (!p || !t || read_inner(skb, p, &inner))
		return -1;
	if (!addr_equal(&t->key.dst, &t->to.dst) || t->key.dst_port != t->to.dst_port) {
		side.addr = t->to.dst;
		side.port = t->to.dst_port;
		if (nat_rewrite_inner(skb, p, &inner, &side, true))
			return -1;
	}
	if (has_own_source(t) || t->key.src_port != t->to.src_port) {
		side.addr = t->to.src;
		side.port = t->to.src_port;
		if (nat_rewrite_inner(skb, p, &inner, &side, false))
			return -1;
	}
	inner.src = p->src;
	inner.dst = p->dst;
	translate(p, t);
	if (!addr_equal(&inner.src, &p->src) && write_addr(skb, p, &inner.src, &p->src, true))
		return -1;
	return addr_equal(&inner.dst, &p->dst) ? 0 : write_addr(skb, p, &inner.dst, &p->dst, false);
}

#endif
