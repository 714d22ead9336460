/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deleting a device without waiting for the kernel's last reference to it.
 *
 * RTM_DELLINK takes a device out of its namespace within a millisecond or two, but the caller comes back only after
 * rcu_barrier(), some 20 ms later. Nobody needs that wait: a thread does it, while the call returns as soon as the device
 * is no longer there.
 */
#include "addon.h"

#include <errno.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* More at once than this are done in the calling thread: threads stay bounded. */
#define MAX_THREADS 32
#define STACK_BYTES 65536
#define MESSAGE_BYTES 256
#define ANSWER_BYTES 4096
#define LOOK_EVERY_NS 50000

/* Shared by the caller and its thread; whoever is last frees it. */
struct deletion {
	atomic_int owners;
	atomic_int result; /* -1: not known yet; else an errno, 0 for success */
	int fd;
	size_t length;
	uint8_t message[MESSAGE_BYTES];
};

static atomic_int threads;

static void release(struct deletion *d)
{
	if (atomic_fetch_sub(&d->owners, 1) != 1)
		return;
	close(d->fd);
	free(d);
}

/* Sends the message and reads its acknowledgement; returns an errno. */
static int carry_out(const struct deletion *d)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	uint8_t answer[ANSWER_BYTES] __attribute__((aligned(8)));
	struct nlmsghdr *header = (struct nlmsghdr *)answer;
	struct nlmsgerr *error;
	ssize_t length;

	do {
		length = sendto(d->fd, d->message, d->length, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	} while (length < 0 && errno == EINTR);
	if (length < 0)
		return errno;
	do {
		length = recv(d->fd, answer, sizeof(answer), 0);
	} while (length < 0 && errno == EINTR);
	if (length < 0)
		return errno;
	if (length < (ssize_t)NLMSG_LENGTH(sizeof(*error)) || header->nlmsg_type != NLMSG_ERROR)
		return EPROTO;
	error = NLMSG_DATA(header);
	return error->error <= 0 ? -error->error : EPROTO;
}

static void *thread_main(void *data)
{
	struct deletion *d = data;

	atomic_store(&d->result, carry_out(d));
	release(d);
	atomic_fetch_sub(&threads, 1);
	return NULL;
}

/* Signals are the main thread's business. */
static bool start_thread(struct deletion *d)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	if (atomic_fetch_add(&threads, 1) >= MAX_THREADS) {
		atomic_fetch_sub(&threads, 1);
		return false;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	err = pthread_create(&thread, &attr, thread_main, d);
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err != 0)
		atomic_fetch_sub(&threads, 1);
	return err == 0;
}

/* Waits until the index names no device any more, or the thread has an answer. Returns an errno. */
static int wait_gone(struct deletion *d, int look_fd, int index)
{
	const struct timespec pause = { .tv_nsec = LOOK_EVERY_NS };
	int result;

	for (;;) {
		struct ifreq request = { .ifr_ifindex = index };
		result = atomic_load(&d->result);
		if (result >= 0)
			return result;
		if (ioctl(look_fd, SIOCGIFNAME, &request) != 0)
			return errno == ENODEV ? 0 : errno;
		nanosleep(&pause, NULL);
	}
}

/*
 * netlinkDelete(fd, message: Uint8Array, lookFd, index): errno, 0 for success. `fd` is a netlink socket of its own for
 * this one message, owned by the call; `lookFd` a socket of the same namespace.
 */
static napi_value netlink_delete(napi_env env, napi_callback_info info)
{
	struct bytes message;
	struct deletion *d;
	int fd, look, result;
	int32_t index;
	struct args a;

	if (!args_read(env, info, &a) || !arg_fd(&a, 0, &fd) || !arg_bytes(&a, 1, "message", &message) ||
	    !arg_fd(&a, 2, &look) || !arg_i32(&a, 3, "index", &index))
		return NULL;
	if (message.length > MESSAGE_BYTES)
		return throw_range(env, "Argument \"message\" has %zu bytes, at most %d are possible", message.length, MESSAGE_BYTES);
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return throw_errno(env, ENOMEM, "calloc", NULL);
	d->fd = fd;
	d->length = message.length;
	memcpy(d->message, message.data, message.length);
	atomic_init(&d->result, -1);
	atomic_init(&d->owners, 2);
	if (start_thread(d)) {
		result = wait_gone(d, look, index);
	} else {
		result = carry_out(d);
		release(d);
	}
	release(d);
	return make_number(env, result);
}

bool init_unlink(napi_env env, napi_value exports)
{
	static const struct export list[] = { { "netlinkDelete", netlink_delete } };
	return EXPORT_ALL(env, exports, list);
}
