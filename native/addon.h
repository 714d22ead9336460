/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the addon's files share: argument checks, results, errors.
 *
 * Rules of the house: every length is checked against what the kernel will read or write; a wrong argument throws a
 * TypeError or RangeError and touches nothing; a failed system call throws an Error with `code` ("EEXIST"), `errno`
 * (positive) and `syscall`. Functions that return napi_value return NULL exactly when an exception is pending.
 */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_ARGS 8
#define PATH_BYTES 4096

struct args {
	napi_env env;
	size_t count;
	napi_value v[MAX_ARGS];
};

struct bytes {
	uint8_t *data;
	size_t length;
};

/* Reads the call's arguments; missing ones are undefined. */
bool args_read(napi_env env, napi_callback_info info, struct args *a);
bool arg_is_undefined(const struct args *a, size_t i);
bool arg_u32(const struct args *a, size_t i, const char *name, uint32_t *out);
bool arg_i32(const struct args *a, size_t i, const char *name, int32_t *out);
/* A file descriptor: an integer that is not negative. */
bool arg_fd(const struct args *a, size_t i, int *out);
/* Uint8Array or Buffer. The memory is the caller's: valid until JavaScript runs again. */
bool arg_bytes(const struct args *a, size_t i, const char *name, struct bytes *out);
/* As arg_bytes, with the exact length that the kernel will use. */
bool arg_bytes_exact(const struct args *a, size_t i, const char *name, size_t length, struct bytes *out);
/* UTF-8 text without NUL bytes that fits with its terminator. */
bool arg_text(const struct args *a, size_t i, const char *name, char *out, size_t size);

napi_value throw_errno(napi_env env, int err, const char *syscall, const char *detail);
napi_value throw_type(napi_env env, const char *format, ...) __attribute__((format(printf, 2, 3)));
napi_value throw_range(napi_env env, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Throws for a Node-API call that failed without an exception of its own. */
napi_value throw_napi(napi_env env, const char *call);

napi_value make_undefined(napi_env env);
napi_value make_number(napi_env env, double value);
napi_value make_bool(napi_env env, bool value);
napi_value make_text(napi_env env, const char *text);
napi_value make_bytes(napi_env env, const void *data, size_t length);
/* Each returns false with an exception pending when `value` is NULL or the property cannot be set. */
bool set_value(napi_env env, napi_value object, const char *name, napi_value value);
bool set_number(napi_env env, napi_value object, const char *name, double value);
bool set_text(napi_env env, napi_value object, const char *name, const char *text);

/* One handle kind: an object that owns a C structure and knows its own type. */
struct handle_kind {
	const char *name;
	napi_type_tag tag;
	void (*finalize)(napi_env env, void *data, void *hint);
};
/* Owns `data` from then on; when it returns NULL the caller still does. */
napi_value handle_make(napi_env env, const struct handle_kind *kind, void *data);
void *handle_get(const struct args *a, size_t i, const struct handle_kind *kind);

/* Switches the calling thread into a network namespace and back. */
struct ns_switch {
	int home;
};
/* `value` undefined: nothing is switched. False: an exception is pending and nothing is switched. */
bool ns_enter(const struct args *a, size_t i, struct ns_switch *sw);
/* Aborts the process when the thread cannot return: going on in a foreign namespace would harm it. */
void ns_leave(struct ns_switch *sw);

long sys_bpf(int cmd, void *attr, unsigned int size);

struct export {
	const char *name;
	napi_callback fn;
};
bool export_all(napi_env env, napi_value exports, const struct export *list, size_t count);
#define EXPORT_ALL(env, exports, list) export_all(env, exports, list, sizeof(list) / sizeof((list)[0]))

bool init_namespaces(napi_env env, napi_value exports);
bool init_files(napi_env env, napi_value exports);
bool init_netlink(napi_env env, napi_value exports);
bool init_unlink(napi_env env, napi_value exports);
bool init_sockets(napi_env env, napi_value exports);
bool init_maps(napi_env env, napi_value exports);
bool init_links(napi_env env, napi_value exports);
bool init_objects(napi_env env, napi_value exports);
bool init_rings(napi_env env, napi_value exports);
bool init_polls(napi_env env, napi_value exports);
