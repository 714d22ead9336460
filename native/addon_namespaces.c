/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces and mounts. A network namespace belongs to a thread: everything here changes the calling thread only, and
 * /proc/self (the process' main thread) may therefore disagree with /proc/thread-self.
 */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Opens a path or duplicates a descriptor of a network namespace; -1 with an exception pending. */
static int open_netns(const struct args *a, size_t i)
{
	napi_valuetype type = napi_undefined;
	char path[PATH_BYTES];
	int fd;

	if (i < a->count)
		napi_typeof(a->env, a->v[i], &type);
	if (type == napi_number) {
		if (!arg_fd(a, i, &fd))
			return -1;
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (fd < 0)
			throw_errno(a->env, errno, "fcntl", "network namespace");
	} else {
		if (!arg_text(a, i, "netns", path, sizeof(path)))
			return -1;
		/* O_NONBLOCK: a FIFO in the path's place must not hang the agent. */
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd < 0)
			throw_errno(a->env, errno, "open", path);
	}
	return fd;
}

bool ns_enter(const struct args *a, size_t i, struct ns_switch *sw)
{
	int target;

	sw->home = -1;
	if (arg_is_undefined(a, i))
		return true;
	target = open_netns(a, i);
	if (target < 0)
		return false;
	sw->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (sw->home < 0) {
		throw_errno(a->env, errno, "open", "/proc/thread-self/ns/net");
	} else if (setns(target, CLONE_NEWNET) != 0) {
		throw_errno(a->env, errno, "setns", "network namespace");
		close(sw->home);
		sw->home = -1;
	}
	close(target);
	return sw->home >= 0;
}

void ns_leave(struct ns_switch *sw)
{
	if (sw->home < 0)
		return;
	if (setns(sw->home, CLONE_NEWNET) != 0) {
		perror("Cannot return to the own network namespace");
		abort();
	}
	close(sw->home);
	sw->home = -1;
}

/* openNetns(netns: string): fd */
static napi_value open_netns_fn(napi_env env, napi_callback_info info)
{
	struct args a;
	int fd;

	if (!args_read(env, info, &a))
		return NULL;
	fd = open_netns(&a, 0);
	return fd < 0 ? NULL : make_number(env, fd);
}

/* netnsId(netns: string | fd): "dev:ino", or undefined when the path leads to no network namespace */
static napi_value netns_id(napi_env env, napi_callback_info info)
{
	napi_valuetype type = napi_undefined;
	struct args a;
	struct stat st;
	struct statfs fs;
	char path[PATH_BYTES], text[64];
	int fd;

	if (!args_read(env, info, &a))
		return NULL;
	if (a.count > 0)
		napi_typeof(env, a.v[0], &type);
	if (type == napi_number) {
		fd = open_netns(&a, 0);
		if (fd < 0)
			return NULL;
	} else {
		if (!arg_text(&a, 0, "netns", path, sizeof(path)))
			return NULL;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ESRCH || errno == ELOOP ||
			       errno == ENXIO || errno == ENAMETOOLONG))
			return make_undefined(env);
		if (fd < 0)
			return throw_errno(env, errno, "open", path);
	}
	/* `ip netns add` leaves an empty file behind when the bind mount went away: that is no namespace. */
	if (fstatfs(fd, &fs) != 0 || fs.f_type != NSFS_MAGIC || ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
		close(fd);
		return make_undefined(env);
	}
	if (fstat(fd, &st) != 0) {
		int err = errno;
		close(fd);
		return throw_errno(env, err, "fstat", NULL);
	}
	close(fd);
	snprintf(text, sizeof(text), "%u:%llu", (unsigned)((major(st.st_dev) << 20) | minor(st.st_dev)),
		 (unsigned long long)st.st_ino);
	return make_text(env, text);
}

/* withNetns(netns: string | fd, fn: () => T): T */
static napi_value with_netns(napi_env env, napi_callback_info info)
{
	napi_valuetype type = napi_undefined;
	napi_value global, result = NULL;
	napi_status status;
	struct ns_switch sw;
	struct args a;
	bool is_promise = false;

	if (!args_read(env, info, &a))
		return NULL;
	if (a.count > 1)
		napi_typeof(env, a.v[1], &type);
	if (type != napi_function)
		return throw_type(env, "Argument \"fn\" must be a function");
	if (arg_is_undefined(&a, 0))
		return throw_type(env, "Argument \"netns\" must be a path or a descriptor");
	if (napi_get_global(env, &global) != napi_ok)
		return throw_napi(env, "napi_get_global");
	if (!ns_enter(&a, 0, &sw))
		return NULL;
	status = napi_call_function(env, global, a.v[1], 0, NULL, &result);
	ns_leave(&sw);
	if (status != napi_ok)
		return throw_napi(env, "napi_call_function");
	napi_is_promise(env, result, &is_promise);
	if (is_promise)
		return throw_type(env, "Argument \"fn\" must not be async: it would go on outside the namespace");
	return result;
}

/* unshare(flags): of the calling thread */
static napi_value unshare_fn(napi_env env, napi_callback_info info)
{
	struct args a;
	uint32_t flags;

	if (!args_read(env, info, &a) || !arg_u32(&a, 0, "flags", &flags))
		return NULL;
	if (unshare((int)flags) != 0)
		return throw_errno(env, errno, "unshare", NULL);
	return make_undefined(env);
}

/* setns(fd, nstype): of the calling thread */
static napi_value setns_fn(napi_env env, napi_callback_info info)
{
	struct args a;
	uint32_t type;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd) || !arg_u32(&a, 1, "type", &type))
		return NULL;
	if (setns(fd, (int)type) != 0)
		return throw_errno(env, errno, "setns", NULL);
	return make_undefined(env);
}

/* mount(source, target, type, flags, data) */
static napi_value mount_fn(napi_env env, napi_callback_info info)
{
	char source[PATH_BYTES], target[PATH_BYTES], type[64], data[PATH_BYTES];
	struct args a;
	uint32_t flags;

	if (!args_read(env, info, &a) || !arg_text(&a, 0, "source", source, sizeof(source)) ||
	    !arg_text(&a, 1, "target", target, sizeof(target)) || !arg_text(&a, 2, "type", type, sizeof(type)) ||
	    !arg_u32(&a, 3, "flags", &flags) || !arg_text(&a, 4, "data", data, sizeof(data)))
		return NULL;
	if (mount(source, target, type[0] ? type : NULL, flags, data[0] ? data : NULL) != 0)
		return throw_errno(env, errno, "mount", target);
	return make_undefined(env);
}

/* umount(target, flags) */
static napi_value umount_fn(napi_env env, napi_callback_info info)
{
	char target[PATH_BYTES];
	struct args a;
	uint32_t flags;

	if (!args_read(env, info, &a) || !arg_text(&a, 0, "target", target, sizeof(target)) ||
	    !arg_u32(&a, 1, "flags", &flags))
		return NULL;
	if (umount2(target, (int)flags) != 0)
		return throw_errno(env, errno, "umount2", target);
	return make_undefined(env);
}

bool init_namespaces(napi_env env, napi_value exports)
{
	static const struct export list[] = {
		{ "openNetns", open_netns_fn }, { "netnsId", netns_id }, { "withNetns", with_netns },
		{ "unshare", unshare_fn },	{ "setns", setns_fn },	 { "mount", mount_fn },
		{ "umount", umount_fn },
	};
	return EXPORT_ALL(env, exports, list);
}
