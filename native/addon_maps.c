/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BPF maps. A handle knows the sizes that the kernel will read and write, so that a wrong length throws here.
 * A value of a per-CPU map is one value of `valueBytes` rounded up to 8 for every possible CPU.
 */
#include "addon.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One batch call moves at most this much: keeps a hostile or mistaken count from asking for gigabytes. */
#define BATCH_BYTES (64u << 20)

struct map {
	int fd; /* -1: closed */
	uint32_t type, id, key_size, value_size, max_entries, flags;
	size_t wire_value; /* bytes that a value takes in a call */
	char name[BPF_OBJ_NAME_LEN + 1];
};

static void map_finalize(napi_env env, void *data, void *hint)
{
	struct map *map = data;

	(void)env;
	(void)hint;
	if (map->fd >= 0)
		close(map->fd);
	free(map);
}

static const struct handle_kind map_kind = {
	"BPF map", { 0x7477696c6c6d6170ull, 0x9d1f0c52a3b44e01ull }, map_finalize
};

static struct map *arg_map(const struct args *a)
{
	struct map *map = handle_get(a, 0, &map_kind);

	if (map != NULL && map->fd < 0) {
		throw_errno(a->env, EBADF, "bpf", "the map's handle is closed");
		return NULL;
	}
	return map;
}

static bool is_per_cpu(uint32_t type)
{
	return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY ||
	       type == BPF_MAP_TYPE_LRU_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

/* A handle that owns the descriptor; on an exception the descriptor stays the caller's. */
static napi_value adopt(napi_env env, int fd)
{
	struct bpf_map_info details = { 0 };
	union bpf_attr attr = { 0 };
	char path[64], kind[64];
	napi_value handle;
	struct map *map;
	ssize_t length;
	int cpus;

	/* Of a program or link the same call would answer with another structure. */
	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
	length = readlink(path, kind, sizeof(kind) - 1);
	if (length < 0)
		return throw_errno(env, errno == ENOENT ? EBADF : errno, "readlink", NULL);
	kind[length] = '\0';
	if (strstr(kind, "bpf-map") == NULL)
		return throw_errno(env, EINVAL, "bpf", "the descriptor is not a map's");
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(details);
	attr.info.info = (uintptr_t)&details;
	if (sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) != 0)
		return throw_errno(env, errno, "bpf", "BPF_OBJ_GET_INFO_BY_FD");
	cpus = libbpf_num_possible_cpus();
	if (cpus < 1)
		return throw_errno(env, cpus < 0 ? -cpus : EINVAL, "libbpf_num_possible_cpus", NULL);
	map = calloc(1, sizeof(*map));
	if (map == NULL)
		return throw_errno(env, ENOMEM, "calloc", NULL);
	map->fd = fd;
	map->type = details.type;
	map->id = details.id;
	map->key_size = details.key_size;
	map->value_size = details.value_size;
	map->max_entries = details.max_entries;
	map->flags = details.map_flags;
	map->wire_value = is_per_cpu(details.type) ? ((details.value_size + 7u) & ~7u) * (size_t)cpus : details.value_size;
	memcpy(map->name, details.name, BPF_OBJ_NAME_LEN);
	handle = handle_make(env, &map_kind, map);
	if (handle == NULL)
		free(map);
	return handle;
}

/* mapAdopt(fd): a handle that owns the descriptor from now on */
static napi_value map_adopt(napi_env env, napi_callback_info info)
{
	struct args a;
	int fd;

	return args_read(env, info, &a) && arg_fd(&a, 0, &fd) ? adopt(env, fd) : NULL;
}

/* mapCreate(type, keyBytes, valueBytes, maxEntries, flags, name): handle */
static napi_value map_create(napi_env env, napi_callback_info info)
{
	union bpf_attr attr = { 0 };
	char name[BPF_OBJ_NAME_LEN];
	napi_value handle;
	struct args a;
	long fd;

	if (!args_read(env, info, &a) || !arg_u32(&a, 0, "type", &attr.map_type) ||
	    !arg_u32(&a, 1, "keyBytes", &attr.key_size) || !arg_u32(&a, 2, "valueBytes", &attr.value_size) ||
	    !arg_u32(&a, 3, "maxEntries", &attr.max_entries) || !arg_u32(&a, 4, "flags", &attr.map_flags) ||
	    !arg_text(&a, 5, "name", name, sizeof(name)))
		return NULL;
	memcpy(attr.map_name, name, strlen(name));
	fd = sys_bpf(BPF_MAP_CREATE, &attr, sizeof(attr));
	if (fd < 0)
		return throw_errno(env, errno, "bpf", "BPF_MAP_CREATE");
	handle = adopt(env, (int)fd);
	if (handle == NULL)
		close((int)fd);
	return handle;
}

/* mapClose(map): closing twice is no error */
static napi_value map_close(napi_env env, napi_callback_info info)
{
	struct map *map;
	struct args a;

	if (!args_read(env, info, &a))
		return NULL;
	map = handle_get(&a, 0, &map_kind);
	if (map == NULL)
		return NULL;
	if (map->fd >= 0)
		close(map->fd);
	map->fd = -1;
	return make_undefined(env);
}

/* mapInfo(map): { fd, id, type, name, keyBytes, valueBytes, wireValueBytes, maxEntries, flags } */
static napi_value map_info(napi_env env, napi_callback_info info)
{
	napi_value result;
	struct map *map;
	struct args a;

	if (!args_read(env, info, &a))
		return NULL;
	map = arg_map(&a);
	if (map == NULL)
		return NULL;
	if (napi_create_object(env, &result) != napi_ok)
		return throw_napi(env, "napi_create_object");
	if (!set_number(env, result, "fd", map->fd) || !set_number(env, result, "id", map->id) ||
	    !set_number(env, result, "type", map->type) || !set_text(env, result, "name", map->name) ||
	    !set_number(env, result, "keyBytes", map->key_size) ||
	    !set_number(env, result, "valueBytes", map->value_size) ||
	    !set_number(env, result, "wireValueBytes", (double)map->wire_value) ||
	    !set_number(env, result, "maxEntries", map->max_entries) || !set_number(env, result, "flags", map->flags))
		return NULL;
	return result;
}

static long element_call(int cmd, const struct map *map, void *key, void *value, uint64_t flags)
{
	union bpf_attr attr = { 0 };

	attr.map_fd = (uint32_t)map->fd;
	attr.key = (uintptr_t)key;
	attr.value = (uintptr_t)value;
	attr.flags = flags;
	return sys_bpf(cmd, &attr, sizeof(attr));
}

/* mapGet(map, key): value or undefined */
static napi_value map_get(napi_env env, napi_callback_info info)
{
	struct bytes key;
	struct map *map;
	napi_value value;
	struct args a;
	void *data;

	if (!args_read(env, info, &a))
		return NULL;
	map = arg_map(&a);
	if (map == NULL || !arg_bytes_exact(&a, 1, "key", map->key_size, &key))
		return NULL;
	if (napi_create_buffer(env, map->wire_value, &data, &value) != napi_ok)
		return throw_napi(env, "napi_create_buffer");
	if (element_call(BPF_MAP_LOOKUP_ELEM, map, key.data, data, 0) == 0)
		return value;
	return errno == ENOENT ? make_undefined(env) : throw_errno(env, errno, "bpf", "BPF_MAP_LOOKUP_ELEM");
}

/* mapPut(map, key, value, flags) */
static napi_value map_put(napi_env env, napi_callback_info info)
{
	struct bytes key, value;
	uint32_t flags = 0;
	struct map *map;
	struct args a;

	if (!args_read(env, info, &a))
		return NULL;
	map = arg_map(&a);
	if (map == NULL || !arg_bytes_exact(&a, 1, "key", map->key_size, &key) ||
	    !arg_bytes_exact(&a, 2, "value", map->wire_value, &value) ||
	    (!arg_is_undefined(&a, 3) && !arg_u32(&a, 3, "flags", &flags)))
		return NULL;
	if (element_call(BPF_MAP_UPDATE_ELEM, map, key.data, value.data, flags) != 0)
		return throw_errno(env, errno, "bpf", "BPF_MAP_UPDATE_ELEM");
	return make_undefined(env);
}

/* mapDelete(map, key): whether it was there */
static napi_value map_delete(napi_env env, napi_callback_info info)
{
	struct bytes key;
	struct map *map;
	struct args a;

	if (!args_read(env, info, &a))
		return NULL;
	map = arg_map(&a);
	if (map == NULL || !arg_bytes_exact(&a, 1, "key", map->key_size, &key))
		return NULL;
	if (element_call(BPF_MAP_DELETE_ELEM, map, key.data, NULL, 0) == 0)
		return make_bool(env, true);
	return errno == ENOENT ? make_bool(env, false) : throw_errno(env, errno, "bpf", "BPF_MAP_DELETE_ELEM");
}

/* mapNextKey(map, key?): undefined after the last one. A key that is gone restarts most map types from the front. */
static napi_value map_next_key(napi_env env, napi_callback_info info)
{
	struct bytes key = { 0 };
	struct map *map;
	napi_value next;
	struct args a;
	void *data;

	if (!args_read(env, info, &a))
		return NULL;
	map = arg_map(&a);
	if (map == NULL || (!arg_is_undefined(&a, 1) && !arg_bytes_exact(&a, 1, "key", map->key_size, &key)))
		return NULL;
	if (napi_create_buffer(env, map->key_size, &data, &next) != napi_ok)
		return throw_napi(env, "napi_create_buffer");
	if (element_call(BPF_MAP_GET_NEXT_KEY, map, key.data, data, 0) == 0)
		return next;
	return errno == ENOENT ? make_undefined(env) : throw_errno(env, errno, "bpf", "BPF_MAP_GET_NEXT_KEY");
}

static bool arg_count(const struct args *a, size_t i, const struct map *map, uint32_t *count)
{
	size_t entry = map->key_size + map->wire_value;

	if (!arg_u32(a, i, "count", count))
		return false;
	if (*count == 0 || (uint64_t)*count * entry > BATCH_BYTES) {
		throw_range(a->env, "Argument \"count\" must be from 1 to %zu", (size_t)BATCH_BYTES / entry);
		return false;
	}
	return true;
}

/* The kernel writes the count back only once it has begun: a failure with the full count has done nothing. */
static uint32_t batch_done(uint32_t answered, uint32_t asked, int err)
{
	if (err == 0)
		return asked;
	return answered < asked ? answered : 0;
}

/* A batch answers { done, errno }: how many entries were taken, and the errno (0: none) that ended it. */
static napi_value batch_result(napi_env env, uint32_t done, int err)
{
	napi_value result;

	if (napi_create_object(env, &result) != napi_ok)
		return throw_napi(env, "napi_create_object");
	return set_number(env, result, "done", done) && set_number(env, result, "errno", err) ? result : NULL;
}

/* mapPutBatch(map, keys, values, count): { done, errno } */
static napi_value map_put_batch(napi_env env, napi_callback_info info)
{
	union bpf_attr attr = { 0 };
	struct bytes keys, values;
	struct map *map;
	uint32_t count;
	struct args a;
	int err;

	if (!args_read(env, info, &a))
		return NULL;
	map = arg_map(&a);
	if (map == NULL || !arg_count(&a, 3, map, &count) ||
	    !arg_bytes_exact(&a, 1, "keys", (size_t)map->key_size * count, &keys) ||
	    !arg_bytes_exact(&a, 2, "values", map->wire_value * count, &values))
		return NULL;
	attr.batch.map_fd = (uint32_t)map->fd;
	attr.batch.keys = (uintptr_t)keys.data;
	attr.batch.values = (uintptr_t)values.data;
	attr.batch.count = count;
	err = sys_bpf(BPF_MAP_UPDATE_BATCH, &attr, sizeof(attr)) == 0 ? 0 : errno;
	return batch_result(env, batch_done(attr.batch.count, count, err), err);
}

/* mapDeleteBatch(map, keys, count): { done, errno }; ENOENT: the key after the done ones is not there */
static napi_value map_delete_batch(napi_env env, napi_callback_info info)
{
	union bpf_attr attr = { 0 };
	struct bytes keys;
	struct map *map;
	uint32_t count;
	struct args a;
	int err;

	if (!args_read(env, info, &a))
		return NULL;
	map = arg_map(&a);
	if (map == NULL || !arg_count(&a, 2, map, &count) ||
	    !arg_bytes_exact(&a, 1, "keys", (size_t)map->key_size * count, &keys))
		return NULL;
	attr.batch.map_fd = (uint32_t)map->fd;
	attr.batch.keys = (uintptr_t)keys.data;
	attr.batch.count = count;
	err = sys_bpf(BPF_MAP_DELETE_BATCH, &attr, sizeof(attr)) == 0 ? 0 : errno;
	return batch_result(env, batch_done(attr.batch.count, count, err), err);
}

static napi_value lookup_result(napi_env env, const struct map *map, const uint8_t *keys, const uint8_t *values,
				uint32_t count, napi_value next)
{
	napi_value result;

	if (napi_create_object(env, &result) != napi_ok)
		return throw_napi(env, "napi_create_object");
	if (!set_number(env, result, "count", count) ||
	    !set_value(env, result, "keys", make_bytes(env, keys, (size_t)map->key_size * count)) ||
	    !set_value(env, result, "values", make_bytes(env, values, map->wire_value * count)) ||
	    !set_value(env, result, "next", next))
		return NULL;
	return result;
}

/*
 * mapGetBatch(map, cursor: Uint8Array | undefined, count): { count, keys, values, next }; next undefined: the end.
 * ENOSPC is thrown when one bucket of a hash holds more than `count` entries.
 */
static napi_value map_get_batch(napi_env env, napi_callback_info info)
{
	napi_value result = NULL, next;
	union bpf_attr attr = { 0 };
	struct bytes cursor = { 0 };
	uint8_t *memory, *keys, *values, *after;
	size_t cursor_size;
	struct map *map;
	uint32_t count;
	struct args a;
	int err;

	if (!args_read(env, info, &a))
		return NULL;
	map = arg_map(&a);
	if (map == NULL || !arg_count(&a, 2, map, &count))
		return NULL;
	/* A hash's cursor is a bucket number of four bytes, whatever the key's size; others use a key. */
	cursor_size = map->key_size < 4 ? 4 : map->key_size;
	if (!arg_is_undefined(&a, 1) && !arg_bytes_exact(&a, 1, "cursor", cursor_size, &cursor))
		return NULL;
	memory = calloc(1, cursor_size + ((size_t)map->key_size + map->wire_value) * count);
	if (memory == NULL)
		return throw_errno(env, ENOMEM, "calloc", NULL);
	after = memory;
	keys = after + cursor_size;
	values = keys + (size_t)map->key_size * count;
	attr.batch.in_batch = (uintptr_t)cursor.data;
	attr.batch.out_batch = (uintptr_t)after;
	attr.batch.keys = (uintptr_t)keys;
	attr.batch.values = (uintptr_t)values;
	attr.batch.count = count;
	attr.batch.map_fd = (uint32_t)map->fd;
	err = sys_bpf(BPF_MAP_LOOKUP_BATCH, &attr, sizeof(attr)) == 0 ? 0 : errno;
	if (err != 0 && err != ENOENT) {
		throw_errno(env, err, "bpf", "BPF_MAP_LOOKUP_BATCH");
	} else if (attr.batch.count > count) {
		throw_range(env, "The kernel answered %u entries to %u", attr.batch.count, count);
	} else {
		next = err == ENOENT ? make_undefined(env) : make_bytes(env, after, cursor_size);
		result = next == NULL ? NULL : lookup_result(env, map, keys, values, attr.batch.count, next);
	}
	free(memory);
	return result;
}

/* One pass over the map into one scratch buffer; -1 with an errno on failure. */
static int64_t count_entries(const struct map *map, uint8_t *memory, size_t cursor_size, uint32_t room)
{
	uint8_t *keys = memory + 2 * cursor_size, *values = keys + (size_t)map->key_size * room;
	uint8_t *cursor = NULL, *after = memory;
	/* A trie whose cursor is deleted again and again would be walked forever. */
	int64_t total = 0, limit = 8 * (int64_t)map->max_entries + room;

	while (total <= limit) {
		union bpf_attr attr = { 0 };
		attr.batch.in_batch = (uintptr_t)cursor;
		attr.batch.out_batch = (uintptr_t)after;
		attr.batch.keys = (uintptr_t)keys;
		attr.batch.values = (uintptr_t)values;
		attr.batch.count = room;
		attr.batch.map_fd = (uint32_t)map->fd;
		if (sys_bpf(BPF_MAP_LOOKUP_BATCH, &attr, sizeof(attr)) != 0) {
			if (errno == ENOENT)
				return total + attr.batch.count;
			return -1;
		}
		total += attr.batch.count;
		cursor = after;
		after = cursor == memory ? memory + cursor_size : memory;
	}
	errno = EINTR;
	return -1;
}

/* mapCount(map): entries, or undefined when the kernel has no batches for the type */
static napi_value map_count(napi_env env, napi_callback_info info)
{
	size_t cursor_size;
	uint8_t *memory;
	struct map *map;
	uint32_t room;
	struct args a;
	int64_t total;
	int err;

	if (!args_read(env, info, &a))
		return NULL;
	map = arg_map(&a);
	if (map == NULL)
		return NULL;
	cursor_size = map->key_size < 4 ? 4 : map->key_size;
	for (room = 1024;; room *= 2) {
		size_t size = 2 * cursor_size + ((size_t)map->key_size + map->wire_value) * room;
		if (size > BATCH_BYTES)
			return make_undefined(env);
		memory = calloc(1, size);
		if (memory == NULL)
			return throw_errno(env, ENOMEM, "calloc", NULL);
		total = count_entries(map, memory, cursor_size, room);
		err = errno;
		free(memory);
		if (total >= 0)
			return make_number(env, (double)total);
		/* One bucket of a hash holds more than there was room for. */
		if (err != ENOSPC)
			break;
	}
	if (err == EINVAL || err == ENOTSUP || err == 524 || err == EINTR)
		return make_undefined(env);
	return throw_errno(env, err, "bpf", "BPF_MAP_LOOKUP_BATCH");
}

bool init_maps(napi_env env, napi_value exports)
{
	static const struct export list[] = {
		{ "mapAdopt", map_adopt },	    { "mapCreate", map_create },     { "mapClose", map_close },
		{ "mapInfo", map_info },	    { "mapGet", map_get },	     { "mapPut", map_put },
		{ "mapDelete", map_delete },	    { "mapNextKey", map_next_key },  { "mapPutBatch", map_put_batch },
		{ "mapDeleteBatch", map_delete_batch }, { "mapGetBatch", map_get_batch },
		{ "mapCount", map_count },
	};
	return EXPORT_ALL(env, exports, list);
}
