// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/*
 * Hooks of a control group: sockets of pods and of the node that ask for a service are given a backend before there is a
 * packet, and never learn of it. What these see costs nothing afterwards; what they do not see, from_pod translates.
 *
 * AF_INET6 sockets with an IPv4 address come by connect6, recvmsg6 and getpeername6, but by sendmsg4.
 */
#include "lib/sock.h"

#define FORWARD(name, hook, family, asking)                             \
	SEC("cgroup/" #hook)                                            \
	int name(struct bpf_sock_addr *ctx)                             \
	{                                                               \
		const struct backend *to;                               \
		struct pick pick;                                       \
		int verdict;                                            \
                                                                        \
		__builtin_memset(&pick.key, 0, sizeof(pick.key));       \
		read_key##family(ctx, &pick.key);                       \
		verdict = give_backend(ctx, &pick, asking, &to);        \
		if (to)                                                 \
			write##family(ctx, &to->addr, to->port);        \
		return verdict;                                         \
	}

#define BACK(name, hook, family, metric)                                \
	SEC("cgroup/" #hook)                                            \
	int name(struct bpf_sock_addr *ctx)                             \
	{                                                               \
		struct service_key peer = {};                           \
		const struct sock_reverse *asked;                       \
                                                                        \
		read_key##family(ctx, &peer);                           \
		asked = find_asked(ctx, &peer, metric);                 \
		if (asked)                                              \
			write##family(ctx, &asked->addr, asked->port);  \
		return SOCK_PASS;                                       \
	}

FORWARD(sock_connect4, connect4, 4, ASK_CONNECT)
FORWARD(sock_connect6, connect6, 6, ASK_CONNECT)
FORWARD(sock_sendmsg4, sendmsg4, 4, ASK_SEND)
FORWARD(sock_sendmsg6, sendmsg6, 6, ASK_SEND)
BACK(sock_recvmsg4, recvmsg4, 4, SOCK_METRIC_RECEIVED)
BACK(sock_recvmsg6, recvmsg6, 6, SOCK_METRIC_RECEIVED)
BACK(sock_getpeername4, getpeername4, 4, SOCK_METRIC_NAMED)
BACK(sock_getpeername6, getpeername6, 6, SOCK_METRIC_NAMED)
