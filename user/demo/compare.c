/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "demo/compare.h"

#include <json-c/json.h>
#include <string.h>
#include "demo/stage.h"
#include "demo/witness.h"

#define TEXT_LEN 128

static bool same(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

/* Each end has a namespace of its own; the port excludes the traffic that prepares a row. The kernel reuses the numbers
 * of namespaces, so an event from before the row is about another namespace. */
static bool is_about(const struct said *said, const struct scene *scene, const struct end *end)
{
	if (!said->time || strcmp(said->time, scene->begun) < 0)
		return false;
	if (said->netns && end->netns == end->peer->netns) /* both ends share one */
		return said->netns == end->netns && said->local_port == end->port;
	if (said->netns)
		return said->netns == end->netns && (said->local_port == DEMO_PORT || said->peer_port == DEMO_PORT);
	return said->pid && said->pid == end_owner(end);
}

static bool has_number(const struct json_object *array, int64_t number)
{
	for (size_t i = 0; array && i < json_object_array_length(array); i++)
		if (json_object_get_int64(json_object_array_get_idx(array, i)) == number)
			return true;
	return false;
}

static bool holders_are_right(const struct said *said, const struct end *end)
{
	struct json_object *array = json_object_object_get(said->line, "owner.holders");

	if (!array || json_object_array_length(array) != DEMO_HOLDERS + 1 || !has_number(array, end_owner(end)))
		return false;
	for (int i = 0; i < DEMO_HOLDERS; i++)
		if (!has_number(array, end->holders[i]))
			return false;
	return true;
}

static bool is_also_right(const struct said *said, unsigned int also, const struct end *end)
{
	if ((also & ALSO_PEER) && said_number(said->line, "peer.process.pid") != end_owner(end->peer))
		return false;
	if ((also & ALSO_HOLDERS) && !holders_are_right(said, end))
		return false;
	if ((also & ALSO_KILLED) && !same(said_text(said->line, "process.exit.signal"), "SIGKILL"))
		return false;
	if ((also & ALSO_UNIT) && !same(said_text(said->line, "systemd.unit"), DEMO_UNIT))
		return false;
	return !(also & ALSO_VPID) || said_number(said->line, "process.vpid") == 1;
}

static bool is_expected(const struct said *said, const struct expected *expected, const struct end *end)
{
	if (!same(said->event, event_name(cause_event(expected->cause))) ||
	    !same(said->cause, cause_name(expected->cause)) || !same(said->by, by_name(expected->by)))
		return false;
	if (expected->phase != PHASE_COUNT && !same(said->phase, phase_name(expected->phase)))
		return false;
	if (expected->error ? !same(said->error, end_error_name(end->error)) : said->error != NULL)
		return false;
	return said->pid == end_owner(end) && is_also_right(said, expected->also, end);
}

/* Marks the event that was expected. accept_dropped comes again while it goes on, as on a slow machine. */
static bool take_expected(const struct scene *scene, const struct end *end, const struct witness *witness,
			  const struct expected *expected)
{
	bool comes_again = cause_event(expected->cause) == EVENT_ACCEPT_DROPPED, found = false;

	for (size_t i = 0; i < witness->said_count && (!found || comes_again); i++) {
		struct said *said = &witness->said[i];

		if (said->taken || !is_about(said, scene, end) || !is_expected(said, expected, end))
			continue;
		found = said->taken = true;
	}
	return found;
}

/* Whether each expected event of this end came, exactly once, and no other event. */
static bool end_is_right(const struct scene *scene, const struct end *end, const struct witness *witness)
{
	bool right = true;

	for (const struct expected *expected = scene->row->expected[end->side]; expected->cause; expected++)
		if (!take_expected(scene, end, witness, expected))
			right = false;
	for (size_t i = 0; i < witness->said_count; i++)
		if (!witness->said[i].taken && is_about(&witness->said[i], scene, end))
			right = false;
	return right;
}

static void print_line(FILE *out, const char *side, const char *truth, const char *said, const char *verdict)
{
	char line[512];
	size_t n;

	snprintf(line, sizeof(line), "  %-2s %-50s %-50s %s", side, truth, said, verdict);
	for (n = strlen(line); n && line[n - 1] == ' '; n--)
		;
	fprintf(out, "%.*s\n", (int)n, line);
}

/* The field that the row tests besides the event. */
static void also_format(const struct said *said, unsigned int also, char text[TEXT_LEN])
{
	struct json_object *holders = json_object_object_get(said->line, "owner.holders");

	text[0] = '\0';
	if (also & ALSO_KILLED)
		snprintf(text, TEXT_LEN, ", %.16s", said_text(said->line, "process.exit.signal") ?: "no signal");
	else if (also & ALSO_HOLDERS)
		snprintf(text, TEXT_LEN, ", %zu holders", holders ? json_object_array_length(holders) : 0);
	else if (also & ALSO_UNIT)
		snprintf(text, TEXT_LEN, ", unit %.32s", said_text(said->line, "systemd.unit") ?: "none");
	else if (also & ALSO_VPID)
		snprintf(text, TEXT_LEN, ", vpid %d", (int)said_number(said->line, "process.vpid"));
	else if (also & ALSO_PEER)
		snprintf(text, TEXT_LEN, ", peer %.16s[%d]", said_text(said->line, "peer.process.name") ?: "?",
			 (int)said_number(said->line, "peer.process.pid"));
}

static void said_format(const struct said *said, unsigned int also, char text[TEXT_LEN])
{
	char process[64] = "no process", more[TEXT_LEN];

	if (said->pid)
		snprintf(process, sizeof(process), "%.16s[%d]", said->process ? said->process : "?", said->pid);
	also_format(said, also, more);
	snprintf(text, TEXT_LEN, "%.20s/%.24s by %.10s, %s%.40s", said->event ? said->event : "?",
		 said->cause ? said->cause : "?", said->by ? said->by : "?", process, more);
}

static void print_end(FILE *out, const struct scene *scene, const struct end *end, const struct witness *witness,
		      const char *verdict)
{
	const char *side = end->side == A ? "A" : "B";
	const char *truth = end->truth;

	for (size_t i = 0; i < witness->said_count; i++) {
		char text[TEXT_LEN];

		if (!is_about(&witness->said[i], scene, end))
			continue;
		said_format(&witness->said[i], scene->row->expected[end->side][0].also, text);
		print_line(out, side, truth, text, verdict);
		side = truth = verdict = "";
	}
	if (*side)
		print_line(out, side, truth, "nothing", verdict);
}

/* For an end that is wrong: everything that was expected, and every event in full. */
static void print_wrong(FILE *out, const struct scene *scene, const struct end *end, const struct witness *witness)
{
	const struct expected *expected = scene->row->expected[end->side];

	if (expected->cause == CAUSE_NONE)
		fprintf(out, "     expected nothing\n");
	for (; expected->cause != CAUSE_NONE; expected++)
		fprintf(out, "     expected %s/%s by %s, phase %s, error.type %s, pid %d\n",
			event_name(cause_event(expected->cause)), cause_name(expected->cause), by_name(expected->by),
			expected->phase == PHASE_COUNT ? "any" : phase_name(expected->phase),
			expected->error ? end_error_name(end->error) : "none", (int)end_owner(end));
	for (size_t i = 0; i < witness->said_count; i++)
		if (is_about(&witness->said[i], scene, end))
			fprintf(out, "     said %s\n", json_object_to_json_string(witness->said[i].line));
}

static enum outcome compare_ends(FILE *out, const struct scene *scene, struct witness *witness)
{
	enum outcome outcome = OUTCOME_RIGHT;

	for (enum side side = A; side < SIDES; side++) {
		const struct end *end = &scene->ends[side];
		bool right = end_is_right(scene, end, witness);

		print_end(out, scene, end, witness, right ? "right" : "WRONG");
		if (right)
			continue;
		print_wrong(out, scene, end, witness);
		outcome = OUTCOME_WRONG;
	}
	return outcome;
}

enum outcome compare_scene(FILE *out, const struct scene *scene, struct witness *witness)
{
	char name[TEXT_LEN];

	row_name(scene->row, name, sizeof(name));
	fprintf(out, "%s: %s\n", name, scene->row->story);
	if (scene->state == SCENE_SKIPPED) {
		fprintf(out, "     skipped: %s\n", scene->why);
		return OUTCOME_SKIPPED;
	}
	if (scene->state != SCENE_PLAYED) {
		fprintf(out, "     WRONG: the drop was not made as intended: %s\n", scene->why);
		return OUTCOME_WRONG;
	}
	if (witness)
		return compare_ends(out, scene, witness);
	print_line(out, "A", scene->ends[A].truth, "", "");
	print_line(out, "B", scene->ends[B].truth, "", "");
	return OUTCOME_RIGHT;
}

bool compare_lines(FILE *out, const struct witness *witness)
{
	for (size_t i = 0; i < witness->said_count; i++)
		if (same(witness->said[i].event, event_name(EVENT_EVENTS_LOST)))
			fprintf(out, "lostpeer missed something, here or elsewhere on this host: %s\n",
				json_object_to_json_string(witness->said[i].line));
	if (witness->bad_lines)
		fprintf(out, "%zu of the lines that lostpeer wrote are no JSON object\n", witness->bad_lines);
	return witness->bad_lines == 0;
}
