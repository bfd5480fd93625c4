/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "demo/witness.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "demo/step.h"

/* For loading its programs, and for writing its last events: far more than an emulated machine needs. */
#define WITNESS_PATIENCE_MS 120000

#define TEXT(x) #x
#define PORT_TEXT(port) TEXT(port)

static const char ready[] = "lostpeer: watching ";

static _Noreturn void witness_run(const struct witness *witness, int errors, pid_t director)
{
	const char *path = getenv("LOSTPEER") ?: "/proc/self/exe";
	/* Every connection that is judged has this port. Events of others on a busy host would only fill our memory. */
	char *const argv[] = {"lostpeer",
			      "watch",
			      "--json",
			      "--all",
			      "--port",
			      PORT_TEXT(DEMO_PORT),
			      "--ignored-after",
			      DEMO_IGNORED_AFTER,
			      witness->hook ? "--connect-hook" : NULL,
			      NULL};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != director)
		_exit(1);
	dup2(witness->output, STDOUT_FILENO);
	dup2(errors, STDERR_FILENO);
	execv(path, argv);
	dprintf(STDERR_FILENO, "lostpeer: demo: cannot run %s: %s\n", path, strerror(errno));
	_exit(127);
}

/* Reads its stderr. Returns false at the end of file. */
static bool witness_read_errors(struct witness *witness)
{
	char text[1024];
	ssize_t n = read(witness->errors, text, sizeof(text));
	size_t room = sizeof(witness->stderr_text) - 1 - witness->stderr_size;

	if (n < 0)
		return errno == EINTR;
	if ((size_t)n < room)
		room = (size_t)n;
	memcpy(witness->stderr_text + witness->stderr_size, text, room);
	witness->stderr_size += room;
	witness->stderr_text[witness->stderr_size] = '\0';
	return n > 0;
}

static int witness_reap(struct witness *witness)
{
	int status = 0;

	while (waitpid(witness->pid, &status, 0) < 0 && errno == EINTR)
		;
	witness->pid = 0;
	return status;
}

static void witness_shut(struct witness *witness)
{
	if (witness->pid > 0) {
		kill(witness->pid, SIGKILL);
		witness_reap(witness);
	}
	if (witness->output >= 0)
		close(witness->output);
	if (witness->errors >= 0)
		close(witness->errors);
	witness->output = witness->errors = -1;
}

/* Returns 0 once it watches, -EINTR for a signal, -ECHILD if it ended or took too long. */
static int witness_wait_ready(struct witness *witness, int signals)
{
	struct pollfd pfds[] = {{.fd = signals, .events = POLLIN}, {.fd = witness->errors, .events = POLLIN}};

	for (;;) {
		int n = poll(pfds, 2, WITNESS_PATIENCE_MS);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -ECHILD;
		if (pfds[0].revents)
			return -EINTR;
		if (!witness_read_errors(witness))
			return -ECHILD;
		if (strstr(witness->stderr_text, ready))
			return 0;
	}
}

static int witness_try(struct witness *witness, bool hook, int signals)
{
	pid_t director = getpid();
	int pipefd[2], err;

	*witness = (struct witness){.output = -1, .errors = -1, .hook = hook};
	witness->output = memfd_create("lostpeer demo", MFD_CLOEXEC);
	if (witness->output < 0 || pipe2(pipefd, O_CLOEXEC) < 0)
		return -errno;
	witness->errors = pipefd[0];
	witness->pid = fork();
	if (!witness->pid)
		witness_run(witness, pipefd[1], director);
	err = witness->pid < 0 ? -errno : 0;
	close(pipefd[1]);
	return err ?: witness_wait_ready(witness, signals);
}

int witness_start(struct witness *witness, int signals)
{
	char why[sizeof(witness->why_no_hook)] = "";
	int err = witness_try(witness, true, signals);

	if (err == -ECHILD) {
		witness_shut(witness);
		snprintf(why, sizeof(why), "%.*s", (int)strcspn(witness->stderr_text, "\n"), witness->stderr_text);
		err = witness_try(witness, false, signals);
		memcpy(witness->why_no_hook, why, sizeof(why));
	}
	if (err == -ECHILD)
		fputs(witness->stderr_size ? witness->stderr_text : "lostpeer: demo: lostpeer watch said nothing\n",
		      stderr);
	if (err)
		witness_shut(witness);
	return err;
}

const char *said_text(const struct json_object *line, const char *name)
{
	return json_object_get_string(json_object_object_get(line, name));
}

int64_t said_number(const struct json_object *line, const char *name)
{
	return json_object_get_int64(json_object_object_get(line, name));
}

/* Owns the line from here on. */
static int witness_add(struct witness *witness, struct json_object *line)
{
	struct said *grown = realloc(witness->said, (witness->said_count + 1) * sizeof(*grown));

	if (!grown) {
		json_object_put(line);
		return -ENOMEM;
	}
	witness->said = grown;
	witness->said[witness->said_count++] = (struct said){
		.line = line,
		.time = said_text(line, "time"),
		.event = said_text(line, "event"),
		.cause = said_text(line, "cause"),
		.by = said_text(line, "by"),
		.phase = said_text(line, "phase"),
		.error = said_text(line, "error.type"),
		.process = said_text(line, "process.name"),
		.pid = (int)said_number(line, "process.pid"),
		.netns = (uint32_t)said_number(line, "network.netns"),
		.local_port = (int)said_number(line, "network.local.port"),
		.peer_port = (int)said_number(line, "network.peer.port"),
	};
	return 0;
}

/* Times compare as strings: all are in UTC and of one length. */
static int by_time(const void *a, const void *b)
{
	const struct said *left = a, *right = b;

	return strcmp(left->time ?: "", right->time ?: "");
}

static int witness_read(struct witness *witness)
{
	FILE *file = fdopen(witness->output, "r");
	char *text = NULL;
	size_t size = 0;
	int err = 0;

	if (!file)
		return -errno;
	witness->output = -1;
	rewind(file);
	while (!err && getline(&text, &size, file) > 0) {
		struct json_object *line = json_tokener_parse(text);

		if (line && json_object_is_type(line, json_type_object)) {
			err = witness_add(witness, line);
		} else {
			json_object_put(line);
			witness->bad_lines++;
		}
	}
	free(text);
	fclose(file);
	/* It delays an event until the owner is known, so lines may be out of order. */
	if (witness->said)
		qsort(witness->said, witness->said_count, sizeof(*witness->said), by_time);
	return err;
}

int witness_stop(struct witness *witness)
{
	struct pollfd pfd = {.fd = witness->errors, .events = POLLIN};
	int status;

	kill(witness->pid, SIGTERM);
	do {
		int n = poll(&pfd, 1, WITNESS_PATIENCE_MS);

		if (n == 0) {
			fputs("lostpeer: demo: lostpeer watch does not end on SIGTERM\n", stderr);
			return -ETIMEDOUT;
		}
	} while (witness_read_errors(witness));
	status = witness_reap(witness);
	if (status) {
		fprintf(stderr, "%slostpeer: demo: lostpeer watch ended with %s %d\n", witness->stderr_text,
			WIFSIGNALED(status) ? "signal" : "status",
			WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		return -ECHILD;
	}
	return witness_read(witness);
}

void witness_close(struct witness *witness)
{
	witness_shut(witness);
	for (size_t i = 0; i < witness->said_count; i++)
		json_object_put(witness->said[i].line);
	free(witness->said);
	*witness = (struct witness){.output = -1, .errors = -1};
}
