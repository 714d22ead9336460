/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors in Node's event loop. libuv is the host's own: its few functions that are needed are declared here, since
 * Node's header package has none of libuv's, and their ABI is stable within libuv 1.
 */
#include "addon.h"

#include <errno.h>
#include <stdlib.h>

typedef struct uv_handle_s uv_handle_t;
typedef void (*uv_poll_cb)(uv_handle_t *handle, int status, int events);
typedef void (*uv_close_cb)(uv_handle_t *handle);
extern size_t uv_handle_size(int type);
extern int uv_poll_init(struct uv_loop_s *loop, uv_handle_t *handle, int fd);
extern int uv_poll_start(uv_handle_t *handle, int events, uv_poll_cb callback);
extern void uv_close(uv_handle_t *handle, uv_close_cb callback);
extern void uv_ref(uv_handle_t *handle);
extern void uv_unref(uv_handle_t *handle);
extern void uv_handle_set_data(uv_handle_t *handle, void *data);
extern void *uv_handle_get_data(const uv_handle_t *handle);
#define UV_POLL_TYPE 8

/* Lives until both the JavaScript object is collected and libuv has closed its handle. */
struct poll {
	napi_env env;
	napi_ref callback;
	napi_async_context context;
	napi_async_cleanup_hook_handle cleanup;
	uv_handle_t *handle; /* NULL: stopped */
	int owners;
};

static void poll_release(struct poll *poll)
{
	if (--poll->owners == 0)
		free(poll);
}

static void poll_closed(uv_handle_t *handle)
{
	struct poll *poll = uv_handle_get_data(handle);

	free(handle);
	if (poll->cleanup != NULL)
		napi_remove_async_cleanup_hook(poll->cleanup);
	poll->cleanup = NULL;
	poll_release(poll);
}

static void poll_stop(struct poll *poll)
{
	uv_handle_t *handle = poll->handle;

	if (handle == NULL)
		return;
	poll->handle = NULL;
	napi_delete_reference(poll->env, poll->callback);
	napi_async_destroy(poll->env, poll->context);
	uv_close(handle, poll_closed);
}

static void poll_cleanup(napi_async_cleanup_hook_handle hook, void *data)
{
	struct poll *poll = data;

	(void)hook;
	poll_stop(poll);
}

static void poll_finalize(napi_env env, void *data, void *hint)
{
	struct poll *poll = data;

	(void)env;
	(void)hint;
	/* Still running: it stays until it is stopped or the environment ends, as timers do. */
	poll_release(poll);
}

static const struct handle_kind poll_kind = {
	"poll", { 0x7477696c6c706f6cull, 0xe30b61f9a7d5c404ull }, poll_finalize
};

static void poll_event(uv_handle_t *handle, int status, int events)
{
	struct poll *poll = uv_handle_get_data(handle);
	napi_env env = poll->env;
	napi_value global, callback, argv[2], error;
	napi_handle_scope scope;
	bool pending = false;

	if (napi_open_handle_scope(env, &scope) != napi_ok)
		return;
	if (napi_get_global(env, &global) == napi_ok &&
	    napi_get_reference_value(env, poll->callback, &callback) == napi_ok) {
		argv[0] = make_number(env, status < 0 ? -status : 0);
		argv[1] = make_number(env, events);
		if (argv[0] != NULL && argv[1] != NULL)
			napi_make_callback(env, poll->context, global, callback, 2, argv, NULL);
	}
	napi_is_exception_pending(env, &pending);
	if (pending && napi_get_and_clear_last_exception(env, &error) == napi_ok)
		napi_fatal_exception(env, error);
	napi_close_handle_scope(env, scope);
}

/* pollStart(fd, events: 1 readable | 2 writable | 4 hang-up, callback: (errno, events) => void): handle */
static napi_value poll_start(napi_env env, napi_callback_info info)
{
	napi_valuetype type = napi_undefined;
	struct uv_loop_s *loop;
	napi_value object, name;
	struct poll *poll;
	uint32_t events;
	struct args a;
	int fd, err;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd) || !arg_u32(&a, 1, "events", &events))
		return NULL;
	if (a.count > 2)
		napi_typeof(env, a.v[2], &type);
	if (type != napi_function)
		return throw_type(env, "Argument \"callback\" must be a function");
	if (events == 0 || events > 7)
		return throw_range(env, "Argument \"events\" must be an integer from 1 to 7");
	if (napi_get_uv_event_loop(env, &loop) != napi_ok)
		return throw_napi(env, "napi_get_uv_event_loop");
	poll = calloc(1, sizeof(*poll));
	if (poll == NULL)
		return throw_errno(env, ENOMEM, "calloc", NULL);
	poll->handle = calloc(1, uv_handle_size(UV_POLL_TYPE));
	if (poll->handle == NULL) {
		free(poll);
		return throw_errno(env, ENOMEM, "calloc", NULL);
	}
	poll->env = env;
	err = uv_poll_init(loop, poll->handle, fd);
	if (err != 0) {
		free(poll->handle);
		free(poll);
		return throw_errno(env, -err, "uv_poll_init", NULL);
	}
	uv_handle_set_data(poll->handle, poll);
	poll->owners = 1;
	name = make_text(env, "twill:poll");
	if (name == NULL || napi_create_reference(env, a.v[2], 1, &poll->callback) != napi_ok ||
	    napi_async_init(env, NULL, name, &poll->context) != napi_ok ||
	    napi_add_async_cleanup_hook(env, poll_cleanup, poll, &poll->cleanup) != napi_ok) {
		uv_close(poll->handle, poll_closed);
		return throw_napi(env, "napi_add_async_cleanup_hook");
	}
	object = handle_make(env, &poll_kind, poll);
	if (object == NULL) {
		poll_stop(poll);
		return NULL;
	}
	poll->owners = 2;
	err = uv_poll_start(poll->handle, (int)events, poll_event);
	if (err != 0) {
		poll_stop(poll);
		return throw_errno(env, -err, "uv_poll_start", NULL);
	}
	return object;
}

/* pollStop(poll): no callback comes afterwards; the descriptor may be closed then. Stopping twice is no error. */
static napi_value poll_stop_fn(napi_env env, napi_callback_info info)
{
	struct poll *poll;
	struct args a;

	if (!args_read(env, info, &a))
		return NULL;
	poll = handle_get(&a, 0, &poll_kind);
	if (poll == NULL)
		return NULL;
	poll_stop(poll);
	return make_undefined(env);
}

/* pollRef(poll, keepsAlive: boolean): whether the event loop stays for it */
static napi_value poll_ref(napi_env env, napi_callback_info info)
{
	bool keeps = true;
	struct poll *poll;
	struct args a;

	if (!args_read(env, info, &a))
		return NULL;
	poll = handle_get(&a, 0, &poll_kind);
	if (poll == NULL)
		return NULL;
	if (a.count < 2 || napi_get_value_bool(env, a.v[1], &keeps) != napi_ok)
		return throw_type(env, "Argument \"keepsAlive\" must be a boolean");
	if (poll->handle != NULL && keeps)
		uv_ref(poll->handle);
	else if (poll->handle != NULL)
		uv_unref(poll->handle);
	return make_undefined(env);
}

bool init_polls(napi_env env, napi_value exports)
{
	static const struct export list[] = {
		{ "pollStart", poll_start }, { "pollStop", poll_stop_fn }, { "pollRef", poll_ref },
	};
	return EXPORT_ALL(env, exports, list);
}
