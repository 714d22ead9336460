// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * The maps and program names of the data plane, with programs that pass every packet on. Tests of loading, pinning and
 * attaching use it: the verifier needs half a second for the real programs, and nothing for these.
 */
#include "lib/maps.h"
#include "lib/service-maps.h"
#include "lib/shape.h"

#define HOLLOW(name)                                                 \
	SEC("tc")                                                    \
	int name(struct __sk_buff *skb)                              \
	{                                                            \
		__u32 key = 0;                                       \
		return bpf_map_lookup_elem(&metrics, &key) ? -1 : 0; \
	}

HOLLOW(from_pod)
HOLLOW(from_host)
HOLLOW(from_tunnel)
HOLLOW(from_wire)
HOLLOW(to_wire)
HOLLOW(shape)

#define HOLLOW_SOCK(hook)                         \
	SEC("cgroup/" #hook)                      \
	int sock_##hook(struct bpf_sock_addr *ctx) \
	{                                         \
		return 1;                         \
	}

HOLLOW_SOCK(connect4)
HOLLOW_SOCK(connect6)
HOLLOW_SOCK(sendmsg4)
HOLLOW_SOCK(sendmsg6)
HOLLOW_SOCK(recvmsg4)
HOLLOW_SOCK(recvmsg6)
HOLLOW_SOCK(getpeername4)
HOLLOW_SOCK(getpeername6)

char LICENSE[] SEC("license") = "Dual BSD/GPL";
