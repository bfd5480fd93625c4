/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The configuration from a file and options. Every error is reported with its line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "service/config.h"
#include "outputs/file.h"

static char messages[16384]; /* stderr of the last load() */

/* Writes the text to a file with a short, fixed name. */
static const char *write_file(const char *text)
{
	static char path[64];
	int file = memfd_create("conf", 0);

	assert_true(file >= 0);
	dup2(file, 200);
	close(file);
	assert_int_equal(write(200, text, strlen(text)), strlen(text));
	snprintf(path, sizeof(path), "/proc/self/fd/200");
	return path;
}

static bool load(const char *path, const char *const *options, struct config_result *result)
{
	int saved = dup(2), file = memfd_create("stderr", MFD_CLOEXEC);
	struct config *c = config_new();
	const char *why;
	bool right = true, opposite;
	ssize_t n;

	fflush(stderr);
	dup2(file, 2);
	if (path)
		right = config_read(c, path);
	for (; options && *options; options += 2) {
		const struct output_ops *ops = &output_file;
		const struct option_spec *spec = NULL;
		const struct option_group *groups[] = {&kernel_keys, &filter_keys, &feed_keys, &ops->keys};

		if (!strcmp(options[0], "output")) {
			assert_null(config_begin(c, options[1]));
			continue;
		}
		for (size_t i = 0; i < 4 && !spec; i++)
			spec = options_find(groups[i], options[0], strlen(options[0]), &opposite);
		assert_non_null(spec);
		why = config_set(c, spec, opposite, options[1]);
		if (why)
			fprintf(stderr, "%s: %s\n", options[0], why);
		right = right && !why;
	}
	right = config_resolve(c, result) && right;
	config_free(c);
	fflush(stderr);
	dup2(saved, 2);
	close(saved);
	n = pread(file, messages, sizeof(messages) - 1, 0);
	messages[n > 0 ? n : 0] = '\0';
	close(file);
	return right;
}

static bool load_text(const char *text, struct config_result *result)
{
	return load(write_file(text), NULL, result);
}

/* stderr is exactly the wanted text: one message for each wrong line, starting with its place. */
static void assert_says(const char *text, const char *wanted)
{
	struct config_result result;

	assert_false(load_text(text, &result));
	assert_int_equal(result.n_feeds, 0);
	assert_string_equal(messages, wanted);
}

#define AT "/proc/self/fd/200:"

static void test_a_whole_configuration(void **state)
{
	struct config_result r;
	const struct file_settings *file;

	(void)state;
	assert_true(load_text("; a comment\n"
			      "# another\n"
			      "[agent]\n"
			      "ring = 8192\n"
			      "connect-hook = yes\n"
			      "accept-hook = no\n"
			      "\n"
			      "[file]\n"
			      "\tpath = /var/log/lostpeer/events.jsonl ; where it always is\n"
			      "  all=on\n"
			      "[ file   audit ]  # with one space\n"
			      "path: /srv/audit.log # kept for a year\n"
			      "format = text\n"
			      "fsync = true\n"
			      "port = 80, 443\n"
			      "port = 8080\n"
			      "not-name = a, b\n"
			      "min-severity = warning\n"
			      "group = 5s\n"
			      "rate = 7\n"
			      "[stdout]",
			      &r));
	assert_string_equal(messages, "");
	assert_int_equal(r.kernel.ring_bytes, 8 << 20);
	assert_true(r.kernel.connect_hook);
	assert_false(r.kernel.accept_hook);
	assert_int_equal(r.n_feeds, 3);
	assert_string_equal(r.feeds[0]->title, "file");
	assert_true(r.feeds[0]->filter.all);
	file = r.feeds[0]->output;
	assert_string_equal(file->path, "/var/log/lostpeer/events.jsonl");
	assert_false(file->fsync);
	assert_false(file->lines.text);
	assert_int_equal(r.feeds[0]->group_ns, 0);
	assert_string_equal(r.feeds[1]->title, "file audit");
	file = r.feeds[1]->output;
	assert_string_equal(file->path, "/srv/audit.log");
	assert_true(file->fsync);
	assert_true(file->lines.text);
	assert_non_null(r.feeds[1]->filter.only[FILTER_PORT]);
	assert_non_null(r.feeds[1]->filter.not [FILTER_NAME]);
	assert_int_equal(r.feeds[1]->filter.min_severity, SEVERITY_WARNING);
	assert_int_equal(r.feeds[1]->group_ns, 5000000000ULL);
	assert_int_equal(r.feeds[1]->rate, 7);
	assert_ptr_equal(r.feeds[2]->ops, &output_stdout);
	config_clear(&r);
}

/* Each alone, so no message hides another; then all at once. */
static const struct {
	const char *line;
	const char *message; /* the text after the place */
} wrongs[] = {
	{"bogus = 1\n", "[file] bogus: no such key here; see lostpeer.conf(5)\n"},
	{"ring = 4096\n", "[file] ring: no such key here; see lostpeer.conf(5)\n"},
	{"not-all = yes\n", "[file] not-all: no such key here; see lostpeer.conf(5)\n"},
	{"all = maybe\n", "[file] all: neither yes nor no\n"},
	{"all =\n", "[file] all: neither yes nor no\n"},
	{"format = xml\n", "[file] format: neither json nor text\n"},
	{"port = 80, 70000\n", "[file] port: not a port (0 to 65535)\n"},
	{"not-peer = 10.0.0.0/33\n", "[file] not-peer: neither an address nor a CIDR\n"},
	{"event = nonsense\n", "[file] event: not an event of lostpeer-events(7)\n"},
	{"unit =\n", "[file] unit: has no value\n"},
	{"min-severity = loud\n", "[file] min-severity: neither error, warning, notice nor info\n"},
	{"group = often\n", "[file] group: neither 0 nor a duration such as 500ms, 5s or 1m\n"},
	{"rate = -1\n", "[file] rate: not a number from 0 to 1000000\n"},
	{"path = /tmp/again\n", "[file] path: is set already, in line 2\n"},
	{"no value at all\n", "neither [SECTION] nor KEY = VALUE\n"},
	{"= 3\n", "no key before the =\n"},
	{"[file audit\n", "no ] at the end of the section's title\n"},
	{"[]\n", "a section without a title\n"},
	{"[stdout] x\n", "something after the section's title\n"},
	{"[file]\n", "[file]: is there already, in line 1\n"},
};

static void test_each_error_names_its_line(void **state)
{
	char text[1024], wanted[256];

	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		snprintf(text, sizeof(text), "[file]\npath = /tmp/events\n\n%s", wrongs[i].line);
		snprintf(wanted, sizeof(wanted), AT "4: %s", wrongs[i].message);
		if (!strcmp(wrongs[i].line, "[file]\n")) /* it also lacks a path */
			strcat(wanted, AT "4: [file]: needs a path\n");
		assert_says(text, wanted);
	}
}

static void test_two_outputs_do_not_go_to_one_place(void **state)
{
	(void)state;
	assert_says("[file]\npath = /tmp/events\n[file two]\npath = /tmp/events\n",
		    AT "3: [file two]: goes where [file] goes, and they would get in each other's way\n");
	assert_says("[stdout]\n[stdout two]\n",
		    AT "2: [stdout two]: goes where [stdout] goes, and they would get in each other's way\n");
	assert_says("[subscribers]\n[subscribers two]\n",
		    AT "2: [subscribers two]: goes where [subscribers] goes, and they would get in each other's way\n");
}

static void test_reports_all_errors_at_once(void **state)
{
	char text[4096] = "[file]\npath = /tmp/events\n", place[32];
	struct config_result r;

	(void)state;
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++)
		strcat(text, wrongs[i].line);
	assert_false(load_text(text, &r));
	for (size_t i = 0; i < sizeof(wrongs) / sizeof(*wrongs); i++) {
		snprintf(place, sizeof(place), AT "%zu: ", i + 3);
		if (!strstr(messages, place)) /* its own message, or one for a key that comes twice */
			fail_msg("line %zu is not reported: %s", i + 3, messages);
	}
}

static void test_wrong_sections(void **state)
{
	(void)state;
	assert_says("x = 1\n[stdout]\n",
		    AT "1: before any section: begin with [agent], or with an output such as [file]\n");
	assert_says("[pigeon coop]\n",
		    AT "1: [pigeon coop]: neither agent nor a kind of output; see lostpeer.conf(5)\n");
	assert_says("[stdoutx]\n", AT "1: [stdoutx]: neither agent nor a kind of output; see lostpeer.conf(5)\n");
	assert_says("[agent]\nfoo = 1\n[stdout]\n", AT "2: [agent] foo: no such key here; see lostpeer.conf(5)\n");
	assert_says("[file]\n", AT "1: [file]: needs a path\n");
	assert_says("[agent]\n",
		    "lostpeer agent: /proc/self/fd/200: no output: give it a section such as [file], or --output\n");
	assert_says("",
		    "lostpeer agent: /proc/self/fd/200: no output: give it a section such as [file], or --output\n");
}

/* It must not be read as two lines. */
static void test_a_line_that_is_too_long(void **state)
{
	char text[2048] = "[stdout]\nname = ";

	(void)state;
	memset(text + strlen(text), 'x', 1000);
	strcat(text, "\nport = 80\nbogus = 1\n");
	assert_says(text, AT "2: too long a line: a list can be given in several, KEY = VALUE each\n" AT
			     "4: [stdout] bogus: no such key here; see lostpeer.conf(5)\n");
}

static void test_a_file_that_is_not_there(void **state)
{
	struct config_result r;

	(void)state;
	assert_false(load("/nonexistent.conf", NULL, &r));
	assert_string_equal(messages, "lostpeer agent: /nonexistent.conf: No such file or directory\n");
	assert_false(load("/tmp", NULL, &r));
	assert_string_equal(messages, "lostpeer agent: /tmp: Is a directory\n");
}

static void test_options_come_after_the_file(void **state)
{
	const char *const options[] = {"ring",   "64",       "output", "file",     "path", "/tmp/other", "port", "443",
				       "output", "file new", "path",   "/tmp/new", "all",  NULL,         NULL};
	struct config_result r;

	(void)state;
	assert_true(load(write_file("[agent]\nring = 4096\n[file]\npath = /tmp/events\nport = 80\n"), options, &r));
	assert_int_equal(r.kernel.ring_bytes, 64 << 10);
	assert_int_equal(r.n_feeds, 2);
	assert_string_equal(((struct file_settings *)r.feeds[0]->output)->path, "/tmp/other");
	assert_false(r.feeds[0]->filter.all);
	assert_string_equal(r.feeds[1]->title, "file new");
	assert_true(r.feeds[1]->filter.all);
	config_clear(&r);
}

static void test_an_option_of_no_output(void **state)
{
	const char *const options[] = {"path", "/tmp/x", NULL};
	struct config_result r;

	(void)state;
	assert_false(load(NULL, options, &r));
	assert_non_null(strstr(messages, "path: is of an output: --output KIND goes before it\n"));
}

static void test_an_option_that_is_wrong(void **state)
{
	const char *const options[] = {"output", "file", "path", "/tmp/x", "port", "x", NULL};
	struct config_result r;

	(void)state;
	assert_false(load(NULL, options, &r));
	assert_string_equal(messages, "lostpeer agent: [file] port: not a port (0 to 65535)\n");
}

/* The source decides whether a reload keeps an output. */
static void test_the_source_tells_whether_it_has_changed(void **state)
{
	struct config_result one, other;

	(void)state;
	assert_true(load_text("[stdout]\nport = 80\n", &one));
	assert_true(load_text("\n[stdout]\n  port=80 ; the same\n", &other));
	assert_string_equal(one.feeds[0]->source, other.feeds[0]->source);
	config_clear(&other);
	assert_true(load_text("[stdout]\nport = 81\n", &other));
	assert_string_not_equal(one.feeds[0]->source, other.feeds[0]->source);
	config_clear(&other);
	config_clear(&one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_whole_configuration),
		cmocka_unit_test(test_each_error_names_its_line),
		cmocka_unit_test(test_two_outputs_do_not_go_to_one_place),
		cmocka_unit_test(test_reports_all_errors_at_once),
		cmocka_unit_test(test_wrong_sections),
		cmocka_unit_test(test_a_line_that_is_too_long),
		cmocka_unit_test(test_a_file_that_is_not_there),
		cmocka_unit_test(test_options_come_after_the_file),
		cmocka_unit_test(test_an_option_of_no_output),
		cmocka_unit_test(test_an_option_that_is_wrong),
		cmocka_unit_test(test_the_source_tells_whether_it_has_changed),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
