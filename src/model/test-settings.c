/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The tables of settings: each row goes through a message of a real connection and through JSON and
 * comes back, and what does not fit its row is refused. A row that is added is in all of this.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "model/json-members.h"
#include "model/run-switches.h"
#include "model/settings-bus.h"
#include "model/settings-json.h"
#include "model/test-bus.h"
#include "model/test-text.h"
#include "util/checked.h"
#include "util/cleanup.h"

static int read_into(sd_bus_message *m, const struct setting *rows, void *values, unsigned place,
		     char *problem)
{
	const struct settings_part parts[] = {{rows, values}, {}};

	*problem = '\0';
	return settings_read(m, parts, place, problem, 128);
}

/* Every table, with what is unset in it. */
static const struct rotate_options no_rotation = ROTATE_OPTIONS_NONE;
static const struct run_choices no_choices;
static const struct resume_options no_resume;
static const struct run_options no_run;
static const struct table {
	const struct setting *rows;
	const void *unset;
	size_t size;
} tables[] = {
	{rotation_settings, &no_rotation, sizeof(no_rotation)},
	{choice_settings, &no_choices, sizeof(no_choices)},
	{run_settings, &no_run, sizeof(no_run)},
	{resume_settings, &no_resume, sizeof(no_resume)},
};

#define VALUES_SIZE 1024

static void unset_all(const struct table *t, void *values)
{
	assert_true(t->size <= VALUES_SIZE);
	memset(values, 0, VALUES_SIZE);
	memcpy(values, t->unset, t->size);
}

/* Something that differs from what is unset, and with @n from row to row. */
static void set_one(const struct setting *s, void *values, unsigned n)
{
	void *where = (char *)values + s->where;

	switch (s->kind) {
	case SETTING_BUFFER:
		(void)snprintf(where, s->size, "text-%u", n);
		return;
	case SETTING_U32:
		*(uint32_t *)where = UINT32_MAX - n;
		return;
	case SETTING_U64:
		*(uint64_t *)where = (UINT64_C(1) << 60) + n;
		return;
	case SETTING_INT:
		*(int32_t *)where = (int32_t)(n % 32);
		return;
	case SETTING_BOOL:
		*(bool *)where = true;
		return;
	case SETTING_CHOICE:
		*(enum choice *)where = n % 2 ? CHOICE_YES : CHOICE_NO;
		return;
	case SETTING_TEXT:
	case SETTING_OWNED:
	case SETTING_BYTES:
	case SETTING_PATH:
	case SETTING_NAME:
	case SETTING_BITS:
	case SETTING_TEXTS:
	case SETTING_LIST:
		break;
	}
	fail_msg("%s: no rotation has values of this kind", s->name);
}

static void round_trip_bus(const struct table *t, const void *values, unsigned place)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = test_message_new();
	const struct settings_source sources[] = {{t->rows, values}, {}};
	char found[VALUES_SIZE], problem[128];

	unset_all(t, found);
	assert_true(settings_append(m, sources, place) >= 0);
	test_message_seal(m);
	assert_int_equal(read_into(m, t->rows, found, place, problem), 0);
	assert_memory_equal(found, values, t->size);
}

static void each_setting_comes_back_from_a_message(void **state)
{
	char values[VALUES_SIZE];

	(void)state;
	for (const struct table *t = tables; t < tables + ARRAY_SIZE(tables); t++) {
		for (const struct setting *s = t->rows; s->name; s++)
			for (unsigned n = 0; n < 2; n++) {
				unset_all(t, values);
				set_one(s, values, n);
				round_trip_bus(t, values, SETTINGS_EVERYWHERE);
			}
		unset_all(t, values);
		round_trip_bus(t, values, SETTINGS_EVERYWHERE);
		for (const struct setting *s = t->rows; s->name; s++)
			set_one(s, values, (unsigned)(s - t->rows));
		round_trip_bus(t, values, SETTINGS_EVERYWHERE);
	}
}

static void each_setting_comes_back_from_json(void **state)
{
	char values[VALUES_SIZE], found[VALUES_SIZE];

	(void)state;
	for (const struct table *t = tables; t < tables + 2; t++)
		for (unsigned n = 0; n < 2; n++) {
			json_object *o = json_object_new_object();

			unset_all(t, values);
			for (const struct setting *s = t->rows; s->name; s++)
				set_one(s, values, (unsigned)(s - t->rows) + n);
			assert_int_equal(settings_to_json(o, t->rows, values), 0);
			memset(found, 0x55, sizeof(found));
			unset_all(t, found);
			settings_from_json(o, t->rows, found);
			assert_memory_equal(found, values, t->size);
			/* What is not set any more is taken out again. */
			assert_int_equal(settings_to_json(o, t->rows, t->unset), 0);
			assert_int_equal(json_object_object_length(o), 0);
			settings_from_json(o, t->rows, found);
			for (const struct setting *s = t->rows; s->name; s++)
				if (s->kind == SETTING_BUFFER)
					memset(found + s->where, 0, s->size);
			assert_memory_equal(found, t->unset, t->size);
			json_object_put(o);
		}
}

static void json_of_other_types_is_not_set(void **state)
{
	json_object *o = json_object_new_object();
	struct rotate_options z = ROTATE_OPTIONS_NONE;

	(void)state;
	for (const struct setting *s = rotation_settings; s->name; s++)
		assert_int_equal(json_put(o, s->json, json_object_new_array()), 0);
	settings_from_json(o, rotation_settings, &z);
	assert_memory_equal(&z, &no_rotation, sizeof(z));
	assert_int_equal(json_put(o, "key_size", json_object_new_int64(-5)), 0);
	assert_int_equal(json_put(o, "sector_size", json_object_new_int64(INT64_MAX)), 0);
	settings_from_json(o, rotation_settings, &z);
	assert_int_equal(z.key_size, 0);
	assert_int_equal(z.sector_size, UINT32_MAX);
	json_object_put(o);
}

static void assert_other(const struct setting *a, const struct setting *b)
{
	assert_string_not_equal(a->name, b->name);
	if (a->json && b->json)
		assert_string_not_equal(a->json, b->json);
}

static void names_and_places_are_unambiguous(void **state)
{
	(void)state;
	for (const struct setting *s = rotation_settings; s->name; s++) {
		assert_non_null(s->json);
		assert_int_not_equal(s->places, 0);
		for (const struct setting *other = choice_settings; other->name; other++)
			assert_other(s, other);
		for (const struct setting *other = run_settings; other->name; other++)
			assert_other(s, other);
		for (const struct setting *other = rotation_settings; other < s; other++)
			assert_other(s, other);
	}
}

/* One entry, of what a caller may have meant. */
static int read_entry(const char *name, const char *type, const char *text,
		      struct rotate_options *z, char *problem, unsigned times)
{
	_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = test_message_new();

	assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
	for (unsigned i = 0; i < times; i++)
		assert_true((*type == 's' ? sd_bus_message_append(m, "{sv}", name, type, text)
					  : sd_bus_message_append(m, "{sv}", name, type, 1)) >= 0);
	assert_true(sd_bus_message_close_container(m) >= 0);
	test_message_seal(m);
	*z = (struct rotate_options)ROTATE_OPTIONS_NONE;
	return read_into(m, rotation_settings, z, SETTING_OF_CALLER, problem);
}

static void what_fits_no_row_is_refused(void **state)
{
	struct rotate_options z;
	char problem[128], text[sizeof(z.cipher) + 1];

	(void)state;
	assert_int_equal(read_entry("Cipher", "s", "aes", &z, problem, 1), 0);
	assert_string_equal(z.cipher, "aes");
	assert_int_equal(read_entry("Speed", "s", "", &z, problem, 1), -EINVAL);
	assert_string_equal(problem, "the option \"Speed\" is not known");
	assert_int_equal(read_entry("KeySize", "s", "64", &z, problem, 1), -EINVAL);
	assert_string_equal(problem, "the option KeySize must be of type u");
	assert_int_equal(read_entry("KeepKey", "b", NULL, &z, problem, 2), -EINVAL);
	assert_string_equal(problem, "the option KeepKey is given twice");
	memset(text, 'x', sizeof(text));
	text[sizeof(z.cipher)] = '\0';
	assert_int_equal(read_entry("Cipher", "s", text, &z, problem, 1), -EINVAL);
	assert_string_equal(problem, "the option Cipher is too long");
	text[sizeof(z.cipher) - 1] = '\0';
	assert_int_equal(read_entry("Cipher", "s", text, &z, problem, 1), 0);
	assert_string_equal(z.cipher, text);
	/* No caller says of himself that he is a person who chose. */
	assert_int_equal(read_entry("MayWeaken", "b", NULL, &z, problem, 1), -EINVAL);
	assert_false(z.may_weaken);
}

static void rotations_that_differ_in_any_setting_differ(void **state)
{
	const struct rotate_options none = ROTATE_OPTIONS_NONE;
	struct rotate_options o = none;

	(void)state;
	assert_true(rotate_options_equal(&o, &none));
	(void)memset(o.cipher + 1, 'x', sizeof(o.cipher) - 2); /* behind its end */
	assert_true(rotate_options_equal(&o, &none));
	for (const struct setting *s = rotation_settings; s->name; s++) {
		o = none;
		*((char *)&o + s->where) ^= 1;
		if (rotate_options_equal(&o, &none))
			fail_msg("%s makes no difference", s->name);
	}
	o = none;
	o.run.verify = CHOICE_NO;
	assert_false(rotate_options_equal(&o, &none));
}

/* Names of files are bytes: both ways of sending them come back the same. */
static void names_of_files_are_bytes(void **state)
{
	static const char *const names[] = {"/dev/sda", "", "/tmp/\xff\xfe"};
	static const struct setting rows[] = {{.name = "Path", .kind = SETTING_BYTES}, {}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(sd_bus_message_unrefp) sd_bus_message *m = test_message_new();
		const struct settings_source sources[] = {{rows, &names[i]}, {}};
		char *found = strdup("before"), problem[128];

		assert_true(settings_append(m, sources, SETTINGS_EVERYWHERE) >= 0);
		test_message_seal(m);
		assert_int_equal(read_into(m, rows, &found, SETTINGS_EVERYWHERE, problem), 0);
		assert_string_equal(found, names[i]);
		free(found);
	}
}

static void a_rotation_has_the_say_over_the_configuration(void **state)
{
	const struct run_switches all = {.skip_unwritten = true, .verify = true}, none = {};
	struct run_choices c = {};
	struct run_options run;

	(void)state;
	run = run_resolve(&c, &all);
	assert_true(run.skip_unwritten && run.verify);
	assert_false(run_options_agree(&run, &no_run));
	run = run_resolve(&c, &none);
	assert_true(run_options_agree(&run, &no_run));
	run_choices_replace(&c, &(struct run_choices){.verify = CHOICE_NO});
	run_choices_replace(&c, &(struct run_choices){.skip_unwritten = CHOICE_YES});
	assert_int_equal(c.verify, CHOICE_NO);
	assert_int_equal(c.skip_unwritten, CHOICE_YES);
	assert_true(run_choices_equal(
		&c, &(struct run_choices){.skip_unwritten = CHOICE_YES, .verify = CHOICE_NO}));
	assert_false(run_choices_equal(&c, &no_choices));
	run = run_resolve(&c, &none);
	assert_true(run.skip_unwritten && !run.verify);
	run = run_resolve(&c, &all);
	assert_true(run.skip_unwritten && !run.verify);
	/* The rest of a run is no switch. */
	assert_true(run_options_agree(&no_run, &(struct run_options){.least_sequence = 7}));
}

/* As org.recryptd1.xml names the types of options. */
static const char types[] = {
	[SETTING_BUFFER] = 's', [SETTING_U32] = 'u',  [SETTING_U64] = 't',
	[SETTING_INT] = 'i',    [SETTING_BOOL] = 'b', [SETTING_CHOICE] = 'b',
};

/* "Verify (b)", or "PbkdfTime (u, milliseconds)". */
static void assert_documented(const char *method, const char *text, const struct setting *rows)
{
	for (const struct setting *s = rows; s->name; s++) {
		char entry[64];

		(void)snprintf(entry, sizeof(entry), "%s (%c)", s->name, types[s->kind]);
		if (!(s->places & SETTING_OF_CALLER) || strstr(text, entry))
			continue;
		entry[strlen(entry) - 1] = ',';
		if (!strstr(text, entry))
			fail_msg("org.recryptd1.xml: %s has no option %s", method, entry);
	}
}

/* tests/daemon/test-introspection has the daemon take each option that is documented. */
static void callers_can_look_up_each_setting(void **state)
{
	static const struct {
		const char *method;
		const struct setting *rows;
	} methods[] = {
		{"Rotate", rotation_settings}, {"Rotate", choice_settings},
		{"Resume", resume_settings},   {"Resume", choice_settings},
		{"Cancel", choice_settings},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
		_cleanup_free_ char *xml = test_text_read("doc/org.recryptd1.xml");
		char *volume = test_text_part(xml, "<interface name=\"org.recryptd1.Volume\">",
					      "</interface>");
		char from[64];

		(void)snprintf(from, sizeof(from), "<method name=\"%s\">", methods[i].method);
		assert_documented(methods[i].method, test_text_part(volume, from, "</method>"),
				  methods[i].rows);
	}
}

static void assert_in_manual(const char *manual, const struct setting *rows)
{
	for (const struct setting *s = rows; s->name; s++) {
		char entry[64];

		(void)snprintf(entry, sizeof(entry), " Fl Fl %s", s->option ?: "");
		if (s->option && !strstr(manual, entry))
			fail_msg("recryptctl.8 has no word on --%s", s->option);
	}
}

static void users_can_look_up_each_option(void **state)
{
	_cleanup_free_ char *manual = test_text_read("doc/recryptctl.8");

	(void)state;
	for (const struct table *t = tables; t < tables + ARRAY_SIZE(tables); t++)
		assert_in_manual(manual, t->rows);
	assert_in_manual(manual, foreground_settings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_setting_comes_back_from_a_message),
		cmocka_unit_test(each_setting_comes_back_from_json),
		cmocka_unit_test(json_of_other_types_is_not_set),
		cmocka_unit_test(names_and_places_are_unambiguous),
		cmocka_unit_test(what_fits_no_row_is_refused),
		cmocka_unit_test(names_of_files_are_bytes),
		cmocka_unit_test(rotations_that_differ_in_any_setting_differ),
		cmocka_unit_test(a_rotation_has_the_say_over_the_configuration),
		cmocka_unit_test(callers_can_look_up_each_setting),
		cmocka_unit_test(users_can_look_up_each_option),
	};

	return cmocka_run_group_tests(tests, test_bus_connect, test_bus_disconnect);
}
