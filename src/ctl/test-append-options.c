/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is said on the command line is what the daemon reads, row by row. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cli/options-table.h"
#include "ctl/verbs.h"
#include "model/settings-bus.h"
#include "model/test-bus.h"

static const struct option_spec *find_option(const char *name)
{
	for (const struct option_spec *spec = option_specs; spec->name; spec++)
		if (strcmp(spec->name, name) == 0)
			return spec;
	fail_msg("recryptctl has no option --%s", name);
	return NULL;
}

/* The command line with this option alone. */
static struct options with(const struct option_spec *spec)
{
	struct options o = OPTIONS_NONE;
	const char *value = spec->kind == KIND_FLAG               ? NULL
			    : spec->kind == KIND_RESILIENCE       ? "journal"
			    : strcmp(spec->name, "deadline") == 0 ? "12h"
			    : strcmp(spec->name, "key-slot") == 0 ? "16"
			    : spec->kind == KIND_BUFFER           ? "some-text"
			    : spec->max > 0 && spec->max < 512    ? "4"
								  : "512";

	assert_int_equal(option_set(spec, value, &o), 0);
	return o;
}

typedef int (*append_t)(sd_bus_message *m, const struct options *o);

/* The daemon reads @s of @rows, and nothing else. */
static void assert_sent(append_t append, const struct setting *s, const struct options *o)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = test_message_new();
	const char *name;

	assert_true(append(m, o) >= 0);
	test_message_seal(m);
	assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") > 0);
	if (sd_bus_message_enter_container(m, 'e', "sv") <= 0)
		fail_msg("--%s is not sent", s->option);
	assert_true(sd_bus_message_read_basic(m, 's', &name) > 0);
	assert_string_equal(name, s->name);
	assert_true(sd_bus_message_skip(m, "v") >= 0);
	assert_true(sd_bus_message_exit_container(m) > 0);
	assert_int_equal(sd_bus_message_at_end(m, 0), 1);
}

static void assert_understood(append_t append, const struct setting *rows, void *values,
			      struct run_choices *run, const struct options *o)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = test_message_new();
	const struct settings_part parts[] = {{rows, values}, {choice_settings, run}, {}};
	char problem[128] = "";

	assert_true(append(m, o) >= 0);
	test_message_seal(m);
	if (settings_read(m, parts, SETTING_OF_CALLER, problem, sizeof(problem)) < 0)
		fail_msg("%s", problem);
}

static void check_rotation_of(const struct setting *rows)
{
	for (const struct setting *s = rows; s->name; s++) {
		struct rotate_options z = ROTATE_OPTIONS_NONE;
		struct options o;

		if (!s->option)
			continue;
		o = with(find_option(s->option));
		assert_sent(append_rotation, s, &o);
		assert_understood(append_rotation, rotation_settings, &z, &z.run, &o);
	}
}

static void each_option_of_a_rotation_is_sent(void **state)
{
	(void)state;
	check_rotation_of(rotation_settings);
	check_rotation_of(choice_settings);
}

static void check_resume_of(const struct setting *rows)
{
	for (const struct setting *s = rows; s->name; s++) {
		struct options o = with(find_option(s->option));
		struct resume_options z = {};

		assert_sent(append_resume, s, &o);
		assert_understood(append_resume, resume_settings, &z, &z.run, &o);
	}
}

static void each_option_of_a_resume_is_sent(void **state)
{
	(void)state;
	check_resume_of(resume_settings);
	check_resume_of(choice_settings);
}

static void values_are_sent_as_they_are(void **state)
{
	struct rotate_options z = ROTATE_OPTIONS_NONE;
	struct options o = {
		.rotation = {.cipher = "aes-xts-plain64",
			     .key_size = 64,
			     .keyslot = 0,
			     .resilience = "checksum"},
		.run = {.verify = true},
	};

	(void)state;
	assert_understood(append_rotation, rotation_settings, &z, &z.run, &o);
	assert_string_equal(z.cipher, "aes-xts-plain64");
	assert_int_equal(z.key_size, 64);
	assert_int_equal(z.keyslot, 0);
	assert_string_equal(z.resilience, "checksum");
	assert_int_equal(z.run.verify, CHOICE_YES);
	assert_int_equal(z.run.skip_unwritten, CHOICE_CONFIGURED);
	assert_int_equal(z.deadline_usec, 0);
}

static void what_is_no_time_is_refused_before_anything_is_sent(void **state)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = test_message_new();
	struct options o = {.daemon = {.deadline = "soon"}};

	(void)state;
	assert_int_equal(append_rotation(m, &o), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_option_of_a_rotation_is_sent),
		cmocka_unit_test(each_option_of_a_resume_is_sent),
		cmocka_unit_test(values_are_sent_as_they_are),
		cmocka_unit_test(what_is_no_time_is_refused_before_anything_is_sent),
	};

	return cmocka_run_group_tests(tests, test_bus_connect, test_bus_disconnect);
}
