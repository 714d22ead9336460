/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections at a steady pace, many at once, from one thread that never blocks: what JavaScript needs a whole CPU for at a
 * thousand in a second. Part of bench.c's addon.
 */
#include "pace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

/* Open at once; a pace that needs more falls behind, and says so. */
#define MAX_OPEN 256
#define MAX_REPLY 512
#define MAX_NAMES 128
#define NAME_BYTES 64
#define MAX_TIMES (1 << 20)
#define EVENTS 256
/* Looked at every so often: who has waited for too long. */
#define SWEEP_MS 100

static const char REQUEST[] = "GET / HTTP/1.0\r\n\r\n";

struct connection {
	int fd; /* -1: free */
	bool is_asked;
	double started;
	size_t length;
	char reply[MAX_REPLY];
};

struct named {
	char name[NAME_BYTES];
	uint32_t count;
};

/* Names with how often; what finds no room is counted under the last of them. */
struct tally {
	struct named list[MAX_NAMES];
	uint32_t length;
};

struct pace {
	struct sockaddr_storage address;
	socklen_t address_length;
	double deadline_ms;
	int epoll;
	struct connection open[MAX_OPEN];
	uint32_t running;
	struct tally failures;
	struct tally servers;
	float *times_ms;
	uint32_t times;
	double first_failure_ms, last_failure_ms; /* CLOCK_MONOTONIC when those were begun; 0: none was */
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void note(struct tally *t, const char *name, size_t length)
{
	uint32_t i;

	if (length >= NAME_BYTES)
		length = NAME_BYTES - 1;
	for (i = 0; i < t->length; i++)
		if (strlen(t->list[i].name) == length && memcmp(t->list[i].name, name, length) == 0)
			break;
	if (i == MAX_NAMES)
		i = MAX_NAMES - 1;
	if (i == t->length) {
		memcpy(t->list[i].name, name, length);
		t->length++;
	}
	t->list[i].count++;
}

static void end(struct pace *p, struct connection *c)
{
	close(c->fd);
	c->fd = -1;
	p->running--;
}

static void fail_connection(struct pace *p, struct connection *c, const char *why)
{
	note(&p->failures, why, strlen(why));
	if (p->first_failure_ms == 0 || c->started < p->first_failure_ms)
		p->first_failure_ms = c->started;
	if (c->started > p->last_failure_ms)
		p->last_failure_ms = c->started;
	end(p, c);
}

static const char *errno_name(int err)
{
	const char *name = strerrorname_np(err);

	return name == NULL ? "unknown" : name;
}

static void begin(struct pace *p, struct connection *c)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT, .data.u32 = (uint32_t)(c - p->open) };

	c->is_asked = false;
	c->length = 0;
	c->started = now_ms();
	c->fd = socket(p->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	p->running++;
	if (c->fd < 0 ||
	    (connect(c->fd, (struct sockaddr *)&p->address, p->address_length) != 0 && errno != EINPROGRESS) ||
	    epoll_ctl(p->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
		fail_connection(p, c, errno_name(errno));
}

/* Whoever answered closes first: no port of the client's lingers. */
static void finish(struct pace *p, struct connection *c)
{
	const char *body = memmem(c->reply, c->length, "\r\n\r\n", 4);
	const char *space = body == NULL ? NULL : memchr(body + 4, ' ', c->length - (size_t)(body + 4 - c->reply));

	if (space == NULL) {
		fail_connection(p, c, "closed early");
		return;
	}
	note(&p->servers, body + 4, (size_t)(space - body - 4));
	if (p->times < MAX_TIMES)
		p->times_ms[p->times++] = (float)(now_ms() - c->started);
	end(p, c);
}

static void go_on(struct pace *p, struct connection *c, uint32_t events)
{
	struct epoll_event readable = { .events = EPOLLIN, .data.u32 = (uint32_t)(c - p->open) };
	ssize_t got;

	if (!c->is_asked && (events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) {
		/* What came of the connection is what sending says. */
		if (send(c->fd, REQUEST, sizeof(REQUEST) - 1, MSG_NOSIGNAL) != sizeof(REQUEST) - 1) {
			fail_connection(p, c, errno_name(errno));
			return;
		}
		c->is_asked = true;
		epoll_ctl(p->epoll, EPOLL_CTL_MOD, c->fd, &readable);
		return;
	}
	if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		return;
	got = recv(c->fd, c->reply + c->length, sizeof(c->reply) - c->length, 0);
	if (got > 0)
		c->length += (size_t)got;
	else if (got == 0)
		finish(p, c);
	else if (errno != EAGAIN && errno != EINTR)
		fail_connection(p, c, errno_name(errno));
}

static int compare_times(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static napi_value tally_object(napi_env env, const struct tally *t)
{
	napi_value object, count;

	napi_create_object(env, &object);
	for (uint32_t i = 0; i < t->length; i++) {
		napi_create_uint32(env, t->list[i].count, &count);
		napi_set_named_property(env, object, t->list[i].name, count);
	}
	return object;
}

static void set_number(napi_env env, napi_value object, const char *name, double number)
{
	napi_value value;

	napi_create_double(env, number, &value);
	napi_set_named_property(env, object, name, value);
}

/* Whether standard input has ended; what comes by it is read over. */
static bool is_told_to_end(void)
{
	char bytes[64];

	return read(STDIN_FILENO, bytes, sizeof(bytes)) <= 0;
}

/* Runs until standard input ends or the time is over; then what is open is waited for. @returns attempts */
static uint32_t run(struct pace *p, double per_second, double seconds, double start, double *ended)
{
	struct epoll_event events[EVENTS], input = { .events = EPOLLIN, .data.u32 = MAX_OPEN };
	double swept = start, now = start;
	bool is_ending = false;
	uint32_t attempts = 0, from = 0;

	epoll_ctl(p->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input);
	while (!is_ending || p->running > 0) {
		double due = is_ending ? 0 : (now - start) / 1e3 * per_second;
		int count;

		while (attempts < due && p->running < MAX_OPEN) {
			while (p->open[from % MAX_OPEN].fd >= 0)
				from++;
			begin(p, &p->open[from % MAX_OPEN]);
			attempts++;
		}
		count = epoll_wait(p->epoll, events, EVENTS, 1);
		for (int i = 0; i < count; i++) {
			if (events[i].data.u32 == MAX_OPEN)
				is_ending = is_ending || is_told_to_end();
			else if (p->open[events[i].data.u32].fd >= 0)
				go_on(p, &p->open[events[i].data.u32], events[i].events);
		}
		now = now_ms();
		if (!is_ending)
			*ended = now;
		is_ending = is_ending || now - start > seconds * 1e3;
		if (is_ending)
			epoll_ctl(p->epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
		if (now - swept < SWEEP_MS)
			continue;
		swept = now;
		for (uint32_t i = 0; i < MAX_OPEN; i++)
			if (p->open[i].fd >= 0 && now - p->open[i].started > p->deadline_ms)
				fail_connection(p, &p->open[i], "timeout");
	}
	return attempts;
}

napi_value pace_connections(napi_env env, const struct pace_options *options)
{
	double start = now_ms(), ended = start;
	struct pace *p = calloc(1, sizeof(*p));
	float *times = malloc(MAX_TIMES * sizeof(float));
	napi_value result;
	uint32_t attempts;

	if (p == NULL || times == NULL || (p->epoll = epoll_create1(EPOLL_CLOEXEC)) < 0) {
		free(p);
		free(times);
		napi_throw_error(env, NULL, "Cannot pace connections: no memory or descriptor");
		return NULL;
	}
	p->address = options->address;
	p->address_length = options->address_length;
	p->deadline_ms = options->deadline_ms;
	p->times_ms = times;
	for (uint32_t i = 0; i < MAX_OPEN; i++)
		p->open[i].fd = -1;
	attempts = run(p, options->per_second, options->seconds, start, &ended);
	qsort(times, p->times, sizeof(float), compare_times);
	napi_create_object(env, &result);
	napi_set_named_property(env, result, "failures", tally_object(env, &p->failures));
	napi_set_named_property(env, result, "servers", tally_object(env, &p->servers));
	set_number(env, result, "attempts", attempts);
	set_number(env, result, "seconds", (ended - start) / 1e3);
	set_number(env, result, "p50Ms", p->times == 0 ? 0 : times[p->times / 2]);
	set_number(env, result, "p99Ms", p->times == 0 ? 0 : times[p->times - 1 - p->times / 100]);
	set_number(env, result, "slowestMs", p->times == 0 ? 0 : times[p->times - 1]);
	set_number(env, result, "firstFailureMs", p->first_failure_ms);
	set_number(env, result, "lastFailureMs", p->last_failure_ms);
	close(p->epoll);
	free(times);
	free(p);
	return result;
}
