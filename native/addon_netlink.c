/* SPDX-License-Identifier: Apache-2.0 */
/* Netlink sockets; messages are encoded and decoded in TypeScript. */
#include "addon.h"

#include <errno.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#ifndef NETLINK_GET_STRICT_CHK
#define NETLINK_GET_STRICT_CHK 12
#endif

/* A dump never fills more than 32 KiB of one datagram, a single message stays below 64 KiB. */
#define RECEIVE_BYTES 65536
#define RECEIVE_TIMEOUT_S 5
#define RECEIVE_QUEUE_BYTES (1 << 20)

static int set_option(int fd, int option)
{
	int one = 1;
	return setsockopt(fd, SOL_NETLINK, option, &one, sizeof(one));
}

/* netlinkOpen(netns: string | fd | undefined, protocol, groups): fd */
static napi_value netlink_open(napi_env env, napi_callback_info info)
{
	struct sockaddr_nl address = { .nl_family = AF_NETLINK };
	struct timeval timeout = { .tv_sec = RECEIVE_TIMEOUT_S };
	int queue = RECEIVE_QUEUE_BYTES, fd, err;
	uint32_t protocol, groups;
	struct ns_switch sw;
	struct args a;

	if (!args_read(env, info, &a) || !arg_u32(&a, 1, "protocol", &protocol) ||
	    !arg_u32(&a, 2, "groups", &groups) || !ns_enter(&a, 0, &sw))
		return NULL;
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, (int)protocol);
	err = errno;
	ns_leave(&sw);
	if (fd < 0)
		return throw_errno(env, err, "socket", "netlink");
	address.nl_groups = groups;
	/* Old kernels lack one or the other of these three: then errors say less and filters are ignored. */
	set_option(fd, NETLINK_EXT_ACK);
	set_option(fd, NETLINK_CAP_ACK);
	set_option(fd, NETLINK_GET_STRICT_CHK);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof(queue)) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue, sizeof(queue));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) != 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		err = errno;
		close(fd);
		return throw_errno(env, err, "bind", "netlink");
	}
	return make_number(env, fd);
}

/* netlinkSend(fd, messages: Uint8Array) */
static napi_value netlink_send(napi_env env, napi_callback_info info)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct bytes messages;
	struct args a;
	ssize_t sent;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd) || !arg_bytes(&a, 1, "messages", &messages))
		return NULL;
	do {
		sent = sendto(fd, messages.data, messages.length, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return throw_errno(env, errno, "sendto", "netlink");
	if ((size_t)sent != messages.length)
		return throw_errno(env, EMSGSIZE, "sendto", "netlink");
	return make_undefined(env);
}

/* netlinkReceive(fd, wait: boolean): one datagram of the kernel's, or undefined when none is there (wait: in 5 s) */
static napi_value netlink_receive(napi_env env, napi_callback_info info)
{
	static _Thread_local uint8_t buffer[RECEIVE_BYTES];
	struct sockaddr_nl sender;
	struct iovec io = { .iov_base = buffer, .iov_len = sizeof(buffer) };
	struct msghdr message;
	bool wait = true;
	struct args a;
	ssize_t length;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd))
		return NULL;
	if (a.count > 1 && napi_get_value_bool(env, a.v[1], &wait) != napi_ok)
		return throw_type(env, "Argument \"wait\" must be a boolean");
	do {
		memset(&sender, 0, sizeof(sender));
		message = (struct msghdr){ .msg_name = &sender, .msg_namelen = sizeof(sender), .msg_iov = &io, .msg_iovlen = 1 };
		length = recvmsg(fd, &message, wait ? 0 : MSG_DONTWAIT);
		/* Another process may send to our port: only the kernel is believed. */
	} while ((length < 0 && errno == EINTR) || (length >= 0 && sender.nl_pid != 0));
	if (length < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return make_undefined(env);
	if (length < 0)
		return throw_errno(env, errno, "recvmsg", "netlink");
	if (message.msg_flags & MSG_TRUNC)
		return throw_errno(env, EMSGSIZE, "recvmsg", "netlink");
	return make_bytes(env, buffer, (size_t)length);
}

static bool interface_name(const struct args *a, size_t i, struct ifreq *request)
{
	memset(request, 0, sizeof(*request));
	return arg_text(a, i, "name", request->ifr_name, sizeof(request->ifr_name));
}

/* ifIndex(fd, name): index in the namespace of the socket; 0: there is no such device */
static napi_value if_index(napi_env env, napi_callback_info info)
{
	struct ifreq request;
	struct args a;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd) || !interface_name(&a, 1, &request))
		return NULL;
	if (ioctl(fd, SIOCGIFINDEX, &request) == 0)
		return make_number(env, request.ifr_ifindex);
	return errno == ENODEV ? make_number(env, 0) : throw_errno(env, errno, "ioctl", "SIOCGIFINDEX");
}

/* ifName(fd, index): undefined: there is no such device */
static napi_value if_name(napi_env env, napi_callback_info info)
{
	struct ifreq request = { 0 };
	struct args a;
	int32_t index;
	int fd;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd) || !arg_i32(&a, 1, "index", &index))
		return NULL;
	request.ifr_ifindex = index;
	if (ioctl(fd, SIOCGIFNAME, &request) == 0)
		return make_text(env, request.ifr_name);
	return errno == ENODEV ? make_undefined(env) : throw_errno(env, errno, "ioctl", "SIOCGIFNAME");
}

bool init_netlink(napi_env env, napi_value exports)
{
	static const struct export list[] = {
		{ "netlinkOpen", netlink_open }, { "netlinkSend", netlink_send },
		{ "netlinkReceive", netlink_receive }, { "ifIndex", if_index }, { "ifName", if_name },
	};
	return EXPORT_ALL(env, exports, list);
}
