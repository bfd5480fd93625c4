/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "demo/stage.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/say.h"

/* Not the number of CPUs: most rows only wait for a timer of the kernel. */
#define SCENES_AT_ONCE 8

/* A step gives up by itself after END_PATIENCE_MS. This limit is for one that hangs. */
#define STEP_DEADLINE_NS (END_PATIENCE_MS * 1500000ULL)

static const char *side_name(enum side side)
{
	return side == A ? "A" : "B";
}

int stage_open(struct stage *stage, const struct row *const *rows, size_t count)
{
	*stage = (struct stage){.count = count, .ends_size = count * SIDES * sizeof(struct end)};
	stage->scenes = calloc(count, sizeof(*stage->scenes));
	stage->ends = mmap(NULL, stage->ends_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!stage->scenes || stage->ends == MAP_FAILED) {
		free(stage->scenes);
		return -ENOMEM;
	}
	for (size_t i = 0; i < count; i++) {
		struct end *ends = stage->ends + i * SIDES;

		stage->scenes[i] = (struct scene){.row = rows[i], .ends = ends, .line = {-1, -1}};
		ends[A] = (struct end){.side = A, .peer = &ends[B], .fd = -1, .listener = -1};
		ends[B] = (struct end){.side = B, .peer = &ends[A], .fd = -1, .listener = -1};
	}
	return 0;
}

static void scene_fail(struct scene *scene, const char *who, const char *why)
{
	scene->state = SCENE_FAILED;
	snprintf(scene->why, sizeof(scene->why), "%s: %s", who, why);
}

/* Sends the next step to its end. */
static void scene_send_step(struct scene *scene)
{
	enum side who;
	int index = (int)scene->next;

	if (scene->next == row_step_count(scene->row)) {
		scene->state = SCENE_PLAYED;
		return;
	}
	who = row_step(scene->row, scene->next)->who;
	scene->deadline = clock_monotonic_ns() + STEP_DEADLINE_NS;
	if (send(scene->line[who], &index, sizeof(index), MSG_NOSIGNAL) != sizeof(index))
		scene_fail(scene, side_name(who), "its process is gone");
}

static void scene_start(struct scene *scene)
{
	scene->state = SCENE_PLAYING;
	clock_format_utc(clock_realtime_ns(), scene->begun);
	for (enum side side = A; side < SIDES; side++) {
		int err = end_start(&scene->ends[side], scene->row, &scene->line[side]);

		if (err) {
			scene_fail(scene, side_name(side), strerror(-err));
			return;
		}
	}
	scene_send_step(scene);
}

/* Receives the result of the step. Returns 0, or -EPERM if no row can be played here. */
static int scene_receive_result(struct scene *scene)
{
	enum side who = row_step(scene->row, scene->next)->who;
	struct end *end = &scene->ends[who];
	int result;

	if (recv(scene->line[who], &result, sizeof(result), 0) != sizeof(result)) {
		scene_fail(scene, side_name(who), "its process is gone");
		return 0;
	}
	switch (result) {
	case STEP_DONE:
		scene->next++;
		scene_send_step(scene);
		return 0;
	case STEP_SKIP:
		scene->state = SCENE_SKIPPED;
		snprintf(scene->why, sizeof(scene->why), "%s", end->problem);
		return 0;
	case STEP_BROKEN:
		scene_fail(scene, side_name(who), end->problem);
		return say(-EPERM, "demo: %s", end->problem);
	default:
		scene_fail(scene, side_name(who), end->problem);
		return 0;
	}
}

/* Starts waiting scenes up to the limit. Returns how many are playing. */
static size_t stage_start(struct stage *stage)
{
	size_t playing = 0;

	for (size_t i = 0; i < stage->count; i++)
		playing += stage->scenes[i].state == SCENE_PLAYING;
	for (size_t i = 0; i < stage->count && playing < SCENES_AT_ONCE; i++) {
		if (stage->scenes[i].state != SCENE_WAITING)
			continue;
		scene_start(&stage->scenes[i]);
		playing += stage->scenes[i].state == SCENE_PLAYING;
	}
	return playing;
}

static void stage_expire(struct stage *stage)
{
	__u64 now = clock_monotonic_ns();

	for (size_t i = 0; i < stage->count; i++) {
		struct scene *scene = &stage->scenes[i];

		if (scene->state == SCENE_PLAYING && now > scene->deadline)
			scene_fail(scene, side_name(row_step(scene->row, scene->next)->who), "it hangs");
	}
}

/* Waits for results, and takes those that came. */
static int stage_wait(struct stage *stage, int signals)
{
	struct pollfd pfds[SCENES_AT_ONCE + 1] = {{.fd = signals, .events = POLLIN}};
	struct scene *scenes[SCENES_AT_ONCE + 1] = {NULL};
	nfds_t n = 1;
	int err = 0;

	for (size_t i = 0; i < stage->count; i++) {
		struct scene *scene = &stage->scenes[i];

		if (scene->state != SCENE_PLAYING)
			continue;
		scenes[n] = scene;
		pfds[n].fd = scene->line[row_step(scene->row, scene->next)->who];
		pfds[n++].events = POLLIN;
	}
	if (poll(pfds, n, 1000) < 0)
		return errno == EINTR ? 0 : -errno;
	if (pfds[0].revents)
		return -EINTR;
	for (nfds_t i = 1; i < n && !err; i++)
		if (pfds[i].revents)
			err = scene_receive_result(scenes[i]);
	stage_expire(stage);
	return err;
}

int stage_play(struct stage *stage, int signals)
{
	int err = 0;

	while (!err && stage_start(stage))
		err = stage_wait(stage, signals);
	return err;
}

void stage_close(struct stage *stage)
{
	for (size_t i = 0; i < stage->count; i++)
		for (enum side side = A; side < SIDES; side++) {
			end_stop(&stage->scenes[i].ends[side]);
			if (stage->scenes[i].line[side] >= 0)
				close(stage->scenes[i].line[side]);
		}
	free(stage->scenes);
	munmap(stage->ends, stage->ends_size);
	*stage = (struct stage){0};
}
