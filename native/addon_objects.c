/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BPF object files through libbpf, in steps, so that TypeScript decides which maps are adopted, resized or pinned:
 * objectOpen, objectMaps, objectResize/objectReuse/objectLeaveOut, objectLoad, objectPrograms, objectClose.
 *
 * libbpf trusts the file: one that was damaged on purpose can crash it. Give it only Twill's own, never outside input.
 */
#include "addon.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The last of what libbpf and the verifier had to say; the end names the fault. */
#define LOG_BYTES 8192
/* One line of libbpf's may carry a whole verifier log. */
#define MESSAGE_BYTES (1 << 20)

struct object {
	struct bpf_object *object; /* NULL: closed */
	bool is_loaded;
};

static _Thread_local char log_text[LOG_BYTES + 1];
static _Thread_local size_t log_length;

static int keep_log(enum libbpf_print_level level, const char *format, va_list list)
{
	char *message;
	size_t length, drop;
	int printed;

	if (level == LIBBPF_DEBUG)
		return 0;
	message = malloc(MESSAGE_BYTES);
	if (message == NULL)
		return 0;
	printed = vsnprintf(message, MESSAGE_BYTES, format, list);
	length = printed < 0 ? 0 : (size_t)printed < MESSAGE_BYTES ? (size_t)printed : MESSAGE_BYTES - 1;
	if (length >= LOG_BYTES) {
		memcpy(log_text, message + length - LOG_BYTES, LOG_BYTES);
		log_length = LOG_BYTES;
	} else {
		drop = log_length + length > LOG_BYTES ? log_length + length - LOG_BYTES : 0;
		memmove(log_text, log_text + drop, log_length - drop);
		log_length -= drop;
		memcpy(log_text + log_length, message, length);
		log_length += length;
	}
	log_text[log_length] = '\0';
	free(message);
	return 0;
}

static void log_begin(void)
{
	log_length = 0;
	log_text[0] = '\0';
	libbpf_set_print(keep_log);
}

static void object_finalize(napi_env env, void *data, void *hint)
{
	struct object *object = data;

	(void)env;
	(void)hint;
	bpf_object__close(object->object);
	free(object);
}

static const struct handle_kind object_kind = {
	"BPF object", { 0x7477696c6c6f626aull, 0x5be1a0937c64d202ull }, object_finalize
};

static struct object *arg_object(const struct args *a)
{
	struct object *object = handle_get(a, 0, &object_kind);

	if (object != NULL && object->object == NULL) {
		throw_errno(a->env, EBADF, "bpf", "the object's handle is closed");
		return NULL;
	}
	return object;
}

/* objectOpen(elf: Uint8Array, name): handle. The bytes are copied. */
static napi_value object_open(napi_env env, napi_callback_info info)
{
	LIBBPF_OPTS(bpf_object_open_opts, options);
	struct object *object;
	struct bytes elf;
	napi_value handle;
	char name[64];
	struct args a;

	if (!args_read(env, info, &a) || !arg_bytes(&a, 0, "elf", &elf) || !arg_text(&a, 1, "name", name, sizeof(name)))
		return NULL;
	object = calloc(1, sizeof(*object));
	if (object == NULL)
		return throw_errno(env, ENOMEM, "calloc", NULL);
	options.object_name = name;
	log_begin();
	/* libbpf copies what it needs of the sections while it opens, and reads nothing afterwards. */
	object->object = bpf_object__open_mem(elf.data, elf.length, &options);
	if (object->object == NULL) {
		int err = errno;
		free(object);
		return throw_errno(env, err, "bpf_object__open_mem", log_text);
	}
	handle = handle_make(env, &object_kind, object);
	if (handle == NULL)
		object_finalize(env, object, NULL);
	return handle;
}

static napi_value describe_map(napi_env env, const struct bpf_map *map)
{
	napi_value result;

	if (napi_create_object(env, &result) != napi_ok)
		return throw_napi(env, "napi_create_object");
	if (!set_text(env, result, "name", bpf_map__name(map)) || !set_number(env, result, "type", bpf_map__type(map)) ||
	    !set_number(env, result, "keyBytes", bpf_map__key_size(map)) ||
	    !set_number(env, result, "valueBytes", bpf_map__value_size(map)) ||
	    !set_number(env, result, "maxEntries", bpf_map__max_entries(map)) ||
	    !set_number(env, result, "flags", bpf_map__map_flags(map)) ||
	    !set_number(env, result, "fd", bpf_map__fd(map)) ||
	    !set_value(env, result, "isInternal", make_bool(env, bpf_map__is_internal(map))))
		return NULL;
	return result;
}

/* objectMaps(object): [{ name, type, keyBytes, valueBytes, maxEntries, flags, fd, isInternal }]; fd -1 until loaded */
static napi_value object_maps(napi_env env, napi_callback_info info)
{
	struct object *object;
	struct bpf_map *map;
	napi_value list;
	uint32_t count = 0;
	struct args a;

	if (!args_read(env, info, &a))
		return NULL;
	object = arg_object(&a);
	if (object == NULL)
		return NULL;
	if (napi_create_array(env, &list) != napi_ok)
		return throw_napi(env, "napi_create_array");
	bpf_object__for_each_map(map, object->object) {
		napi_value entry = describe_map(env, map);
		if (entry == NULL)
			return NULL;
		if (napi_set_element(env, list, count++, entry) != napi_ok)
			return throw_napi(env, "napi_set_element");
	}
	return list;
}

/* The named map of an object that is not loaded yet; NULL with an exception. */
static struct bpf_map *arg_unloaded_map(const struct args *a, struct object **out)
{
	struct object *object = arg_object(a);
	struct bpf_map *map;
	char name[256];

	if (object == NULL || !arg_text(a, 1, "map", name, sizeof(name)))
		return NULL;
	*out = object;
	map = object->is_loaded ? NULL : bpf_object__find_map_by_name(object->object, name);
	if (map == NULL)
		throw_errno(a->env, object->is_loaded ? EBUSY : ENOENT, "bpf_object__find_map_by_name", name);
	return map;
}

/* objectResize(object, map, maxEntries) */
static napi_value object_resize(napi_env env, napi_callback_info info)
{
	struct object *object;
	struct bpf_map *map;
	uint32_t entries;
	struct args a;
	int err;

	if (!args_read(env, info, &a))
		return NULL;
	map = arg_unloaded_map(&a, &object);
	if (map == NULL || !arg_u32(&a, 2, "maxEntries", &entries))
		return NULL;
	err = bpf_map__set_max_entries(map, entries);
	return err != 0 ? throw_errno(env, -err, "bpf_map__set_max_entries", NULL) : make_undefined(env);
}

/* objectReuse(object, map, fd): the object will use this map; the descriptor stays the caller's */
static napi_value object_reuse(napi_env env, napi_callback_info info)
{
	struct object *object;
	struct bpf_map *map;
	struct args a;
	int fd, err;

	if (!args_read(env, info, &a))
		return NULL;
	map = arg_unloaded_map(&a, &object);
	if (map == NULL || !arg_fd(&a, 2, &fd))
		return NULL;
	log_begin();
	err = bpf_map__reuse_fd(map, fd);
	return err != 0 ? throw_errno(env, -err, "bpf_map__reuse_fd", log_text) : make_undefined(env);
}

/* objectLeaveOut(object, program): the program will not be loaded */
static napi_value object_leave_out(napi_env env, napi_callback_info info)
{
	struct bpf_program *program;
	struct object *object;
	char name[256];
	struct args a;
	int err;

	if (!args_read(env, info, &a))
		return NULL;
	object = arg_object(&a);
	if (object == NULL || !arg_text(&a, 1, "program", name, sizeof(name)))
		return NULL;
	program = object->is_loaded ? NULL : bpf_object__find_program_by_name(object->object, name);
	if (program == NULL)
		return throw_errno(env, object->is_loaded ? EBUSY : ENOENT, "bpf_object__find_program_by_name", name);
	err = bpf_program__set_autoload(program, false);
	return err != 0 ? throw_errno(env, -err, "bpf_program__set_autoload", name) : make_undefined(env);
}

/* hasProgramType(type): whether this kernel loads programs of a kind (enum bpf_prog_type): a trivial one is tried */
static napi_value has_program_type(napi_env env, napi_callback_info info)
{
	struct args a;
	uint32_t type;
	int found;

	if (!args_read(env, info, &a) || !arg_u32(&a, 0, "type", &type))
		return NULL;
	log_begin();
	found = libbpf_probe_bpf_prog_type((enum bpf_prog_type)type, NULL);
	return found < 0 ? throw_errno(env, -found, "libbpf_probe_bpf_prog_type", log_text) : make_bool(env, found > 0);
}

/* objectLoad(object): creates the maps that are not reused and loads all programs */
static napi_value object_load(napi_env env, napi_callback_info info)
{
	struct object *object;
	struct bpf_map *map;
	struct args a;
	int err;

	if (!args_read(env, info, &a))
		return NULL;
	object = arg_object(&a);
	if (object == NULL)
		return NULL;
	if (object->is_loaded)
		return throw_errno(env, EBUSY, "bpf_object__load", "the object is loaded already");
	/* Pinning is the caller's: a pinning that the object asks for would go around its decisions. */
	bpf_object__for_each_map(map, object->object)
		bpf_map__set_pin_path(map, NULL);
	log_begin();
	err = bpf_object__load(object->object);
	if (err != 0)
		return throw_errno(env, -err, "bpf_object__load", log_text);
	object->is_loaded = true;
	return make_undefined(env);
}

/* objectPrograms(object): [{ name, section, type, fd }]; the descriptors are the object's, -1 until loaded */
static napi_value object_programs(napi_env env, napi_callback_info info)
{
	struct bpf_program *program;
	struct object *object;
	napi_value list, entry;
	uint32_t count = 0;
	struct args a;

	if (!args_read(env, info, &a))
		return NULL;
	object = arg_object(&a);
	if (object == NULL)
		return NULL;
	if (napi_create_array(env, &list) != napi_ok)
		return throw_napi(env, "napi_create_array");
	bpf_object__for_each_program(program, object->object) {
		int fd = object->is_loaded ? bpf_program__fd(program) : -1;
		if (napi_create_object(env, &entry) != napi_ok)
			return throw_napi(env, "napi_create_object");
		if (!set_text(env, entry, "name", bpf_program__name(program)) ||
		    !set_text(env, entry, "section", bpf_program__section_name(program)) ||
		    !set_number(env, entry, "type", bpf_program__type(program)) ||
		    !set_number(env, entry, "fd", fd < 0 ? -1 : fd))
			return NULL;
		if (napi_set_element(env, list, count++, entry) != napi_ok)
			return throw_napi(env, "napi_set_element");
	}
	return list;
}

/* objectClose(object): closes its descriptors; closing twice is no error */
static napi_value object_close(napi_env env, napi_callback_info info)
{
	struct object *object;
	struct args a;

	if (!args_read(env, info, &a))
		return NULL;
	object = handle_get(&a, 0, &object_kind);
	if (object == NULL)
		return NULL;
	bpf_object__close(object->object);
	object->object = NULL;
	return make_undefined(env);
}

/* dupFd(fd): a copy that is the caller's own */
static napi_value dup_fd(napi_env env, napi_callback_info info)
{
	struct args a;
	int fd, copy;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd))
		return NULL;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return copy < 0 ? throw_errno(env, errno, "fcntl", NULL) : make_number(env, copy);
}

bool init_objects(napi_env env, napi_value exports)
{
	static const struct export list[] = {
		{ "objectOpen", object_open },	   { "objectMaps", object_maps },
		{ "objectResize", object_resize }, { "objectReuse", object_reuse },
		{ "objectLoad", object_load },	   { "objectPrograms", object_programs },
		{ "objectClose", object_close },   { "dupFd", dup_fd },
		{ "objectLeaveOut", object_leave_out }, { "hasProgramType", has_program_type },
	};
	return EXPORT_ALL(env, exports, list);
}
