/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What workers are told of how fast they may be. */
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

static struct volume *first, *second;

/* With a worker that has not been told anything. */
static struct volume *volume_with_worker(struct manager *m, const char *uuid)
{
	struct worker_look look = test_look(uuid, REENCRYPTION_CLEAN);
	struct volume *v;

	assert_int_equal(volume_new(m, &look, test_link(), false, &v), 0);
	test_look_clear(&look);
	return v;
}

/* Both may convert. */
static void run_both(struct manager *m)
{
	first = volume_with_worker(m, TEST_UUID_1);
	second = volume_with_worker(m, TEST_UUID_2);
	schedule_add_running(&m->core->convert, &first->lines.convert);
	schedule_add_running(&m->core->convert, &second->lines.convert);
}

static void expect_rates(struct manager *m, uint64_t of_first, uint64_t of_second)
{
	manager_share_rate(m);
	assert_int_equal(first->worker.link->limits.rate, of_first);
	assert_int_equal(second->worker.link->limits.rate, of_second);
}

static void where_nobody_runs_nobody_is_told(void **state)
{
	struct manager *m = *state;
	struct volume *v = volume_with_worker(m, TEST_UUID_1);

	m->rate_limit = 1000;
	manager_share_rate(m);
	assert_int_equal(v->worker.link->limits_told, 0);
	assert_int_equal(v->worker.link->governor_told, 0);
}

static void without_a_limit_of_the_host_each_has_its_own(void **state)
{
	run_both(*state);
	first->settings.rate_limit = 70;
	expect_rates(*state, 70, 0);
}

static void the_shares_are_no_more_than_the_host_has(void **state)
{
	struct manager *m = *state;

	run_both(m);
	m->rate_limit = 1000;
	expect_rates(m, 500, 500);
	second->settings.rate_limit = 100;
	expect_rates(m, 900, 100);
	first->settings.rate_limit = 5000; /* more than there is */
	expect_rates(m, 900, 100);
	second->settings.rate_limit = 0;
	expect_rates(m, 500, 500);
	m->rate_limit = 0;
	expect_rates(m, 5000, 0);
}

/* It uses nothing, and gets its share when it is its turn. */
static void whoever_waits_takes_no_share(void **state)
{
	struct manager *m = *state;

	first = volume_with_worker(m, TEST_UUID_1);
	second = volume_with_worker(m, TEST_UUID_2);
	schedule_add(&m->core->convert, &second->lines.convert);
	schedule_add_running(&m->core->convert, &first->lines.convert);
	m->rate_limit = 1000;
	manager_share_rate(m);
	assert_int_equal(first->worker.link->limits.rate, 1000);
	assert_int_equal(second->worker.link->limits_told, 0);
	second->lines.convert.running = true;
	expect_rates(m, 500, 500);
}

static void what_is_as_before_is_not_told_again(void **state)
{
	struct manager *m = *state;

	run_both(m);
	m->rate_limit = 1000;
	expect_rates(m, 500, 500);
	expect_rates(m, 500, 500);
	assert_int_equal(first->worker.link->limits_told, 1);
	assert_int_equal(first->worker.link->governor_told, 1);
	m->rate_limit = 800;
	expect_rates(m, 400, 400);
	assert_int_equal(first->worker.link->limits_told, 2);
	assert_int_equal(first->worker.link->governor_told, 1);
}

static void a_volume_whose_worker_has_died_keeps_its_place(void **state)
{
	struct manager *m = *state;

	run_both(m);
	m->rate_limit = 1000;
	volume_drop_worker(first);
	manager_share_rate(m);
	assert_int_equal(second->worker.link->limits.rate, 500);
}

static void the_limits_of_hotzones_are_those_of_the_volume(void **state)
{
	struct manager *m = *state;
	struct volume_config *c;

	run_both(m);
	m->config->defaults.hotzone_size_max = 1 << 20;
	m->config->defaults.stall_target_usec = 50000;
	assert_int_equal(config_remember(m->config, TEST_UUID_2, "/dev/b", NULL, NULL), 0);
	c = config_find_volume(m->config, TEST_UUID_2);
	c->hotzone_size_max = 4 << 20;
	c->stall_target_usec = 9000;
	manager_share_rate(m);
	assert_int_equal(first->worker.link->limits.hotzone_max, 1 << 20);
	assert_int_equal(first->worker.link->limits.stall_target_usec, 50000);
	assert_int_equal(second->worker.link->limits.hotzone_max, 4 << 20);
	assert_int_equal(second->worker.link->limits.stall_target_usec, 9000);
}

/* What the deadline needs raises RateMin=, and never lowers it. */
static void a_deadline_raises_the_least_rate(void **state)
{
	struct governor_config *g;
	struct manager *m = *state;

	run_both(m);
	g = &m->config->defaults.polite.governor;
	g->mode = GOVERNOR_IDLE;
	g->rate_min = 1000;
	g->rate_max = 9000;
	first->clock.rate_floor = 5000;
	second->clock.rate_floor = 10;
	manager_share_rate(m);
	assert_int_equal(first->worker.link->governor.rate_min, 5000);
	assert_int_equal(second->worker.link->governor.rate_min, 1000);
	assert_int_equal(first->worker.link->governor.rate_max, 9000);
	assert_int_equal(first->worker.link->governor.mode, GOVERNOR_IDLE);
	assert_int_equal(g->rate_min, 1000); /* the configuration stays as it is */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_begin, test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(where_nobody_runs_nobody_is_told),
		TEST(without_a_limit_of_the_host_each_has_its_own),
		TEST(the_shares_are_no_more_than_the_host_has),
		TEST(whoever_waits_takes_no_share),
		TEST(what_is_as_before_is_not_told_again),
		TEST(a_volume_whose_worker_has_died_keeps_its_place),
		TEST(the_limits_of_hotzones_are_those_of_the_volume),
		TEST(a_deadline_raises_the_least_rate),
	};

	log_init("test-rate-share", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
