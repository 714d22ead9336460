/*
 * Stands between a container runtime and its plugins, under the plugins' names: starts the plugin of the same name in
 * STOPWATCH_PLUGINS, hands everything through, and appends one line to STOPWATCH_LOG:
 *
 *     NAME COMMAND STATUS NANOSECONDS
 *
 * Time runs from before the plugin is started until its end is seen. What this program itself costs is not in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

#define CANNOT_START 127

static long long now_ns(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void note(const char *name, int status, long long ns) {
	char line[512];
	const char *command = getenv("CNI_COMMAND");
	int length = snprintf(line, sizeof line, "%s %s %d %lld\n", name, command ? command : "-", status, ns);
	if (length < 0 || length >= (int)sizeof line)
		return;
	int fd = open(STOPWATCH_LOG, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	/* One write for a line: others append at the same time. What fails shows as a missing line. */
	if (write(fd, line, (size_t)length) != length)
		fprintf(stderr, "stopwatch: cannot write %s: %s\n", STOPWATCH_LOG, strerror(errno));
	close(fd);
}

int main(int argc, char **argv) {
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argv[0];
	char path[512];
	int length = snprintf(path, sizeof path, "%s/%s", STOPWATCH_PLUGINS, name);
	if (length < 0 || length >= (int)sizeof path)
		return CANNOT_START;
	/* Plugins that start others find them where they are. */
	setenv("CNI_PATH", STOPWATCH_PLUGINS, 1);
	char *own[] = {path, NULL};
	pid_t pid;
	int status = 0;
	long long start = now_ns();
	if (posix_spawn(&pid, path, NULL, NULL, own, environ) != 0)
		return CANNOT_START;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	long long end = now_ns();
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	note(name, code, end - start);
	return code;
}
