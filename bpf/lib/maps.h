// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
/* The maps, pinned by name; sizes are defaults that the agent may override when it loads the object. */
#ifndef TWILL_MAPS_H
#define TWILL_MAPS_H

#include "types.h"

#include <bpf/bpf_helpers.h>

/* Packet tests make maps of their own for every object they load. */
#ifdef TWILL_TEST
#define PINNED __uint(pinning, LIBBPF_PIN_NONE)
#else
#define PINNED __uint(pinning, LIBBPF_PIN_BY_NAME)
#endif

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct config);
	PINNED;
} config SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct endpoint_key);
	__type(value, struct endpoint);
	PINNED;
} endpoints SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct host_key);
	__type(value, struct host_entry);
	PINNED;
} hosts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GENERATION_COUNT);
	__type(key, __u32);
	__type(value, struct generation);
	PINNED;
} generation SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* the only kind of trie there is */
	__type(key, struct ipcache_key);
	__type(value, struct ipcache_entry);
	PINNED;
} ipcache SEC(".maps");

/* Room for two banks, while one agent's follows another's. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 524288);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct identity_key);
	__type(value, struct identity_entry);
	PINNED;
} identities SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct policy_class_key);
	__type(value, struct policy_class);
	PINNED;
} policy_classes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1048576);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct policy_peer_key);
	__type(value, struct policy_peer);
	PINNED;
} policy_peers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 524288);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct policy_set_key);
	__type(value, struct policy_verdict);
	PINNED;
} policy_sets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct policy_hit_key);
	__type(value, struct metric_value);
	PINNED;
} policy_hits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct node_key);
	__type(value, struct node);
	PINNED;
} nodes SEC(".maps");

/*
 * Not LRU: a flood of new flows must never evict an established one. Full means that new flows are dropped and
 * counted. Not preallocated: an idle node does not pay for the size that a busy one needs.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ct_key);
	__type(value, struct ct_entry);
	PINNED;
} ct_tcp SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ct_key);
	__type(value, struct ct_entry);
	PINNED;
} ct_other SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 262144);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct nat_key);
	__type(value, struct nat_entry);
	PINNED;
} nat SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct frag_key);
	__type(value, struct frag_entry);
	PINNED;
} frags SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, METRIC_COUNT);
	__type(key, __u32);
	__type(value, struct metric_value);
	PINNED;
} metrics SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
	PINNED;
} scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20); /* bytes */
	PINNED;
} events SEC(".maps");

/*
 * Never called, never loaded: a function that is not static keeps its parameters' types in the object's BTF, where
 * the generator of the TypeScript codecs finds those that no map names.
 */
int twill_types(struct event *event, enum metric metric, enum hook hook, enum direction direction,
		enum generation_of generation_of);
int twill_flags(enum ipcache_flag ipcache_flag, enum config_flag config_flag, enum ct_flag ct_flag,
		enum nat_direction nat_direction, enum endpoint_flag endpoint_flag);
int twill_more_flags(enum policy_flag policy_flag, enum hit_flag hit_flag, enum nat_flag nat_flag);

#endif
