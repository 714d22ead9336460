/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BPF programs and links by descriptor: pin, get, describe, test run, attachment by tcx and to control groups. libbpf 1.1 knows no tcx, and
 * Debian's headers no structure for it: the attribute layouts below are the kernel's ABI (Linux 6.6).
 */
#include "addon.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_MAP_IDS 128
#define MAX_QUERY 64
#define TEST_RUN_ROOM 4096
#define MAX_TEST_DATA (1u << 20)

#define CMD_LINK_CREATE 28
#define CMD_LINK_UPDATE 29
#define CMD_LINK_DETACH 34

struct tcx_create {
	uint32_t prog_fd, ifindex /* or the control group's descriptor */, attach_type, flags, relative, pad;
	uint64_t expected_revision;
};

struct link_update {
	uint32_t link_fd, new_prog_fd, flags, old_prog_fd;
};

struct mprog_query {
	uint32_t ifindex, attach_type, query_flags, attach_flags;
	uint64_t prog_ids;
	uint32_t count, pad;
	uint64_t prog_attach_flags, link_ids, link_attach_flags, revision;
};

struct link_details {
	uint32_t type, id, prog_id, pad;
	union {
		struct {
			uint32_t ifindex, attach_type;
		} device;
		struct {
			uint64_t cgroup_id;
			uint32_t attach_type;
		} cgroup;
		uint8_t rest[72]; /* of link types with more to say */
	};
};

#define LINK_TYPE_CGROUP 3

/* objPin(fd, path) */
static napi_value obj_pin(napi_env env, napi_callback_info info)
{
	union bpf_attr attr = { 0 };
	char path[PATH_BYTES];
	struct args a;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd) || !arg_text(&a, 1, "path", path, sizeof(path)))
		return NULL;
	attr.pathname = (uintptr_t)path;
	attr.bpf_fd = (uint32_t)fd;
	if (sys_bpf(BPF_OBJ_PIN, &attr, sizeof(attr)) != 0)
		return throw_errno(env, errno, "bpf", path);
	return make_undefined(env);
}

/* objGet(path): fd, or undefined when there is no such file */
static napi_value obj_get(napi_env env, napi_callback_info info)
{
	union bpf_attr attr = { 0 };
	char path[PATH_BYTES];
	struct args a;
	long fd;

	if (!args_read(env, info, &a) || !arg_text(&a, 0, "path", path, sizeof(path)))
		return NULL;
	attr.pathname = (uintptr_t)path;
	fd = sys_bpf(BPF_OBJ_GET, &attr, sizeof(attr));
	if (fd >= 0)
		return make_number(env, (double)fd);
	return errno == ENOENT ? make_undefined(env) : throw_errno(env, errno, "bpf", path);
}

/* False with an exception when the descriptor is not of the wanted kind: the kernel would answer another structure. */
static bool get_info(napi_env env, int fd, const char *kind, void *details, uint32_t size)
{
	union bpf_attr attr = { 0 };
	char path[64], target[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
	length = readlink(path, target, sizeof(target) - 1);
	if (length < 0) {
		throw_errno(env, errno == ENOENT ? EBADF : errno, "readlink", NULL);
		return false;
	}
	target[length] = '\0';
	if (strstr(target, kind) == NULL) {
		throw_errno(env, EINVAL, "bpf", "the descriptor is of another kind");
		return false;
	}
	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = size;
	attr.info.info = (uintptr_t)details;
	if (sys_bpf(BPF_OBJ_GET_INFO_BY_FD, &attr, sizeof(attr)) == 0)
		return true;
	throw_errno(env, errno, "bpf", "BPF_OBJ_GET_INFO_BY_FD");
	return false;
}

static napi_value make_ids(napi_env env, const uint32_t *ids, uint32_t count)
{
	napi_value list;

	if (napi_create_array_with_length(env, count, &list) != napi_ok)
		return throw_napi(env, "napi_create_array_with_length");
	for (uint32_t i = 0; i < count; i++) {
		napi_value id = make_number(env, ids[i]);
		if (id == NULL)
			return NULL;
		if (napi_set_element(env, list, i, id) != napi_ok)
			return throw_napi(env, "napi_set_element");
	}
	return list;
}

/* progInfo(fd): { id, type, name, tag, mapIds } */
static napi_value prog_info(napi_env env, napi_callback_info info)
{
	char name[BPF_OBJ_NAME_LEN + 1] = "", tag[2 * BPF_TAG_SIZE + 1];
	struct bpf_prog_info details = { 0 };
	uint32_t ids[MAX_MAP_IDS];
	napi_value result;
	struct args a;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd))
		return NULL;
	details.map_ids = (uintptr_t)ids;
	details.nr_map_ids = MAX_MAP_IDS;
	if (!get_info(env, fd, "bpf-prog", &details, sizeof(details)))
		return NULL;
	if (details.nr_map_ids > MAX_MAP_IDS)
		return throw_range(env, "The program uses %u maps, more than %d", details.nr_map_ids, MAX_MAP_IDS);
	memcpy(name, details.name, BPF_OBJ_NAME_LEN);
	for (int i = 0; i < BPF_TAG_SIZE; i++)
		snprintf(tag + 2 * i, 3, "%02x", details.tag[i]);
	if (napi_create_object(env, &result) != napi_ok)
		return throw_napi(env, "napi_create_object");
	if (!set_number(env, result, "id", details.id) || !set_number(env, result, "type", details.type) ||
	    !set_text(env, result, "name", name) || !set_text(env, result, "tag", tag) ||
	    !set_value(env, result, "mapIds", make_ids(env, ids, details.nr_map_ids)))
		return NULL;
	return result;
}

/*
 * linkInfo(fd): { id, progId, type, ifindex, cgroupId, attachType }; ifindex 0 of a tcx link says that the device is gone,
 * cgroupId 0 of a link of a control group that the group is
 */
static napi_value link_info(napi_env env, napi_callback_info info)
{
	struct link_details details = { 0 };
	napi_value result;
	bool is_cgroup;
	struct args a;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd) ||
	    /* "bpf_link" when created, "bpf-link" when opened from a pin. */
	    !get_info(env, fd, "link", &details, sizeof(details)))
		return NULL;
	if (napi_create_object(env, &result) != napi_ok)
		return throw_napi(env, "napi_create_object");
	is_cgroup = details.type == LINK_TYPE_CGROUP;
	if (!set_number(env, result, "id", details.id) || !set_number(env, result, "progId", details.prog_id) ||
	    !set_number(env, result, "type", details.type) ||
	    !set_number(env, result, "ifindex", is_cgroup ? 0 : details.device.ifindex) ||
	    /* Exact as a double: inode numbers of this file system count up from 1. */
	    !set_number(env, result, "cgroupId", is_cgroup ? (double)details.cgroup.cgroup_id : 0) ||
	    !set_number(env, result, "attachType",
			is_cgroup ? details.cgroup.attach_type : details.device.attach_type))
		return NULL;
	return result;
}

static napi_value fd_by_id(napi_env env, napi_callback_info info, int cmd)
{
	union bpf_attr attr = { 0 };
	struct args a;
	uint32_t id;
	long fd;

	if (!args_read(env, info, &a) || !arg_u32(&a, 0, "id", &id))
		return NULL;
	attr.prog_id = id;
	fd = sys_bpf(cmd, &attr, sizeof(attr));
	if (fd >= 0)
		return make_number(env, (double)fd);
	return errno == ENOENT ? make_undefined(env) : throw_errno(env, errno, "bpf", "BPF_*_GET_FD_BY_ID");
}

/* mapById(id): fd or undefined */
static napi_value map_by_id(napi_env env, napi_callback_info info)
{
	return fd_by_id(env, info, BPF_MAP_GET_FD_BY_ID);
}

/* progById(id): fd or undefined */
static napi_value prog_by_id(napi_env env, napi_callback_info info)
{
	return fd_by_id(env, info, BPF_PROG_GET_FD_BY_ID);
}

/* tcxCreate(netns: string | fd | undefined, progFd, ifindex, attachType): link fd */
static napi_value tcx_create(napi_env env, napi_callback_info info)
{
	struct tcx_create attr = { 0 };
	struct ns_switch sw;
	struct args a;
	int fd, err;
	long link;

	if (!args_read(env, info, &a) || !arg_fd(&a, 1, &fd) || !arg_u32(&a, 2, "ifindex", &attr.ifindex) ||
	    !arg_u32(&a, 3, "attachType", &attr.attach_type) || !ns_enter(&a, 0, &sw))
		return NULL;
	attr.prog_fd = (uint32_t)fd;
	link = sys_bpf(CMD_LINK_CREATE, &attr, sizeof(attr));
	err = errno;
	ns_leave(&sw);
	return link < 0 ? throw_errno(env, err, "bpf", "BPF_LINK_CREATE") : make_number(env, (double)link);
}

/* cgroupCreate(path, progFd, attachType): link fd; other programs on the same hook of the group stay */
static napi_value cgroup_create(napi_env env, napi_callback_info info)
{
	struct tcx_create attr = { 0 };
	char path[PATH_BYTES];
	struct args a;
	int group, fd, err;
	long link;

	if (!args_read(env, info, &a) || !arg_text(&a, 0, "path", path, sizeof(path)) || !arg_fd(&a, 1, &fd) ||
	    !arg_u32(&a, 2, "attachType", &attr.attach_type))
		return NULL;
	group = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (group < 0)
		return throw_errno(env, errno, "open", path);
	attr.prog_fd = (uint32_t)fd;
	attr.ifindex = (uint32_t)group;
	link = sys_bpf(CMD_LINK_CREATE, &attr, sizeof(attr));
	err = errno;
	close(group);
	return link < 0 ? throw_errno(env, err, "bpf", "BPF_LINK_CREATE") : make_number(env, (double)link);
}

/* linkUpdate(linkFd, progFd): replaces the link's program atomically */
static napi_value link_update(napi_env env, napi_callback_info info)
{
	struct link_update attr = { 0 };
	struct args a;
	int link, prog;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &link) || !arg_fd(&a, 1, &prog))
		return NULL;
	attr.link_fd = (uint32_t)link;
	attr.new_prog_fd = (uint32_t)prog;
	if (sys_bpf(CMD_LINK_UPDATE, &attr, sizeof(attr)) != 0)
		return throw_errno(env, errno, "bpf", "BPF_LINK_UPDATE");
	return make_undefined(env);
}

/* linkDetach(linkFd): takes the program off its device or control group now; closing the last descriptor does so some time later */
static napi_value link_detach(napi_env env, napi_callback_info info)
{
	uint32_t attr;
	struct args a;
	int link;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &link))
		return NULL;
	attr = (uint32_t)link;
	if (sys_bpf(CMD_LINK_DETACH, &attr, sizeof(attr)) != 0)
		return throw_errno(env, errno, "bpf", "BPF_LINK_DETACH");
	return make_undefined(env);
}

/* tcxQuery(netns: string | fd | undefined, ifindex, attachType): { progIds, linkIds, revision } */
static napi_value tcx_query(napi_env env, napi_callback_info info)
{
	uint32_t progs[MAX_QUERY], links[MAX_QUERY] = { 0 };
	struct mprog_query attr = { 0 };
	struct ns_switch sw;
	napi_value result;
	struct args a;
	int err = 0;

	if (!args_read(env, info, &a) || !arg_u32(&a, 1, "ifindex", &attr.ifindex) ||
	    !arg_u32(&a, 2, "attachType", &attr.attach_type) || !ns_enter(&a, 0, &sw))
		return NULL;
	attr.prog_ids = (uintptr_t)progs;
	attr.link_ids = (uintptr_t)links;
	attr.count = MAX_QUERY;
	if (sys_bpf(BPF_PROG_QUERY, &attr, sizeof(attr)) != 0)
		err = errno;
	ns_leave(&sw);
	if (err == ENOENT)
		attr.count = 0;
	else if (err != 0)
		return throw_errno(env, err, "bpf", "BPF_PROG_QUERY");
	if (napi_create_object(env, &result) != napi_ok)
		return throw_napi(env, "napi_create_object");
	if (!set_value(env, result, "progIds", make_ids(env, progs, attr.count)) ||
	    !set_value(env, result, "linkIds", make_ids(env, links, attr.count)) ||
	    !set_number(env, result, "revision", (double)attr.revision))
		return NULL;
	return result;
}

static napi_value test_result(napi_env env, const union bpf_attr *attr, const void *data, const void *ctx)
{
	napi_value result;

	if (napi_create_object(env, &result) != napi_ok)
		return throw_napi(env, "napi_create_object");
	if (!set_number(env, result, "retval", (int32_t)attr->test.retval) ||
	    !set_number(env, result, "durationNs", attr->test.duration) ||
	    !set_value(env, result, "data", make_bytes(env, data, attr->test.data_size_out)) ||
	    !set_value(env, result, "ctx", make_bytes(env, ctx, attr->test.ctx_size_out)))
		return NULL;
	return result;
}

/* testRun(netns, progFd, data, ctx: Uint8Array | undefined, repeat): { retval, durationNs, data, ctx } */
static napi_value test_run(napi_env env, napi_callback_info info)
{
	struct bytes data, ctx = { 0 };
	union bpf_attr attr = { 0 };
	napi_value result = NULL;
	struct ns_switch sw;
	uint32_t room;
	uint8_t *out;
	struct args a;
	int fd, err;

	if (!args_read(env, info, &a) || !arg_fd(&a, 1, &fd) || !arg_bytes(&a, 2, "data", &data) ||
	    (!arg_is_undefined(&a, 3) && !arg_bytes(&a, 3, "ctx", &ctx)) ||
	    !arg_u32(&a, 4, "repeat", &attr.test.repeat))
		return NULL;
	if (data.length > MAX_TEST_DATA || ctx.length > TEST_RUN_ROOM)
		return throw_range(env, "Argument \"data\" or \"ctx\" is too long");
	room = (uint32_t)data.length + TEST_RUN_ROOM;
	out = calloc(1, room + ctx.length + 1);
	if (out == NULL)
		return throw_errno(env, ENOMEM, "calloc", NULL);
	attr.test.prog_fd = (uint32_t)fd;
	attr.test.data_in = (uintptr_t)data.data;
	attr.test.data_size_in = (uint32_t)data.length;
	attr.test.data_out = (uintptr_t)out;
	attr.test.data_size_out = room;
	attr.test.ctx_in = (uintptr_t)ctx.data;
	attr.test.ctx_size_in = (uint32_t)ctx.length;
	attr.test.ctx_out = ctx.length > 0 ? (uintptr_t)(out + room) : 0;
	attr.test.ctx_size_out = (uint32_t)ctx.length;
	if (ns_enter(&a, 0, &sw)) {
		err = sys_bpf(BPF_PROG_TEST_RUN, &attr, sizeof(attr)) == 0 ? 0 : errno;
		ns_leave(&sw);
		if (err != 0)
			throw_errno(env, err, "bpf", "BPF_PROG_TEST_RUN");
		else if (attr.test.data_size_out > room || attr.test.ctx_size_out > ctx.length)
			throw_range(env, "The kernel answered more than there was room for");
		else
			result = test_result(env, &attr, out, out + room);
	}
	free(out);
	return result;
}

bool init_links(napi_env env, napi_value exports)
{
	static const struct export list[] = {
		{ "objPin", obj_pin },	     { "objGet", obj_get },	{ "progInfo", prog_info },
		{ "linkInfo", link_info },   { "mapById", map_by_id },	{ "progById", prog_by_id },
		{ "tcxCreate", tcx_create }, { "linkUpdate", link_update }, { "tcxQuery", tcx_query },
		{ "linkDetach", link_detach }, { "cgroupCreate", cgroup_create },
		{ "testRun", test_run },
	};
	return EXPORT_ALL(env, exports, list);
}
