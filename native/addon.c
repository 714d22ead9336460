/* SPDX-License-Identifier: Apache-2.0 */
/* The addon's entry, and the argument checks, results and errors that its other files use. */
#include "addon.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

bool args_read(napi_env env, napi_callback_info info, struct args *a)
{
	a->env = env;
	a->count = MAX_ARGS;
	if (napi_get_cb_info(env, info, &a->count, a->v, NULL, NULL) != napi_ok) {
		throw_napi(env, "napi_get_cb_info");
		return false;
	}
	return true;
}

bool arg_is_undefined(const struct args *a, size_t i)
{
	napi_valuetype type = napi_undefined;
	return i >= a->count || napi_typeof(a->env, a->v[i], &type) != napi_ok || type == napi_undefined;
}

static bool arg_integer(const struct args *a, size_t i, const char *name, double low, double high, double *out)
{
	double value;

	if (i >= a->count || napi_get_value_double(a->env, a->v[i], &value) != napi_ok) {
		throw_type(a->env, "Argument \"%s\" must be a number", name);
		return false;
	}
	/* Written so that NaN is refused too. */
	if (!(value >= low && value <= high) || value != (double)(int64_t)value) {
		throw_range(a->env, "Argument \"%s\" must be an integer from %.0f to %.0f", name, low, high);
		return false;
	}
	*out = value;
	return true;
}

bool arg_u32(const struct args *a, size_t i, const char *name, uint32_t *out)
{
	double value;

	if (!arg_integer(a, i, name, 0, UINT32_MAX, &value))
		return false;
	*out = (uint32_t)value;
	return true;
}

bool arg_i32(const struct args *a, size_t i, const char *name, int32_t *out)
{
	double value;

	if (!arg_integer(a, i, name, INT32_MIN, INT32_MAX, &value))
		return false;
	*out = (int32_t)value;
	return true;
}

bool arg_fd(const struct args *a, size_t i, int *out)
{
	double value;

	if (!arg_integer(a, i, "fd", 0, INT32_MAX, &value))
		return false;
	*out = (int)value;
	return true;
}

bool arg_bytes(const struct args *a, size_t i, const char *name, struct bytes *out)
{
	napi_typedarray_type type;
	bool is_array = false;
	void *data = NULL;
	size_t length = 0;

	if (i < a->count)
		napi_is_typedarray(a->env, a->v[i], &is_array);
	if (!is_array ||
	    napi_get_typedarray_info(a->env, a->v[i], &type, &length, &data, NULL, NULL) != napi_ok ||
	    type != napi_uint8_array) {
		throw_type(a->env, "Argument \"%s\" must be a Uint8Array", name);
		return false;
	}
	out->data = data;
	out->length = length;
	return true;
}

bool arg_bytes_exact(const struct args *a, size_t i, const char *name, size_t length, struct bytes *out)
{
	if (!arg_bytes(a, i, name, out))
		return false;
	if (out->length != length) {
		throw_range(a->env, "Argument \"%s\" has %zu bytes, %zu are wanted", name, out->length, length);
		return false;
	}
	return true;
}

bool arg_text(const struct args *a, size_t i, const char *name, char *out, size_t size)
{
	size_t length = 0;

	if (i >= a->count || napi_get_value_string_utf8(a->env, a->v[i], NULL, 0, &length) != napi_ok) {
		throw_type(a->env, "Argument \"%s\" must be a string", name);
		return false;
	}
	if (length >= size) {
		throw_range(a->env, "Argument \"%s\" has %zu bytes, at most %zu are possible", name, length, size - 1);
		return false;
	}
	if (napi_get_value_string_utf8(a->env, a->v[i], out, size, &length) != napi_ok) {
		throw_napi(a->env, "napi_get_value_string_utf8");
		return false;
	}
	if (strlen(out) != length) {
		throw_range(a->env, "Argument \"%s\" holds a NUL byte", name);
		return false;
	}
	return true;
}

static const char *errno_name(int err)
{
	/* Not of the C library's, yet what the BPF subsystem answers for "not supported". */
	if (err == 524)
		return "ENOTSUPP";
	/* libbpf's own numbers: a damaged or foreign object file, for the most part. */
	if (err >= 4000)
		return "ELIBBPF";
#ifdef __GLIBC__
	const char *name = strerrorname_np(err);
	if (name != NULL)
		return name;
#endif
	return "EUNKNOWN";
}

napi_value throw_errno(napi_env env, int err, const char *syscall, const char *detail)
{
	const char *code = errno_name(err);
	size_t size = strlen(syscall) + strlen(code) + (detail ? strlen(detail) : 0) + 32;
	char *text = malloc(size);
	napi_value message, code_value, error;

	if (text == NULL)
		return throw_range(env, "Out of memory");
	snprintf(text, size, "Call \"%s\" failed: %s%s%s%s", syscall, code, detail ? " (" : "", detail ? detail : "",
		 detail ? ")" : "");
	message = make_text(env, text);
	free(text);
	code_value = make_text(env, code);
	if (message == NULL || code_value == NULL)
		return NULL;
	if (napi_create_error(env, code_value, message, &error) != napi_ok)
		return throw_napi(env, "napi_create_error");
	if (set_number(env, error, "errno", err) && set_text(env, error, "syscall", syscall) &&
	    napi_throw(env, error) != napi_ok)
		throw_napi(env, "napi_throw");
	return NULL;
}

napi_value throw_type(napi_env env, const char *format, ...)
{
	char text[256];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", text);
	return NULL;
}

napi_value throw_range(napi_env env, const char *format, ...)
{
	char text[256];
	va_list list;

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	napi_throw_range_error(env, "ERR_OUT_OF_RANGE", text);
	return NULL;
}

napi_value throw_napi(napi_env env, const char *call)
{
	bool pending = false;
	char text[128];

	napi_is_exception_pending(env, &pending);
	if (!pending) {
		snprintf(text, sizeof(text), "Call \"%s\" failed", call);
		napi_throw_error(env, "ERR_NODE_API", text);
	}
	return NULL;
}

napi_value make_undefined(napi_env env)
{
	napi_value value;
	return napi_get_undefined(env, &value) == napi_ok ? value : throw_napi(env, "napi_get_undefined");
}

napi_value make_number(napi_env env, double number)
{
	napi_value value;
	return napi_create_double(env, number, &value) == napi_ok ? value : throw_napi(env, "napi_create_double");
}

napi_value make_bool(napi_env env, bool truth)
{
	napi_value value;
	return napi_get_boolean(env, truth, &value) == napi_ok ? value : throw_napi(env, "napi_get_boolean");
}

napi_value make_text(napi_env env, const char *text)
{
	napi_value value;
	if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) != napi_ok)
		return throw_napi(env, "napi_create_string_utf8");
	return value;
}

napi_value make_bytes(napi_env env, const void *data, size_t length)
{
	napi_value value;
	void *copy = NULL;

	if (napi_create_buffer(env, length, &copy, &value) != napi_ok)
		return throw_napi(env, "napi_create_buffer");
	if (length > 0)
		memcpy(copy, data, length);
	return value;
}

bool set_value(napi_env env, napi_value object, const char *name, napi_value value)
{
	if (value == NULL)
		return false;
	if (napi_set_named_property(env, object, name, value) == napi_ok)
		return true;
	throw_napi(env, "napi_set_named_property");
	return false;
}

bool set_number(napi_env env, napi_value object, const char *name, double value)
{
	return set_value(env, object, name, make_number(env, value));
}

bool set_text(napi_env env, napi_value object, const char *name, const char *text)
{
	return set_value(env, object, name, make_text(env, text));
}

napi_value handle_make(napi_env env, const struct handle_kind *kind, void *data)
{
	napi_value object;

	if (napi_create_object(env, &object) != napi_ok || napi_type_tag_object(env, object, &kind->tag) != napi_ok ||
	    napi_wrap(env, object, data, kind->finalize, NULL, NULL) != napi_ok)
		return throw_napi(env, "napi_wrap");
	return object;
}

void *handle_get(const struct args *a, size_t i, const struct handle_kind *kind)
{
	napi_valuetype type = napi_undefined;
	bool matches = false;
	void *data = NULL;

	if (i < a->count)
		napi_typeof(a->env, a->v[i], &type);
	if (type == napi_object)
		napi_check_object_type_tag(a->env, a->v[i], &kind->tag, &matches);
	if (!matches || napi_unwrap(a->env, a->v[i], &data) != napi_ok) {
		throw_type(a->env, "Argument must be a handle of a %s", kind->name);
		return NULL;
	}
	return data;
}

long sys_bpf(int cmd, void *attr, unsigned int size)
{
	return syscall(SYS_bpf, cmd, attr, size);
}

bool export_all(napi_env env, napi_value exports, const struct export *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		napi_value fn;
		if (napi_create_function(env, list[i].name, NAPI_AUTO_LENGTH, list[i].fn, NULL, &fn) != napi_ok ||
		    napi_set_named_property(env, exports, list[i].name, fn) != napi_ok) {
			throw_napi(env, "napi_create_function");
			return false;
		}
	}
	return true;
}

NAPI_MODULE_INIT()
{
	if (!init_namespaces(env, exports) || !init_files(env, exports) || !init_netlink(env, exports) ||
	    !init_unlink(env, exports) || !init_sockets(env, exports) || !init_maps(env, exports) || !init_links(env, exports) ||
	    !init_objects(env, exports) || !init_rings(env, exports) || !init_polls(env, exports) ||
	    /* Given by native/build.mjs: the loader refuses an addon that is not built from its own sources. */
	    !set_text(env, exports, "sources", ADDON_SOURCES))
		return NULL;
	return exports;
}
