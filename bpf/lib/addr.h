// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* Words of the language, and addresses. */
#ifndef TWILL_ADDR_H
#define TWILL_ADDR_H

#include "types.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* <stdbool.h> is the C library's. */
typedef _Bool bool;
#define true 1
#define false 0

#define INLINE static __always_inline
/*
 * A function that is not static is verified once, for any arguments, instead of anew on every path that leads to it:
 * for what has loops. Its pointers may be NULL as far as the verifier knows (Linux 5.12).
 */
#define VERIFIED_ONCE __noinline

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

INLINE bool is_mapped(const struct addr *a)
{
	return a->w[0] == 0 && a->w[1] == 0 && a->w[2] == bpf_htonl(0xffff);
}

INLINE void addr_copy(struct addr *to, const struct addr *from)
{
	__u64 *t = (__u64 *)to;
	const __u64 *f = (const __u64 *)from;

	t[0] = f[0];
	t[1] = f[1];
}

INLINE bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->w[3] == b->w[3] && a->w[2] == b->w[2] && a->w[1] == b->w[1] && a->w[0] == b->w[0];
}

INLINE bool addr_is_zero(const struct addr *a)
{
	return (a->w[0] | a->w[1] | a->w[2] | a->w[3]) == 0;
}

/*
 * Written as two halves, since they are read as such: a load that spans two smaller stores has to wait until both have
 * left the store buffer. `a` is aligned to 8 bytes. (bpfel: the later word is the upper half.)
 */
INLINE void addr_set4(struct addr *a, __be32 v)
{
	__u64 *half = (__u64 *)a;

	half[0] = 0;
	half[1] = (__u64)v << 32 | bpf_htonl(0xffff);
}

/* The same from a packet, which is aligned to 2 bytes only. */
INLINE void addr_set6(struct addr *a, const void *from)
{
	const __u32 *f = from;
	__u64 *half = (__u64 *)a;

	half[0] = (__u64)f[1] << 32 | f[0];
	half[1] = (__u64)f[3] << 32 | f[2];
}

#endif
