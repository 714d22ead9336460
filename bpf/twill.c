// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* The whole data plane of a node as one object: every hook is a program in it, all share the maps. */
#include "lib/service-maps.h"

#include "from_pod.c"
#include "from_host.c"
#include "from_tunnel.c"
#include "from_wire.c"
#include "to_wire.c"
#include "shape.c"
#include "sock.c"

int twill_service_flags(enum service_flag service_flag, enum service_flow_flag service_flow_flag,
			enum sock_metric sock_metric)
{
	return 0;
}

int twill_types(struct event *event, enum metric metric, enum hook hook, enum direction direction,
		enum generation_of generation_of)
{
	return 0;
}

int twill_flags(enum ipcache_flag ipcache_flag, enum config_flag config_flag, enum ct_flag ct_flag,
		enum nat_direction nat_direction, enum endpoint_flag endpoint_flag)
{
	return 0;
}

int twill_more_flags(enum policy_flag policy_flag, enum hit_flag hit_flag, enum nat_flag nat_flag)
{
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
