/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The consumer's side of BPF_MAP_TYPE_RINGBUF, drained in one call into one buffer.
 *
 * The kernel maps: one page with the consumer position (ours to write), one with the producer position, then the data
 * twice in a row, so that no record is split. A record is u32 length (bit 31 busy, bit 30 discarded), u32 reserved,
 * data, padded to 8. A drained buffer has the same shape, without the flags and without the discarded ones.
 */
#include "addon.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BUSY (1u << 31)
#define DISCARDED (1u << 30)
#define HEADER_BYTES 8
#define MAX_RING_BYTES (256u << 20)

struct ring {
	uint64_t *consumer;
	const uint64_t *producer; /* start of the second mapping */
	const uint8_t *data;
	size_t size, page;
};

static void ring_unmap(struct ring *ring)
{
	if (ring->consumer != NULL)
		munmap(ring->consumer, ring->page);
	if (ring->producer != NULL)
		munmap((void *)ring->producer, ring->page + 2 * ring->size);
	ring->consumer = NULL;
	ring->producer = NULL;
}

static void ring_finalize(napi_env env, void *data, void *hint)
{
	(void)env;
	(void)hint;
	ring_unmap(data);
	free(data);
}

static const struct handle_kind ring_kind = {
	"BPF ring buffer", { 0x7477696c6c72696eull, 0x21c8f7d0e65ab303ull }, ring_finalize
};

/* ringOpen(mapFd): handle; the descriptor may be closed afterwards, or polled */
static napi_value ring_open(napi_env env, napi_callback_info info)
{
	struct bpf_map_info details = { 0 };
	union bpf_attr attr = { 0 };
	napi_value handle;
	struct ring *ring;
	struct args a;
	void *map;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd))
		return NULL;
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(details);
	attr.info.info = (uintptr_t)&details;
	if (sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) != 0)
		return throw_errno(env, errno, "bpf", "BPF_OBJ_GET_INFO_BY_FD");
	if (details.type != BPF_MAP_TYPE_RINGBUF || details.max_entries > MAX_RING_BYTES)
		return throw_errno(env, EINVAL, "ringOpen", "the descriptor is not a ring buffer's");
	ring = calloc(1, sizeof(*ring));
	if (ring == NULL)
		return throw_errno(env, ENOMEM, "calloc", NULL);
	ring->page = (size_t)sysconf(_SC_PAGESIZE);
	ring->size = details.max_entries;
	map = mmap(NULL, ring->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ring->consumer = map == MAP_FAILED ? NULL : map;
	map = ring->consumer == NULL ?
		      MAP_FAILED :
		      mmap(NULL, ring->page + 2 * ring->size, PROT_READ, MAP_SHARED, fd, (off_t)ring->page);
	ring->producer = map == MAP_FAILED ? NULL : map;
	if (ring->producer == NULL) {
		int err = errno;
		ring_finalize(env, ring, NULL);
		return throw_errno(env, err, "mmap", "ring buffer");
	}
	ring->data = (const uint8_t *)ring->producer + ring->page;
	handle = handle_make(env, &ring_kind, ring);
	if (handle == NULL)
		ring_finalize(env, ring, NULL);
	return handle;
}

/* Copies whole records up to `room`; returns the bytes written and moves `position`. */
static size_t drain(const struct ring *ring, uint64_t *position, uint8_t *out, size_t room)
{
	uint64_t end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	size_t used = 0;

	while (*position < end) {
		const uint8_t *record = ring->data + (*position & (ring->size - 1));
		uint32_t header = __atomic_load_n((const uint32_t *)record, __ATOMIC_ACQUIRE);
		uint32_t length = header & ~(BUSY | DISCARDED);
		size_t total = ((size_t)length + HEADER_BYTES + 7) & ~(size_t)7;

		if (header & BUSY)
			break;
		if (total > ring->size)
			break; /* not possible from a kernel that keeps its word */
		if (!(header & DISCARDED)) {
			if (used + total > room)
				break;
			memcpy(out + used, &length, 4);
			memset(out + used + 4, 0, 4);
			memcpy(out + used + HEADER_BYTES, record + HEADER_BYTES, total - HEADER_BYTES);
			used += total;
		}
		*position += total;
	}
	return used;
}

/*
 * ringDrain(ring, maxBytes): a Buffer of whole records, empty when there are none. When the next record is longer than
 * maxBytes nothing can be drained: give at least the longest record plus 8.
 */
static napi_value ring_drain(napi_env env, napi_callback_info info)
{
	uint64_t position, pending;
	struct ring *ring;
	napi_value result;
	struct args a;
	uint32_t room;
	size_t used;
	uint8_t *out;

	if (!args_read(env, info, &a))
		return NULL;
	ring = handle_get(&a, 0, &ring_kind);
	if (ring == NULL || !arg_u32(&a, 1, "maxBytes", &room))
		return NULL;
	if (ring->consumer == NULL)
		return throw_errno(env, EBADF, "ringDrain", "the ring's handle is closed");
	position = __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE);
	pending = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) - position;
	if (pending > ring->size)
		pending = ring->size;
	if (room > pending)
		room = (uint32_t)pending;
	if (room == 0)
		return make_bytes(env, NULL, 0);
	out = malloc(room);
	if (out == NULL)
		return throw_errno(env, ENOMEM, "malloc", NULL);
	used = drain(ring, &position, out, room);
	result = make_bytes(env, out, used);
	free(out);
	/* Only what has become JavaScript's is given back. */
	if (result != NULL)
		__atomic_store_n(ring->consumer, position, __ATOMIC_RELEASE);
	return result;
}

/* ringPending(ring): bytes that wait, headers included */
static napi_value ring_pending(napi_env env, napi_callback_info info)
{
	struct ring *ring;
	struct args a;

	if (!args_read(env, info, &a))
		return NULL;
	ring = handle_get(&a, 0, &ring_kind);
	if (ring == NULL)
		return NULL;
	if (ring->consumer == NULL)
		return throw_errno(env, EBADF, "ringPending", "the ring's handle is closed");
	return make_number(env, (double)(__atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) -
					 __atomic_load_n(ring->consumer, __ATOMIC_ACQUIRE)));
}

/* ringClose(ring): closing twice is no error */
static napi_value ring_close(napi_env env, napi_callback_info info)
{
	struct ring *ring;
	struct args a;

	if (!args_read(env, info, &a))
		return NULL;
	ring = handle_get(&a, 0, &ring_kind);
	if (ring == NULL)
		return NULL;
	ring_unmap(ring);
	return make_undefined(env);
}

bool init_rings(napi_env env, napi_value exports)
{
	static const struct export list[] = {
		{ "ringOpen", ring_open },
		{ "ringDrain", ring_drain },
		{ "ringPending", ring_pending },
		{ "ringClose", ring_close },
	};
	return EXPORT_ALL(env, exports, list);
}
