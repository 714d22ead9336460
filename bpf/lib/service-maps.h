// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* The maps of services; see maps.h. */
#ifndef TWILL_SERVICE_MAPS_H
#define TWILL_SERVICE_MAPS_H

#include "maps.h"
#include "service-types.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct service_key);
	__type(value, struct service);
	PINNED;
} services SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1048576);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct service_slot_key);
	__type(value, struct service_slot);
	PINNED;
} service_slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct backend_key);
	__type(value, struct backend);
	PINNED;
} backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct service_key);
	__type(value, struct backend);
	PINNED;
} host_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct service_source_key);
	__type(value, struct service_source);
	PINNED;
} service_sources SEC(".maps");

/* Not LRU, as conntrack: what finds no room is dropped and counted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct service_flow_key);
	__type(value, struct service_flow);
	PINNED;
} service_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, struct service_affinity_key);
	__type(value, struct service_affinity);
	PINNED;
} service_affinity SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct sock_reverse_key);
	__type(value, struct sock_reverse);
	PINNED;
} sock_reverse SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct sock_choice_key);
	__type(value, struct sock_choice);
	PINNED;
} sock_choices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SOCK_METRIC_COUNT);
	__type(key, __u32);
	__type(value, struct sock_metric_value);
	PINNED;
} sock_metrics SEC(".maps");

/* As twill_types. */
int twill_service_flags(enum service_flag service_flag, enum service_flow_flag service_flow_flag,
			enum sock_metric sock_metric);

#endif
