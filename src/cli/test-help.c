/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What --help prints of each verb, and that recryptctl(8) says the same. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/help.h"
#include "cli/options-table.h"
#include "util/closest.h"
#include "util/checked.h"
#include "util/cleanup.h"

/* The caller's to free. */
static char *help_of(enum verb verb)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	assert_int_equal(help_print("recryptctl", verb, f), 0);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void assert_has(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in:\n%s", part, text);
}

static bool has_option(const char *text, const char *name)
{
	char line[80];

	(void)snprintf(line, sizeof(line), " --%s ", name);
	if (strstr(text, line))
		return true;
	(void)snprintf(line, sizeof(line), " --%s[", name);
	return strstr(text, line) != NULL;
}

static void a_verb_has_its_own_options_and_an_example(void **state)
{
	(void)state;
	for (const struct verb_spec *v = verb_specs; v->name; v++) {
		_cleanup_free_ char *text = NULL;
		char line[160];

		if (!v->help || v->verb == VERB_HELP)
			continue;
		text = help_of(v->verb);
		(void)snprintf(line, sizeof(line), "Usage: recryptctl %s [OPTIONS]", v->name);
		assert_has(text, line);
		assert_has(text, v->help);
		assert_non_null(v->example);
		(void)snprintf(line, sizeof(line), "\n  recryptctl %s%s%s\n", v->name,
			       *v->example ? " " : "", v->example);
		assert_has(text, line);
		for (const struct option_spec *s = option_specs; s->name; s++)
			if (has_option(text, s->name) != option_is_listed(s, v->verb))
				fail_msg("%s --help: --%s", v->name, s->name);
	}
}

static void without_a_verb_all_of_them_are_listed(void **state)
{
	_cleanup_free_ char *text = help_of(VERB_HELP);

	(void)state;
	for (const struct verb_spec *v = verb_specs; v->name; v++)
		if (v->help)
			assert_has(text, v->help);
	assert_null(strstr(text, "complete"));
}

static void an_output_that_fails_is_told_of(void **state)
{
	FILE *f = fopen("/dev/full", "w");

	(void)state;
	assert_non_null(f);
	assert_int_equal(help_print("recryptctl", VERB_ROTATE, f), -ENOSPC);
	(void)fclose(f);
}

static void a_slip_of_the_finger_is_guessed(void **state)
{
	static const char *const names[] = {"list", "lock", "unlock", "resume", "remove", NULL};

	(void)state;
	assert_string_equal(closest_name("lst", names), "list");
	assert_string_equal(closest_name("resum", names), "resume");
	assert_string_equal(closest_name("unlokc", names), "unlock");
	assert_null(closest_name("lit0", (const char *const[]){"lita", "litb", NULL}));
	assert_null(closest_name("frobnicate", names));
	assert_null(closest_name("l", names));
}

/* --- the manual --- */

static char manual[512 * 1024];

static void read_manual(void)
{
	char path[1024];
	size_t n;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/doc/recryptctl.8", getenv("srcdir") ?: ".");
	f = fopen(path, "r");
	assert_non_null(f);
	n = fread(manual, 1, sizeof(manual) - 1, f);
	assert_true(n > 0 && feof(f));
	manual[n] = '\0';
	(void)fclose(f);
}

/* The entry of a verb in the section on verbs; the caller's to free. */
static char *entry_of(const char *verb)
{
	const char *section = strstr(manual, "\n.Ss Verbs\n"), *begin, *end;
	char head[64];

	assert_non_null(section);
	(void)snprintf(head, sizeof(head), "\n.It Cm %s\n", verb);
	begin = strstr(section, head);
	if (!begin) {
		fail_msg("recryptctl(8) has no entry for %s", verb);
		return NULL;
	}
	end = strstr(begin + 1, "\n.It Cm ");
	return strndup(begin, end ? (size_t)(end + 1 - begin) : strlen(begin));
}

/* Is @name among the words of "Options:" at the end of an entry? */
static bool is_named(const char *options, const char *name)
{
	for (const char *p = strstr(options, name); p; p = strstr(p + 1, name)) {
		const char after = p[strlen(name)];

		if (p[-1] == ' ' && (after == ' ' || after == '\n'))
			return true;
	}
	return false;
}

static void check_options(const struct verb_spec *v, const char *entry)
{
	const char *options = strstr(entry, "\nOptions:\n");

	/* What OPTIONS says is for these, where it says nothing else. */
	if (v->verb == VERB_REENCRYPT || v->verb == VERB_RECOVER || v->verb == VERB_CANCEL)
		return;
	if (!options) {
		fail_msg("recryptctl(8): %s has no options", v->name);
		return;
	}
	for (const struct option_spec *s = option_specs; s->name; s++) {
		if (strcmp(s->name, "verbose") == 0 || strcmp(s->name, "debug") == 0)
			continue;
		if (is_named(options, s->name) != option_is_listed(s, v->verb))
			fail_msg("recryptctl(8): %s, --%s", v->name, s->name);
	}
}

static void the_manual_has_each_verb_with_its_options_and_its_example(void **state)
{
	(void)state;
	read_manual();
	for (const struct verb_spec *v = verb_specs; v->name; v++) {
		_cleanup_free_ char *entry = NULL;
		char line[160];

		if (!v->help)
			continue;
		entry = entry_of(v->name);
		assert_non_null(entry);
		(void)snprintf(line, sizeof(line), "\nrecryptctl %s%s%s\n", v->name,
			       *v->example ? " " : "", v->example);
		assert_has(entry, line);
		if (v->verb != VERB_HELP)
			check_options(v, entry);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_verb_has_its_own_options_and_an_example),
		cmocka_unit_test(without_a_verb_all_of_them_are_listed),
		cmocka_unit_test(an_output_that_fails_is_told_of),
		cmocka_unit_test(a_slip_of_the_finger_is_guessed),
		cmocka_unit_test(the_manual_has_each_verb_with_its_options_and_its_example),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
