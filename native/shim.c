// SPDX-License-Identifier: Apache-2.0
/*
 * The CNI plugin's executable: hands the call to the node's agent and prints what it answers.
 *
 * Installed as `twill` and `loopback`; which of the two is meant stands in the network configuration. Static and small,
 * since it is started for every call: no configuration is parsed here.
 *
 *   agent answers               its answer
 *   no agent, offline.argv      exec of the offline program that the agent named there, with the same standard input
 *   neither                     VERSION as always; DEL and GC succeed when this boot has no ledger (nothing was ever
 *                               attached); STATUS is 50, the rest 11, with what to do
 *
 * Frames: see src/agent/cni/shim-frame.ts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#ifndef TWILL_SOCKET_PATH
#define TWILL_SOCKET_PATH "/run/twill/agent.sock"
#endif

enum {
	STDIN_MAX = 4 << 20,
	ENV_MAX = 60 << 10,
	ENV_COUNT_MAX = 60,
	ANSWER_MAX = 16 << 20,
	ARGV_FILE_MAX = 16 << 10,
	ARGV_MAX = 64,
	/* Runtimes give a sandbox two minutes: an answer after that helps nobody. */
	ANSWER_SECONDS = 90,
};

/* Codes of the specification. */
enum { CODE_IO = 5, CODE_DECODE = 6, CODE_TRY_AGAIN = 11, CODE_NOT_AVAILABLE = 50 };

static const char VERSIONS[] = "[\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]";

static char *input;
static size_t input_bytes;
static char socket_path[PATH_MAX];

static const char *variable(const char *name)
{
	const char *value = getenv(name);
	return value ? value : "";
}

static int is_command(const char *name)
{
	return strcmp(variable("CNI_COMMAND"), name) == 0;
}

static int write_all(int fd, const void *data, size_t bytes)
{
	const char *at = data;
	while (bytes > 0) {
		ssize_t n = write(fd, at, bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		at += n;
		bytes -= (size_t)n;
	}
	return 0;
}

/* 0: all of it; -1: the other side ended, or an error. */
static int read_all(int fd, void *data, size_t bytes)
{
	char *at = data;
	while (bytes > 0) {
		ssize_t n = read(fd, at, bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = ECONNRESET;
			return -1;
		}
		at += n;
		bytes -= (size_t)n;
	}
	return 0;
}

/* The caller's cniVersion if it can be one: found by its look, so that an error is in the caller's words. */
static const char *caller_version(void)
{
	static char version[16];
	char quoted[20];
	const char *at = input ? memmem(input, input_bytes, "\"cniVersion\"", 12) : NULL;
	if (at) {
		size_t left = input_bytes - (size_t)(at + 12 - input);
		size_t n = 0;
		at += 12;
		while (left > 0 && strchr(" \t\r\n:", *at) && *at)
			at++, left--;
		if (left > 0 && *at == '"')
			for (at++, left--; left > 0 && n < sizeof(version) - 1 && strchr("0123456789.", *at) && *at; left--)
				version[n++] = *at++;
		snprintf(quoted, sizeof(quoted), "\"%s\"", version);
		if (left > 0 && *at == '"' && n > 0 && strstr(VERSIONS, quoted))
			return version;
	}
	return "1.1.0";
}

static void put_json_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

__attribute__((noreturn, format(printf, 3, 4)))
static void fail(int code, const char *details, const char *format, ...)
{
	char msg[PATH_MAX + 256];
	va_list args;
	va_start(args, format);
	vsnprintf(msg, sizeof(msg), format, args);
	va_end(args);
	printf("{\"cniVersion\":\"%s\",\"code\":%d,\"msg\":", caller_version(), code);
	put_json_string(stdout, msg);
	if (*details) {
		fputs(",\"details\":", stdout);
		put_json_string(stdout, details);
	}
	puts("}");
	fflush(stdout);
	_exit(1);
}

static void read_input(void)
{
	size_t room = 16 << 10;
	input = malloc(room);
	while (input) {
		ssize_t n = read(STDIN_FILENO, input + input_bytes, room - input_bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail(CODE_IO, "", "Cannot read standard input: %s", strerror(errno));
		if (n == 0)
			return;
		input_bytes += (size_t)n;
		if (input_bytes > STDIN_MAX)
			fail(CODE_DECODE, "", "Cannot read the network configuration: it is longer than %d bytes", STDIN_MAX);
		if (input_bytes == room) {
			room *= 2;
			input = realloc(input, room);
		}
	}
	fail(CODE_IO, "", "Cannot read standard input: %s", strerror(ENOMEM));
}

/* TWILL_SOCKET, or the first line of `twill.socket` beside the executable, or the default. */
static void find_socket(void)
{
	char path[PATH_MAX];
	const char *given = variable("TWILL_SOCKET");
	snprintf(socket_path, sizeof(socket_path), "%s", *given ? given : TWILL_SOCKET_PATH);
	if (*given)
		return;
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	if (n <= 0)
		return;
	path[n] = 0;
	char *slash = strrchr(path, '/');
	if (!slash)
		return;
	strcpy(slash + 1, "twill.socket");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = read(fd, path, sizeof(path) - 1);
	close(fd);
	if (n <= 0)
		return;
	path[n] = 0;
	path[strcspn(path, "\r\n")] = 0;
	if (path[0] == '/')
		snprintf(socket_path, sizeof(socket_path), "%s", path);
}

/* Path of a file beside the socket. */
static void beside_socket(char *out, size_t size, const char *name)
{
	const char *slash = strrchr(socket_path, '/');
	int directory = slash ? (int)(slash - socket_path) : 0;
	snprintf(out, size, "%.*s/%s", directory, socket_path, name);
}

static char *put32(char *at, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		*at++ = (char)(n >> (8 * i));
	return at;
}

static uint32_t get32(const unsigned char *at)
{
	return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static char *put_bytes(char *at, const void *data, size_t bytes)
{
	at = put32(at, (uint32_t)bytes);
	memcpy(at, data, bytes);
	return at + bytes;
}

extern char **environ;

/* The request frame; only variables of CNI go along. */
static char *make_request(size_t *bytes)
{
	char *frame = malloc(8 + 4 + ENV_MAX + 4 * ENV_COUNT_MAX + 4 + input_bytes);
	char *at = frame + 12;
	size_t used = 0;
	uint32_t count = 0;
	if (!frame)
		fail(CODE_IO, "", "Cannot make the request: %s", strerror(ENOMEM));
	for (char **e = environ; *e; e++) {
		size_t length = strlen(*e);
		if (strncmp(*e, "CNI_", 4) != 0)
			continue;
		if (used + length > ENV_MAX || count == ENV_COUNT_MAX)
			fail(CODE_IO, "", "Cannot make the request: the variables of CNI are longer than %d bytes", ENV_MAX);
		at = put_bytes(at, *e, length);
		used += length;
		count++;
	}
	put32(frame + 8, count);
	at = put_bytes(at, input, input_bytes);
	memcpy(frame, "TWC1", 4);
	put32(frame + 4, (uint32_t)(at - frame - 8));
	*bytes = (size_t)(at - frame);
	return frame;
}

/* Prints the answer and ends with its code; returns when the agent broke off before it was whole. */
static void relay_answer(int fd)
{
	unsigned char header[8];
	if (read_all(fd, header, sizeof(header)) < 0)
		return;
	uint32_t bytes = get32(header + 4);
	if (memcmp(header, "TWC1", 4) != 0 || bytes < 12 || bytes > ANSWER_MAX)
		fail(CODE_IO, "Is another version of the agent running than the one that installed this plugin?",
		     "Cannot understand what answers at \"%s\"", socket_path);
	unsigned char *body = malloc(bytes);
	if (!body)
		fail(CODE_IO, "", "Cannot read the answer: %s", strerror(ENOMEM));
	if (read_all(fd, body, bytes) < 0)
		return;
	uint32_t out = get32(body + 4);
	if (out > bytes - 12 || get32(body + 8 + out) != bytes - 12 - out)
		fail(CODE_IO, "", "Cannot understand what answers at \"%s\"", socket_path);
	int failed = write_all(STDOUT_FILENO, body + 8, out) < 0;
	write_all(STDERR_FILENO, body + 12 + out, bytes - 12 - out);
	_exit(failed ? 1 : (int)(get32(body) & 0xff));
}

/* Standard input anew for the program that is executed in our place. */
static void rewind_input(void)
{
	int fd = memfd_create("cni-stdin", 0);
	if (fd < 0 || write_all(fd, input, input_bytes) < 0 || lseek(fd, 0, SEEK_SET) < 0 || dup2(fd, STDIN_FILENO) < 0)
		fail(CODE_IO, "", "Cannot hand over standard input: %s", strerror(errno));
	if (fd != STDIN_FILENO)
		close(fd);
}

/* Replaces this process by the offline program; returns when the agent left none. One argument a line. */
static void exec_offline(int was_sent)
{
	static char text[ARGV_FILE_MAX];
	char path[PATH_MAX];
	char *argv[ARGV_MAX + 1];
	struct stat st;
	int argc = 0;
	beside_socket(path, sizeof(path), "offline.argv");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 022))
		fail(CODE_IO, "Only its owner may be able to write it, and that has to be the user of this process.",
		     "Cannot trust \"%s\"", path);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return;
	for (char *line = strtok(text, "\n"); line && argc < ARGV_MAX; line = strtok(NULL, "\n"))
		argv[argc++] = line;
	argv[argc] = NULL;
	if (argc == 0 || access(argv[0], X_OK) < 0)
		return;
	/* The agent may have done the work and died before it could say so: then it is done again. */
	if (was_sent)
		setenv("TWILL_RETRY", "1", 1);
	else
		unsetenv("TWILL_RETRY");
	rewind_input();
	execv(argv[0], argv);
}

__attribute__((noreturn))
static void answer_alone(int error)
{
	char path[PATH_MAX];
	beside_socket(path, sizeof(path), "ledger.db");
	/* What the node remembers lives as long as the boot: no ledger, nothing attached, nothing to take down. */
	if ((is_command("DEL") || is_command("GC")) && access(path, F_OK) < 0 && errno == ENOENT)
		_exit(0);
	fail(is_command("STATUS") ? CODE_NOT_AVAILABLE : CODE_TRY_AGAIN,
	     "The agent has not run since this node booted, or its files were removed. Start it: in a cluster, "
	     "kubectl -n kube-system get pods -l app.kubernetes.io/name=twill -o wide shows why it is not running here.",
	     "Cannot reach Twill's agent at \"%s\": %s", socket_path, strerror(error));
}

static int connect_agent(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = ANSWER_SECONDS };
	if (strlen(socket_path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, socket_path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	int error = errno;
	close(fd);
	errno = error;
	return -1;
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	int is_person = isatty(STDIN_FILENO);
	if (is_person && !*variable("CNI_COMMAND")) {
		fprintf(stderr, "Twill's CNI plugin, for container runtimes to execute. CNI versions: %s\n", VERSIONS);
		return 0;
	}
	if (!is_person)
		read_input();
	if (is_command("VERSION")) {
		printf("{\"cniVersion\":\"%s\",\"supportedVersions\":%s}\n", caller_version(), VERSIONS);
		return 0;
	}
	find_socket();
	size_t bytes;
	char *request = make_request(&bytes);
	int was_sent = 0;
	int fd = connect_agent();
	if (fd >= 0) {
		was_sent = 1;
		if (write_all(fd, request, bytes) == 0)
			relay_answer(fd);
	}
	int error = errno;
	if (error == EAGAIN || error == EWOULDBLOCK)
		fail(CODE_TRY_AGAIN, "", "Twill's agent at \"%s\" did not answer within %d seconds", socket_path, ANSWER_SECONDS);
	exec_offline(was_sent);
	answer_alone(error);
}
