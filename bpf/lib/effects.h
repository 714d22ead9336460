// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Where a packet leaves a program. BPF_PROG_TEST_RUN shows neither the target of a redirect nor tunnel metadata;
 * therefore the object for tests (TWILL_TEST) writes both into the packet's control block and takes the tunnel key of
 * incoming packets from there. Nothing else differs between the two objects.
 *
 *   out: cb[0] enum effect · cb[1] ifindex · cb[2] flags of the redirect · cb[3] VNI · cb[4] last word of the address
 *   in:  cb[0] VNI · cb[1..4] outer source address
 */
#ifndef TWILL_EFFECTS_H
#define TWILL_EFFECTS_H

#include "addr.h"

/*
 * The same numbers as clsact's TC_ACT_* and as tcx's TCX_*, which agree: NEXT lets other programs and the stack have
 * the packet, DROP ends it.
 */
#define VERDICT_NEXT (-1)
#define VERDICT_DROP 2

enum effect {
	EFFECT_NONE = 0,
	EFFECT_REDIRECT = 1,
	EFFECT_PEER = 2,
	EFFECT_NEIGHBOUR = 3,
};

/*
 * What from_pod, from_tunnel and from_wire send out past the stack is not the node's own, whatever its source: to_wire lets
 * it pass. Between two programs only; the mark of what a pod sends is gone when it leaves its namespace.
 */
#define MARK_SERVED 0x7711ed00

#ifdef TWILL_TEST
#define NOTE_EFFECT(skb, kind, ifindex, flags)                                                                         \
	do {                                                                                                           \
		(skb)->cb[0] = (kind);                                                                                 \
		(skb)->cb[1] = (ifindex);                                                                              \
		(skb)->cb[2] = (flags);                                                                                \
	} while (0)
#else
#define NOTE_EFFECT(skb, kind, ifindex, flags) ((void)0)
#endif

INLINE int redirect(struct __sk_buff *skb, __u32 ifindex, __u64 flags)
{
	NOTE_EFFECT(skb, EFFECT_REDIRECT, ifindex, flags);
	return bpf_redirect(ifindex, flags);
}

INLINE int redirect_peer(struct __sk_buff *skb, __u32 ifindex)
{
	NOTE_EFFECT(skb, EFFECT_PEER, ifindex, 0);
	return bpf_redirect_peer(ifindex, 0);
}

/* Out of a device, to a next hop whose MAC the kernel finds or has. */
INLINE int redirect_neighbour(struct __sk_buff *skb, __u32 ifindex, struct bpf_redir_neigh *to)
{
	NOTE_EFFECT(skb, EFFECT_NEIGHBOUR, ifindex, 0);
	return bpf_redirect_neigh(ifindex, to, sizeof(*to), 0);
}

/* Tells the external-mode VXLAN device where to. 0: done. */
INLINE long set_tunnel(struct __sk_buff *skb, const struct addr *to, __u32 vni)
{
	struct bpf_tunnel_key key = { .tunnel_id = vni, .tunnel_ttl = 64 };
	__u64 flags;

#ifdef TWILL_TEST
	skb->cb[3] = vni;
	skb->cb[4] = to->w[3];
#endif
	if (is_mapped(to)) {
		key.remote_ipv4 = bpf_ntohl(to->w[3]); /* the helper wants this one in host order */
		/* The inner packet has its own checksum; RFC 7348 section 4.1 wants the outer one to be zero. */
		flags = BPF_F_ZERO_CSUM_TX;
	} else {
		__builtin_memcpy(key.remote_ipv6, to->w, 16);
		/* RFC 8200 section 8.1: UDP over IPv6 has a checksum unless both ends agreed otherwise. */
		flags = BPF_F_TUNINFO_IPV6;
	}
	return bpf_skb_set_tunnel_key(skb, &key, sizeof(key), flags);
}

/* Outer source and VNI of a packet that the VXLAN device received. 0: done. */
INLINE long get_tunnel(struct __sk_buff *skb, struct addr *from, __u32 *vni)
{
#ifdef TWILL_TEST
	*vni = skb->cb[0];
	from->w[0] = skb->cb[1];
	from->w[1] = skb->cb[2];
	from->w[2] = skb->cb[3];
	from->w[3] = skb->cb[4];
	return *vni == 0xffffffff ? -1 : 0;
#else
	struct bpf_tunnel_key key;

	if (likely(bpf_skb_get_tunnel_key(skb, &key, sizeof(key), 0) == 0)) {
		from->w[0] = 0;
		from->w[1] = 0;
		from->w[2] = bpf_htonl(0xffff);
		from->w[3] = bpf_htonl(key.remote_ipv4);
	} else {
		long failed = bpf_skb_get_tunnel_key(skb, &key, sizeof(key), BPF_F_TUNINFO_IPV6);

		if (failed)
			return failed;
		__builtin_memcpy(from->w, key.remote_ipv6, 16);
	}
	*vni = key.tunnel_id;
	return 0;
#endif
}

#endif
