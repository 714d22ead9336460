/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to the process: descriptors in general, and the memory that its allocator keeps. */
#include "addon.h"

#include <errno.h>
#include <malloc.h>
#include <unistd.h>

/* close(fd) */
static napi_value close_fn(napi_env env, napi_callback_info info)
{
	struct args a;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd))
		return NULL;
	/* EINTR still closes on Linux: trying again could close somebody else's descriptor. */
	if (close(fd) != 0 && errno != EINTR)
		return throw_errno(env, errno, "close", NULL);
	return make_undefined(env);
}

/* trimMemory(keepBytes): gives free pages of all arenas back to the kernel, but so many bytes at the end of the first */
static napi_value trim_memory(napi_env env, napi_callback_info info)
{
	struct args a;
	uint32_t keep;

	if (!args_read(env, info, &a) || !arg_u32(&a, 0, "keepBytes", &keep))
		return NULL;
	malloc_trim(keep);
	return make_undefined(env);
}

bool init_files(napi_env env, napi_value exports)
{
	static const struct export list[] = { { "close", close_fn }, { "trimMemory", trim_memory } };
	return EXPORT_ALL(env, exports, list);
}
