/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a benchmark cannot do from JavaScript without measuring itself: start programs as a container runtime does, at a
 * cost far below theirs, and open connections one after the other with blocking calls, or at a steady pace (pace.c). Built into build/bench.node and
 * loaded by nothing but the benchmarks.
 */
#define _GNU_SOURCE
#include "pace.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Both fit into a pipe's buffer, so that neither side can wait for the other. */
#define STDIN_BYTES 65536
#define STDOUT_BYTES 65536
#define MAX_ENV 64
#define MAX_AT_ONCE 1024
#define DEADLINE_MS 60000
#define WINDOW_MS 20
#define MAX_WINDOWS 5000
#define MAX_TIMES (1 << 20)

struct job {
	char *path;
	char *env[MAX_ENV + 1];
	char *input;
	size_t input_length;
	pid_t pid;
	int pidfd;
	int output;
	double started;
	double ended;
	int status;
};

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static napi_value fail(napi_env env, const char *what)
{
	char text[256];

	snprintf(text, sizeof(text), "Cannot %s: %s", what, strerror(errno));
	napi_throw_error(env, NULL, text);
	return NULL;
}

static char *get_text(napi_env env, napi_value value, size_t *length)
{
	size_t bytes;
	char *text;

	if (napi_get_value_string_utf8(env, value, NULL, 0, &bytes) != napi_ok)
		return NULL;
	text = malloc(bytes + 1);
	if (text != NULL && napi_get_value_string_utf8(env, value, text, bytes + 1, length) != napi_ok) {
		free(text);
		return NULL;
	}
	return text;
}

static bool read_job(napi_env env, napi_value object, struct job *job)
{
	napi_value value, list;
	uint32_t count = 0;
	size_t length;

	if (napi_get_named_property(env, object, "path", &value) != napi_ok)
		return false;
	job->path = get_text(env, value, &length);
	napi_get_named_property(env, object, "input", &value);
	job->input = get_text(env, value, &job->input_length);
	napi_get_named_property(env, object, "env", &list);
	if (napi_get_array_length(env, list, &count) != napi_ok || count > MAX_ENV)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		napi_get_element(env, list, i, &value);
		job->env[i] = get_text(env, value, &length);
		if (job->env[i] == NULL)
			return false;
	}
	return job->path != NULL && job->input != NULL && job->input_length <= STDIN_BYTES;
}

/* Input is in the pipe before the program starts: nothing but the program itself is timed. */
static bool start_job(struct job *job)
{
	char *argv[] = { job->path, NULL };
	posix_spawn_file_actions_t actions;
	int in[2], out[2], err;

	if (pipe2(in, O_CLOEXEC) != 0)
		return false;
	if (pipe2(out, O_CLOEXEC) != 0) {
		close(in[0]);
		close(in[1]);
		return false;
	}
	if (write(in[1], job->input, job->input_length) != (ssize_t)job->input_length)
		perror("Cannot write all of a program's input");
	close(in[1]);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	job->started = now_ms();
	err = posix_spawn(&job->pid, job->path, &actions, NULL, argv, job->env);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	job->output = out[0];
	job->pidfd = err == 0 ? (int)syscall(SYS_pidfd_open, job->pid, 0) : -1;
	if (job->pidfd >= 0)
		return true;
	close(out[0]);
	errno = err == 0 ? errno : err;
	return false;
}

static napi_value finish_job(napi_env env, struct job *job)
{
	static char output[STDOUT_BYTES];
	napi_value result, value;
	size_t length = 0;
	ssize_t got;

	while (length < sizeof(output) && (got = read(job->output, output + length, sizeof(output) - length)) > 0)
		length += (size_t)got;
	close(job->output);
	napi_create_object(env, &result);
	napi_create_string_utf8(env, output, length, &value);
	napi_set_named_property(env, result, "output", value);
	napi_create_double(env, job->ended - job->started, &value);
	napi_set_named_property(env, result, "milliseconds", value);
	napi_create_int32(env, WIFEXITED(job->status) ? WEXITSTATUS(job->status) : -WTERMSIG(job->status), &value);
	napi_set_named_property(env, result, "status", value);
	return result;
}

/* Waits until all have ended; one that does not is killed at the deadline. */
static void wait_for(struct job *jobs, uint32_t count)
{
	struct pollfd fds[MAX_AT_ONCE];
	uint32_t running = count;
	double deadline = now_ms() + DEADLINE_MS;

	for (uint32_t i = 0; i < count; i++)
		fds[i] = (struct pollfd){ .fd = jobs[i].pidfd, .events = POLLIN };
	while (running > 0) {
		if (poll(fds, count, 1000) < 0 && errno != EINTR)
			return;
		for (uint32_t i = 0; i < count; i++) {
			if (fds[i].fd >= 0 && now_ms() > deadline)
				kill(jobs[i].pid, SIGKILL);
			if (fds[i].fd < 0 || (fds[i].revents & POLLIN) == 0)
				continue;
			jobs[i].ended = now_ms();
			waitpid(jobs[i].pid, &jobs[i].status, 0);
			close(jobs[i].pidfd);
			fds[i].fd = -1;
			running--;
		}
	}
}

static void free_job(struct job *job)
{
	free(job->path);
	free(job->input);
	for (int i = 0; job->env[i] != NULL; i++)
		free(job->env[i]);
}

/* runPrograms(jobs: { path, env: string[], input: string }[]): { status, output, milliseconds }[]; all at once */
static napi_value run_programs(napi_env env, napi_callback_info info)
{
	napi_value argument, element, results;
	uint32_t count = 0, started = 0;
	size_t argc = 1;
	struct job *jobs;
	bool is_good = true;

	napi_get_cb_info(env, info, &argc, &argument, NULL, NULL);
	if (argc < 1 || napi_get_array_length(env, argument, &count) != napi_ok || count > MAX_AT_ONCE) {
		napi_throw_range_error(env, NULL, "Argument \"jobs\" must be a list of at most 1024");
		return NULL;
	}
	jobs = calloc(count == 0 ? 1 : count, sizeof(*jobs));
	if (jobs == NULL)
		return fail(env, "run programs");
	for (uint32_t i = 0; is_good && i < count; i++) {
		napi_get_element(env, argument, i, &element);
		is_good = read_job(env, element, &jobs[i]);
	}
	if (!is_good)
		napi_throw_range_error(env, NULL, "A job needs \"path\", \"env\" (at most 64) and \"input\" (at most 64 KiB)");
	while (is_good && started < count && (is_good = start_job(&jobs[started])))
		started++;
	if (!is_good && started < count)
		fail(env, "start a program");
	wait_for(jobs, started);
	napi_create_array_with_length(env, started, &results);
	for (uint32_t i = 0; i < started; i++)
		napi_set_element(env, results, i, finish_job(env, &jobs[i]));
	for (uint32_t i = 0; i < count; i++)
		free_job(&jobs[i]);
	free(jobs);
	return results;
}

static bool read_address(napi_env env, napi_callback_info info, struct sockaddr_storage *out, socklen_t *length, double *number)
{
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)out;
	struct sockaddr_in *four = (struct sockaddr_in *)out;
	char host[INET6_ADDRSTRLEN] = "";
	napi_value argv[3];
	size_t argc = 3, got;
	uint32_t port = 0;

	memset(out, 0, sizeof(*out));
	napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
	if (napi_get_value_string_utf8(env, argv[0], host, sizeof(host), &got) != napi_ok ||
	    napi_get_value_uint32(env, argv[1], &port) != napi_ok ||
	    (number != NULL && napi_get_value_double(env, argv[2], number) != napi_ok)) {
		napi_throw_type_error(env, NULL, "Arguments must be an address, a port and perhaps seconds");
		return false;
	}
	if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
		four->sin_family = AF_INET;
		four->sin_port = htons((uint16_t)port);
		*length = sizeof(*four);
		return true;
	}
	six->sin6_family = AF_INET6;
	six->sin6_port = htons((uint16_t)port);
	*length = sizeof(*six);
	if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1)
		return true;
	napi_throw_range_error(env, NULL, "Argument \"host\" must be an IP address");
	return false;
}

/* serveConnections(host, port): never returns; answers one byte with one byte and closes first */
static napi_value serve_connections(napi_env env, napi_callback_info info)
{
	struct sockaddr_storage address;
	int listener, peer, on = 1;
	socklen_t length;
	char byte;

	if (!read_address(env, info, &address, &length, NULL))
		return NULL;
	listener = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 128) != 0)
		return fail(env, "listen");
	for (;;) {
		peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (peer < 0)
			continue;
		if (recv(peer, &byte, 1, 0) == 1)
			(void)!send(peer, &byte, 1, MSG_NOSIGNAL);
		close(peer);
	}
}

static int compare_counts(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* One connection, used for one byte each way and closed by the server first. */
static bool use_connection(const struct sockaddr_storage *address, socklen_t length)
{
	int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char byte = 'x';
	bool is_good = connect(fd, (const struct sockaddr *)address, length) == 0 &&
		       send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && recv(fd, &byte, 1, 0) == 1 &&
		       recv(fd, &byte, 1, 0) == 0;
	int err = errno;

	close(fd);
	errno = err;
	return is_good;
}

static int compare_times(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

/* The n-th of the addresses that follow `first`; only IPv4 has more than one. */
static struct sockaddr_storage nth_address(const struct sockaddr_storage *first, uint32_t n)
{
	struct sockaddr_storage address = *first;
	struct sockaddr_in *four = (struct sockaddr_in *)&address;

	if (address.ss_family == AF_INET)
		four->sin_addr.s_addr = htonl(ntohl(four->sin_addr.s_addr) + n);
	return address;
}

static void set_number(napi_env env, napi_value object, const char *name, double number)
{
	napi_value value;

	napi_create_double(env, number, &value);
	napi_set_named_property(env, object, name, value);
}

/*
 * countConnections(host, port, seconds, addresses): { rate, p50Us, p99Us }. Connections one after the other, each to one of
 * so many addresses from `host` on, chosen at random. The rate in a second is the median of windows of 20 ms, so that what
 * else the machine does for a moment is not taken for the network's. The server's end lingers, so no port of the client's
 * is used up, however many connections are made.
 */
static napi_value count_connections(napi_env env, napi_callback_info info)
{
	static uint32_t counts[MAX_WINDOWS];
	static float times_us[MAX_TIMES];
	struct sockaddr_storage first, address;
	uint32_t windows = 0, times = 0, addresses = 1, seed = 1;
	double seconds, start, end;
	napi_value argv[4], result;
	size_t argc = 4;
	socklen_t length;

	if (!read_address(env, info, &first, &length, &seconds))
		return NULL;
	napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
	if (argc > 3 && (napi_get_value_uint32(env, argv[3], &addresses) != napi_ok || addresses == 0)) {
		napi_throw_range_error(env, NULL, "Argument \"addresses\" must be a positive number");
		return NULL;
	}
	while (windows < MAX_WINDOWS && windows < seconds * 1e3 / WINDOW_MS) {
		start = now_ms();
		end = start + WINDOW_MS;
		counts[windows] = 0;
		while (start < end) {
			double now;

			seed = seed * 1664525u + 1013904223u; /* Numerical Recipes; its upper bits are good enough */
			address = nth_address(&first, (uint32_t)(((uint64_t)seed * addresses) >> 32));
			if (!use_connection(&address, length))
				return fail(env, "use a connection");
			now = now_ms();
			if (times < MAX_TIMES)
				times_us[times++] = (float)((now - start) * 1e3);
			start = now;
			counts[windows]++;
		}
		windows++;
	}
	if (windows == 0) {
		napi_throw_range_error(env, NULL, "Argument \"seconds\" is too small");
		return NULL;
	}
	qsort(counts, windows, sizeof(counts[0]), compare_counts);
	qsort(times_us, times, sizeof(times_us[0]), compare_times);
	napi_create_object(env, &result);
	set_number(env, result, "rate", counts[windows / 2] * 1e3 / WINDOW_MS);
	set_number(env, result, "p50Us", times_us[times / 2]);
	set_number(env, result, "p99Us", times_us[times - 1 - times / 100]);
	return result;
}

/* paceConnections(host, port, perSecond, seconds, deadlineMs): see bench/native.ts */
static napi_value pace(napi_env env, napi_callback_info info)
{
	struct pace_options options = { 0 };
	napi_value argv[5];
	size_t argc = 5;

	if (!read_address(env, info, &options.address, &options.address_length, &options.per_second))
		return NULL;
	napi_get_cb_info(env, info, &argc, argv, NULL, NULL);
	if (argc < 5 || napi_get_value_double(env, argv[3], &options.seconds) != napi_ok ||
	    napi_get_value_double(env, argv[4], &options.deadline_ms) != napi_ok || !(options.per_second > 0)) {
		napi_throw_range_error(env, NULL, "Arguments must be an address, a port, a positive rate, seconds and milliseconds");
		return NULL;
	}
	return pace_connections(env, &options);
}

NAPI_MODULE_INIT()
{
	static const struct {
		const char *name;
		napi_callback fn;
	} list[] = {
		{ "runPrograms", run_programs },
		{ "serveConnections", serve_connections },
		{ "countConnections", count_connections },
		{ "paceConnections", pace },
	};
	napi_value fn;

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		napi_create_function(env, list[i].name, NAPI_AUTO_LENGTH, list[i].fn, NULL, &fn);
		napi_set_named_property(env, exports, list[i].name, fn);
	}
	return exports;
}
