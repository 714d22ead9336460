/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets that are made in a network namespace and stay there, for probes and tests: UDP, TCP, ICMP, raw IP and packet
 * sockets. All are non-blocking; "would block" is undefined, not an exception.
 */
#include "addon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define OPTION_BYTES 256
#define DATAGRAM_BYTES 65536

/* Reads (host, port) arguments; `host` is numeric, IPv6 with an optional %interface that is looked up by the socket. */
static bool arg_address(const struct args *a, size_t i, int fd, struct sockaddr_storage *out, socklen_t *length)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
	struct sockaddr_in *four = (struct sockaddr_in *)out;
	char host[INET6_ADDRSTRLEN + IFNAMSIZ + 1], *zone;
	uint32_t port;

	if (!arg_text(a, i, "host", host, sizeof(host)) || !arg_u32(a, i + 1, "port", &port))
		return false;
	if (port > 65535) {
		throw_range(a->env, "Argument \"port\" must be an integer from 0 to 65535");
		return false;
	}
	memset(out, 0, sizeof(*out));
	zone = strchr(host, '%');
	if (zone != NULL)
		*zone++ = '\0';
	if (zone == NULL && inet_pton(AF_INET, host, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		*length = sizeof(*four);
		return true;
	}
	if (inet_pton(AF_INET6, host, &six->sin6_addr) != 1) {
		throw_range(a->env, "Argument \"host\" must be an IP address, not \"%s\"", host);
		return false;
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons((uint16_t)port);
	*length = sizeof(*six);
	if (zone != NULL) {
		struct ifreq request = { 0 };
		strncpy(request.ifr_name, zone, IFNAMSIZ - 1);
		if (ioctl(fd, SIOCGIFINDEX, &request) != 0) {
			throw_errno(a->env, errno, "ioctl", "SIOCGIFINDEX");
			return false;
		}
		six->sin6_scope_id = (uint32_t)request.ifr_ifindex;
	}
	return true;
}

static napi_value make_address(napi_env env, const struct sockaddr_storage *address)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)address;
	const struct sockaddr_in *four = (const struct sockaddr_in *)address;
	char host[INET6_ADDRSTRLEN] = "";
	napi_value result;
	uint16_t port = 0;

	if (address->ss_family == AF_INET) {
		inet_ntop(AF_INET, &four->sin_addr, host, sizeof(host));
		port = ntohs(four->sin_port);
	} else if (address->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof(host));
		port = ntohs(six->sin6_port);
	}
	if (napi_create_object(env, &result) != napi_ok)
		return throw_napi(env, "napi_create_object");
	return set_text(env, result, "host", host) && set_number(env, result, "port", port) ? result : NULL;
}

/* socket(netns: string | fd | undefined, family, type, protocol): fd */
static napi_value socket_fn(napi_env env, napi_callback_info info)
{
	uint32_t family, type, protocol;
	struct ns_switch sw;
	struct args a;
	int fd, err;

	if (!args_read(env, info, &a) || !arg_u32(&a, 1, "family", &family) || !arg_u32(&a, 2, "type", &type) ||
	    !arg_u32(&a, 3, "protocol", &protocol) || !ns_enter(&a, 0, &sw))
		return NULL;
	fd = socket((int)family, (int)type | SOCK_CLOEXEC | SOCK_NONBLOCK, (int)protocol);
	err = errno;
	ns_leave(&sw);
	return fd < 0 ? throw_errno(env, err, "socket", NULL) : make_number(env, fd);
}

/* connect(fd, host, port): whether it is done already; else wait until writable and ask for SO_ERROR */
static napi_value connect_fn(napi_env env, napi_callback_info info)
{
	struct sockaddr_storage address;
	socklen_t length;
	struct args a;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd) || !arg_address(&a, 1, fd, &address, &length))
		return NULL;
	if (connect(fd, (struct sockaddr *)&address, length) == 0)
		return make_bool(env, true);
	return errno == EINPROGRESS ? make_bool(env, false) : throw_errno(env, errno, "connect", NULL);
}

/* bind(fd, host, port) */
static napi_value bind_fn(napi_env env, napi_callback_info info)
{
	struct sockaddr_storage address;
	socklen_t length;
	struct args a;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd) || !arg_address(&a, 1, fd, &address, &length))
		return NULL;
	if (bind(fd, (struct sockaddr *)&address, length) != 0)
		return throw_errno(env, errno, "bind", NULL);
	return make_undefined(env);
}

/* bindPacket(fd, ifindex, etherType): of an AF_PACKET socket */
static napi_value bind_packet(napi_env env, napi_callback_info info)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET };
	uint32_t protocol;
	struct args a;
	int32_t index;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd) || !arg_i32(&a, 1, "ifindex", &index) ||
	    !arg_u32(&a, 2, "etherType", &protocol))
		return NULL;
	if (protocol > 65535)
		return throw_range(env, "Argument \"etherType\" must be an integer from 0 to 65535");
	address.sll_ifindex = index;
	address.sll_protocol = htons((uint16_t)protocol);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return throw_errno(env, errno, "bind", "packet");
	return make_undefined(env);
}

/* listen(fd, backlog) */
static napi_value listen_fn(napi_env env, napi_callback_info info)
{
	struct args a;
	int32_t backlog;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd) || !arg_i32(&a, 1, "backlog", &backlog))
		return NULL;
	if (listen(fd, backlog) != 0)
		return throw_errno(env, errno, "listen", NULL);
	return make_undefined(env);
}

/* accept(fd): { fd, host, port } or undefined */
static napi_value accept_fn(napi_env env, napi_callback_info info)
{
	struct sockaddr_storage address = { 0 };
	socklen_t length = sizeof(address);
	napi_value result;
	struct args a;
	int fd, peer;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd))
		return NULL;
	do {
		peer = accept4(fd, (struct sockaddr *)&address, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
	} while (peer < 0 && errno == EINTR);
	if (peer < 0)
		return errno == EAGAIN ? make_undefined(env) : throw_errno(env, errno, "accept4", NULL);
	result = make_address(env, &address);
	if (result == NULL || !set_number(env, result, "fd", peer)) {
		close(peer);
		return NULL;
	}
	return result;
}

/* One end's name, as getsockname(2) or getpeername(2) has it. */
static napi_value name_of(napi_env env, napi_callback_info info, int (*ask)(int, struct sockaddr *, socklen_t *), const char *call)
{
	struct sockaddr_storage address = { 0 };
	socklen_t length = sizeof(address);
	struct args a;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd))
		return NULL;
	if (ask(fd, (struct sockaddr *)&address, &length) != 0)
		return throw_errno(env, errno, call, NULL);
	return make_address(env, &address);
}

/* socketName(fd): { host, port } of the own end */
static napi_value socket_name(napi_env env, napi_callback_info info)
{
	return name_of(env, info, getsockname, "getsockname");
}

/* peerName(fd): { host, port } of the other end of a connected socket */
static napi_value peer_name(napi_env env, napi_callback_info info)
{
	return name_of(env, info, getpeername, "getpeername");
}

/* send(fd, data, host?, port?): bytes taken, or undefined when it would block */
static napi_value send_fn(napi_env env, napi_callback_info info)
{
	struct sockaddr_storage address;
	socklen_t length = 0;
	struct bytes data;
	struct args a;
	ssize_t sent;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd) || !arg_bytes(&a, 1, "data", &data))
		return NULL;
	if (!arg_is_undefined(&a, 2) && !arg_address(&a, 2, fd, &address, &length))
		return NULL;
	do {
		sent = sendto(fd, data.data, data.length, MSG_NOSIGNAL | MSG_DONTWAIT,
			      length > 0 ? (struct sockaddr *)&address : NULL, length);
	} while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return make_number(env, (double)sent);
	return errno == EAGAIN ? make_undefined(env) : throw_errno(env, errno, "sendto", NULL);
}

/* receive(fd, flags?): { data, host, port, flags } or undefined; data of length 0 on a stream: the end */
static napi_value receive_fn(napi_env env, napi_callback_info info)
{
	static _Thread_local uint8_t buffer[DATAGRAM_BYTES];
	struct sockaddr_storage address = { 0 };
	struct iovec io = { .iov_base = buffer, .iov_len = sizeof(buffer) };
	struct msghdr message = { .msg_name = &address, .msg_namelen = sizeof(address), .msg_iov = &io, .msg_iovlen = 1 };
	napi_value result;
	uint32_t flags = 0;
	struct args a;
	ssize_t length;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd) ||
	    (!arg_is_undefined(&a, 1) && !arg_u32(&a, 1, "flags", &flags)))
		return NULL;
	do {
		length = recvmsg(fd, &message, (int)flags | MSG_DONTWAIT);
	} while (length < 0 && errno == EINTR);
	if (length < 0)
		return errno == EAGAIN ? make_undefined(env) : throw_errno(env, errno, "recvmsg", NULL);
	result = make_address(env, &address);
	if (result == NULL || !set_value(env, result, "data", make_bytes(env, buffer, (size_t)length)) ||
	    !set_number(env, result, "flags", message.msg_flags))
		return NULL;
	return result;
}

/* getOption(fd, level, name): the option's bytes */
static napi_value get_option(napi_env env, napi_callback_info info)
{
	uint8_t value[OPTION_BYTES];
	socklen_t length = sizeof(value);
	int32_t level, name;
	struct args a;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd) || !arg_i32(&a, 1, "level", &level) ||
	    !arg_i32(&a, 2, "name", &name))
		return NULL;
	if (getsockopt(fd, level, name, value, &length) != 0)
		return throw_errno(env, errno, "getsockopt", NULL);
	return make_bytes(env, value, length);
}

/* setOption(fd, level, name, value: number | Uint8Array) */
static napi_value set_option(napi_env env, napi_callback_info info)
{
	napi_valuetype type = napi_undefined;
	struct bytes value;
	int32_t level, name, number;
	struct args a;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd) || !arg_i32(&a, 1, "level", &level) ||
	    !arg_i32(&a, 2, "name", &name))
		return NULL;
	if (a.count > 3)
		napi_typeof(env, a.v[3], &type);
	if (type == napi_number) {
		if (!arg_i32(&a, 3, "value", &number))
			return NULL;
		value = (struct bytes){ .data = (uint8_t *)&number, .length = sizeof(number) };
	} else if (!arg_bytes(&a, 3, "value", &value)) {
		return NULL;
	}
	if (setsockopt(fd, level, name, value.data, (socklen_t)value.length) != 0)
		return throw_errno(env, errno, "setsockopt", NULL);
	return make_undefined(env);
}

bool init_sockets(napi_env env, napi_value exports)
{
	static const struct export list[] = {
		{ "socket", socket_fn },	 { "connect", connect_fn },   { "bind", bind_fn },
		{ "bindPacket", bind_packet },	 { "listen", listen_fn },     { "accept", accept_fn },
		{ "socketName", socket_name },	 { "peerName", peer_name },   { "send", send_fn },	      { "receive", receive_fn },
		{ "getOption", get_option },	 { "setOption", set_option },
	};
	return EXPORT_ALL(env, exports, list);
}
