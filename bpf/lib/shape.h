// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* Pods with a limit on their bandwidth; see shape.c. */
#ifndef TWILL_SHAPE_H
#define TWILL_SHAPE_H

#include "maps.h"

/* HASH shapers: where a device's packets go, for the two devices that the program `shape` joins. */
struct shaper_key {
	__u32 ifindex;
	__u32 pad;
};

struct shaper {
	__u32 ifindex;
	__u32 is_pod; /* the host end of a pod's veth: what comes from here is for the pod */
};

/* Two for each limited pod. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct shaper_key);
	__type(value, struct shaper);
	PINNED;
} shapers SEC(".maps");

#endif
