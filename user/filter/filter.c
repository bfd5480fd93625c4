/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "filter/filter.h"

#include <stdlib.h>
#include <string.h>

#include "base/line.h"
#include "event/shared.h"
#include "filter/filter_kinds.h"

void filter_init(struct filter *filter)
{
	memset(filter, 0, sizeof(*filter));
	filter->min_severity = SEVERITY_INFO;
}

static void free_list(struct filter_value *value)
{
	struct filter_value *next;

	for (; value; value = next) {
		next = value->next;
		free(value->text);
		free(value);
	}
}

void filter_free(struct filter *filter)
{
	for (int i = 0; i < FILTER_COUNT; i++) {
		free_list(filter->only[i]);
		free_list(filter->not [i]);
	}
}

/* With another user's values we would look at paths with our privileges, and match patterns at our cost. */
static const char *check_foreign(const struct filter *filter, enum filter_kind kind, const char *text)
{
	if (kind == FILTER_NETNS && strchr(text, '/'))
		return "a path; here it takes the inode number";
	if (kind == FILTER_UNIT && strpbrk(text, "*?["))
		return "a pattern; here it takes a whole name";
	return filter->n_values < FILTER_FOREIGN_MAX ? NULL : "more than 64 values";
}

const char *filter_add(struct filter *filter, enum filter_kind kind, bool opposite, const char *text)
{
	struct filter_value **list = opposite ? &filter->not [kind] : &filter->only[kind], *value;
	const char *why = filter->foreign ? check_foreign(filter, kind, text) : NULL;

	if (why)
		return why;
	filter->n_values++;
	value = calloc(1, sizeof(*value));
	if (!value)
		return "out of memory";
	value->next = *list;
	*list = value;
	why = filter_kinds[kind].parse(value, text);
	if (!why && !value->text && !(value->text = strdup(text)))
		return "out of memory";
	if (!why && opposite && kind == FILTER_EVENT && value->number == EVENT_EVENTS_LOST)
		return "gaps are always told";
	return why;
}

/* Removes the blanks around a value, as in "80, 443". */
static char *trim(char *text)
{
	size_t n;

	text += strspn(text, " \t");
	n = strlen(text);
	while (n && strchr(" \t", text[n - 1]))
		n--;
	text[n] = '\0';
	return text;
}

const char *filter_add_list(struct filter *filter, enum filter_kind kind, bool opposite, const char *values)
{
	char copy[1024], *each, *rest = copy;
	const char *why = NULL;

	if (strlen(values) >= sizeof(copy))
		return "too long";
	strcpy(copy, values);
	if (filter_kinds[kind].has_commas)
		return filter_add(filter, kind, opposite, values);
	while (!why && (each = strsep(&rest, ",")))
		why = filter_add(filter, kind, opposite, trim(each));
	return why;
}

size_t filter_numbers(const struct filter *filter, enum filter_kind kind, __u64 *numbers, size_t room)
{
	size_t n = 0;

	for (const struct filter_value *v = filter->only[kind]; v; v = v->next, n++)
		if (n < room)
			numbers[n] = v->number;
	return n;
}

/* The newest value is the first of the list. */
static void say_values(const struct filter_value *v, struct line *line)
{
	if (v->next) {
		say_values(v->next, line);
		line_text(line, ",");
	}
	line_plain(line, v->text);
}

static void say_list(const struct filter_value *v, const char * not, enum filter_kind kind, struct line *line)
{
	const char *name = filter_kinds[kind].option.name;

	if (!v)
		return;
	line_printf(line, "%s--%s%.*s ", line->length ? " " : "", not, (int)strcspn(name, "*"), name);
	say_values(v, line);
}

void filter_say(const struct filter *f, struct line *line)
{
	for (enum filter_kind kind = 0; kind < FILTER_COUNT; kind++) {
		say_list(f->only[kind], "", kind, line);
		say_list(f->not [kind], "not-", kind, line);
	}
}

bool filter_asks_owner(const struct filter *filter)
{
	for (int kind = 0; kind < FILTER_COUNT; kind++)
		if (filter_kinds[kind].of_owner && filter->only[kind])
			return true;
	return false;
}

static bool names_event(const struct filter *f, enum lp_event event)
{
	for (const struct filter_value *v = f->only[FILTER_EVENT]; v; v = v->next)
		if (v->number == event)
			return true;
	return false;
}

static bool names_cause(const struct filter *f, enum lp_cause cause)
{
	for (const struct filter_value *v = f->only[FILTER_CAUSE]; v; v = v->next)
		if (!strcmp(v->text, cause_name(cause)))
			return true;
	return false;
}

/* Orderly ends are reported only on request. */
static bool is_asked(const struct filter *f, __u32 class, enum lp_cause cause)
{
	return !(class & LP_CLASSES_ORDERLY) || f->all || (f->peer_closes && cause == PEER_CLOSED_FIN) ||
	       names_event(f, cause_event(cause)) || names_cause(f, cause);
}

static bool any_matches(const struct filter_value *v, enum filter_kind kind, const struct filter_subject *s)
{
	for (; v; v = v->next)
		if (filter_kinds[kind].match(v, s))
			return true;
	return false;
}

static bool rejects(const struct filter *f, enum filter_kind kind, const struct filter_subject *s)
{
	return any_matches(f->not [kind], kind, s);
}

static bool passes(const struct filter *f, enum filter_kind kind, const struct filter_subject *s)
{
	return !rejects(f, kind, s) && (!f->only[kind] || any_matches(f->only[kind], kind, s));
}

/* Whether any event of this cause can pass. */
static bool can_pass(const struct filter *f, enum lp_cause cause)
{
	const struct event event = {.verdict = {.cause = cause}};
	const struct filter_subject subject = {.event = &event};

	return passes(f, FILTER_EVENT, &subject) && passes(f, FILTER_CAUSE, &subject);
}

struct lp_wants filter_wants(const struct filter *f)
{
	const struct filter_value *netns = f->only[FILTER_NETNS];
	struct lp_wants wants = {.classes = LP_CLASS_LOST};

	for (enum lp_cause cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++)
		if (is_asked(f, cause_class(cause), cause) && can_pass(f, cause))
			wants.classes |= cause_class(cause);
	if (netns && !netns->next)
		wants.netns = (__u32)netns->number;
	return wants;
}

static bool all_pass(const struct filter *f, bool of_owner, const struct filter_subject *s)
{
	for (int kind = 0; kind < FILTER_COUNT; kind++)
		if (filter_kinds[kind].of_owner == of_owner && !passes(f, (enum filter_kind)kind, s))
			return false;
	return true;
}

bool filter_event(const struct filter *f, const struct event *e)
{
	if (!e->record) /* a gap concerns every reader of the stream */
		return true;
	if (e->severity > f->min_severity || !is_asked(f, event_class(e), e->verdict.cause))
		return false;
	return all_pass(f, false, &(struct filter_subject){.event = e});
}

static bool passes_as(const struct filter *f, const struct event *e, __u32 pid, const char *name,
		      const struct place *place)
{
	return all_pass(f, true, &(struct filter_subject){e, pid, name, place});
}

static bool passes_as_holder(const struct filter *f, const struct event *e, unsigned i)
{
	const struct lp_task *holder = &e->owner.holders[i];
	char line[CGROUP_LINE_LEN];
	struct place place;

	if (!*e->holder_cgroups)
		return passes_as(f, e, holder->tgid, holder->comm, e->place);
	shared_read_place(shared_cgroup(e->holder_cgroups, i, line), &place);
	return passes_as(f, e, holder->tgid, holder->comm, &place);
}

/* One of the processes that held the connection must pass them all; so a --not option excludes an event only if it
 * excludes each of them. */
bool filter_owner(const struct filter *f, const struct event *e)
{
	const struct owner *o = &e->owner;

	if (o->via && passes_as(f, e, o->process.tgid, o->process.comm, e->place))
		return true;
	for (unsigned i = 0; i < o->n_holders; i++)
		if (passes_as_holder(f, e, i))
			return true;
	if (o->via || (o->n_holders && o->unknown != UNKNOWN_HOLDER_GONE && !o->more_holders))
		return false;
	return passes_as(f, e, 0, o->process.comm, e->place); /* one that is not known */
}
