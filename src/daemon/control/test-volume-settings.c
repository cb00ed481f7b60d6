/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <stdlib.h>
#include <string.h>

#include "daemon/control/test-volume.h"
#include "util/log.h"

/* The section of its own that the volume has in the configuration. */
static struct volume_config *section(struct manager *m, const char *uuid)
{
	assert_int_equal(config_remember(m->config, uuid, "/dev/test", NULL, NULL), 0);
	return config_find_volume(m->config, uuid);
}

static void what_is_configured_holds(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1), *o = test_volume(m, TEST_UUID_2);
	struct volume_config *c = section(m, TEST_UUID_1);

	m->config->defaults.rate_limit = 100;
	m->config->defaults.stall_target_usec = 7000;
	c->rate_limit = 200;
	c->stall_target_usec = 8000;
	c->group = strdup("nightly");
	c->run.verify = true;
	volume_apply_config(v);
	volume_apply_config(o);
	assert_int_equal(v->settings.rate_limit, 200);
	assert_int_equal(v->settings.stall_target_usec, 8000);
	assert_string_equal(v->settings.group, "nightly");
	assert_true(v->settings.run.verify);
	assert_int_equal(o->settings.rate_limit, 100);
	assert_int_equal(o->settings.stall_target_usec, 7000);
	assert_string_equal(o->settings.group, ""); /* never NULL */
	assert_false(o->settings.run.verify);
	free(c->group);
	c->group = NULL;
	volume_apply_config(v);
	assert_string_equal(v->settings.group, "");
}

/* KeepRate=no: what the header remembers of a rate ends with the manager that was told of it. */
static void a_rate_in_the_header_holds_where_rates_are_kept(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1);

	m->config->defaults.rate_limit = 100;
	record_set_rate(&v->token.record, true, 50);
	m->config->keep_rate = true;
	volume_apply_rate(v);
	assert_int_equal(v->settings.rate_limit, 50);
	m->config->keep_rate = false;
	volume_apply_rate(v);
	assert_int_equal(v->settings.rate_limit, 100);
	volume_choose_rate(v, true); /* a caller has just set it */
	assert_int_equal(v->settings.rate_limit, 50);
	volume_apply_config(v); /* a reload takes nothing away */
	assert_int_equal(v->settings.rate_limit, 50);
	volume_choose_rate(v, false);
	assert_int_equal(v->settings.rate_limit, 100);
}

static void no_limit_at_all_is_a_rate_as_well(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1);

	m->config->defaults.rate_limit = 100;
	record_set_rate(&v->token.record, true, 0);
	volume_choose_rate(v, true);
	assert_int_equal(v->settings.rate_limit, 0);
}

static void another_rate_is_told_and_its_deadline_is_looked_at(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	(void)mark_take_changes(&v->mark);
	(void)mark_take_due(&v->mark);
	v->clock.looked = 5;
	volume_apply_rate(v);
	assert_int_equal(v->clock.looked, 0);
	assert_int_equal(mark_take_changes(&v->mark), VOLUME_CHANGED_LIMIT);
	assert_true(mark_take_due(&v->mark));
}

static void what_the_rotation_says_holds_against_the_configuration(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1);
	struct rotate_options o = ROTATE_OPTIONS_NONE;

	m->config->defaults.run.verify = true;
	m->config->defaults.run.skip_unwritten = true;
	o.run.verify = CHOICE_NO;
	record_wish(&v->token.record, &o);
	(void)mark_take_changes(&v->mark);
	volume_apply_run(v);
	assert_false(v->settings.run.verify);
	assert_true(v->settings.run.skip_unwritten); /* of which it says nothing */
	assert_int_equal(mark_take_changes(&v->mark), VOLUME_CHANGED_ROTATION);
}

/* Another provider may have the key, and other windows may be open. */
static void with_another_configuration_keys_and_clock_are_tried_anew(void **state)
{
	struct volume *v = test_volume(*state, TEST_UUID_1);

	keys_ask_provider(&v->keys);
	assert_false(keys_provider_is_left(&v->keys));
	v->clock.window_change = v->clock.looked = 5;
	volume_apply_config(v);
	assert_true(keys_provider_is_left(&v->keys));
	assert_true(v->clock.window_change == 0 && v->clock.looked == 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_begin, test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_configured_holds),
		TEST(a_rate_in_the_header_holds_where_rates_are_kept),
		TEST(no_limit_at_all_is_a_rate_as_well),
		TEST(another_rate_is_told_and_its_deadline_is_looked_at),
		TEST(what_the_rotation_says_holds_against_the_configuration),
		TEST(with_another_configuration_keys_and_clock_are_tried_anew),
	};

	log_init("test-volume-settings", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
