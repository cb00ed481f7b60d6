/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What happens once in a turn, and who is told of it. */
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

static struct {
	unsigned managers, volumes;
	uint64_t manager, volume;
} told;

static void on_manager(struct manager *m, uint64_t what, void *userdata)
{
	(void)m;
	assert_ptr_equal(userdata, &told);
	told.managers++;
	told.manager |= what;
}

static void on_volume(struct volume *v, uint64_t what, void *userdata)
{
	(void)v;
	assert_ptr_equal(userdata, &told);
	told.volumes++;
	told.volume |= what;
}

/* All that there was before has been told. */
static void observe(struct manager *m)
{
	static const struct manager_observer observer = {
		.manager_changed = on_manager, .volume_changed = on_volume, .userdata = &told};

	test_turn(m);
	memset(&told, 0, sizeof(told));
	manager_set_observer(m, &observer);
}

static void name_it(struct volume *v, const char *name)
{
	free(v->place.name);
	v->place.name = strdup(name);
	assert_non_null(v->place.name);
}

/* A turn in which @v is as it is, and not what follows from its header. */
static void turn_as_it_is(struct manager *m)
{
	turn_mark(&m->core->turn, 0);
	test_turn(m);
}

static void changes_are_told_once_a_turn_and_together(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1);

	observe(m);
	mark_set(&v->mark, VOLUME_CHANGED_KEYS);
	mark_set(&v->mark, VOLUME_CHANGED_LIMIT);
	turn_mark(&m->core->turn, MANAGER_CHANGED_VOLUMES);
	turn_mark(&m->core->turn, MANAGER_CHANGED_RATE_LIMIT);
	assert_int_equal(told.volumes, 0);
	test_turn(m);
	assert_int_equal(told.volumes, 1);
	assert_int_equal(told.volume, VOLUME_CHANGED_KEYS | VOLUME_CHANGED_LIMIT);
	assert_int_equal(told.managers, 1);
	assert_int_equal(told.manager, MANAGER_CHANGED_VOLUMES | MANAGER_CHANGED_RATE_LIMIT);
	turn_as_it_is(m);
	assert_true(told.volumes == 1 && told.managers == 1);
	assert_false(mark_take_due(&v->mark)); /* its step was taken */
}

static void without_an_observer_changes_are_forgotten(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1);

	mark_set(&v->mark, VOLUME_CHANGED_KEYS);
	test_turn(m);
	observe(m);
	turn_as_it_is(m);
	assert_int_equal(told.volumes, 0);
}

static void the_status_counts_volumes_and_those_at_work(void **state)
{
	struct manager *m = *state;
	struct volume *v, *o;

	turn_as_it_is(m);
	assert_string_equal(m->core->status, "0 volumes known, none at work");
	v = test_volume(m, TEST_UUID_1);
	o = test_volume(m, TEST_UUID_2);
	assert_string_equal(m->core->status, "2 volumes known, none at work");
	o->status.state = VOLUME_REVERSING;
	o->progress.bytes_total = 1000;
	o->progress.bytes_done = 999;
	turn_as_it_is(m);
	assert_string_equal(m->core->status, "1 of 2 volumes at work; /dev/test: reversing 90%");
	name_it(v, "data");
	v->status.state = VOLUME_RUNNING;
	v->progress.bytes_total = 0; /* not known yet */
	turn_as_it_is(m);
	assert_string_equal(m->core->status, "2 of 2 volumes at work; data: running 0%");
	v->status.state = VOLUME_SUSPENDED;
	o->status.state = VOLUME_QUEUED;
	turn_as_it_is(m);
	assert_string_equal(m->core->status, "2 volumes known, none at work");
}

/* A line of it would be an assignment of its own to the service manager. */
static void a_name_with_anything_in_it_stays_one_line(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1);
	char longest[4096];

	v->status.state = VOLUME_RUNNING;
	name_it(v, "a\nMAINPID=1\n\033[2J");
	turn_as_it_is(m);
	assert_null(strpbrk(m->core->status, "\n\033"));
	assert_non_null(strstr(m->core->status, "running"));
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	name_it(v, longest);
	turn_as_it_is(m);
	assert_non_null(strstr(m->core->status, "running 0%"));
}

/* --- when the service is ready --- */

static void find(struct manager *m, const char *device)
{
	const struct probe_spec spec = {.device = device, .quiet = true};

	assert_int_equal(probe_new(&m->core->probes, &spec), 0);
}

static void it_is_ready_when_all_is_known(void **state)
{
	struct manager *m = *state;
	struct worker_end e = {.job = WORKER_INSPECT, .error = -1};
	struct worker_link *l;

	find(m, "/dev/a");
	test_turn(m);
	assert_false(m->core->ready);
	l = test_spawned();
	l->handler->ended(l->userdata, &e);
	test_turn(m);
	assert_true(m->core->ready);
	find(m, "/dev/b");
	turn_as_it_is(m);
	assert_true(m->core->ready); /* and stays so */
}

static void what_does_not_answer_is_not_waited_for_for_ever(void **state)
{
	struct manager *m = *state;

	find(m, "/dev/a");
	test_turn(m);
	probe_wait_no_longer(&m->core->probes);
	test_turn(m);
	assert_true(m->core->ready);
	assert_non_null(m->core->probes.first); /* it may still come */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_begin, test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(changes_are_told_once_a_turn_and_together),
		TEST(without_an_observer_changes_are_forgotten),
		TEST(the_status_counts_volumes_and_those_at_work),
		TEST(a_name_with_anything_in_it_stays_one_line),
		TEST(it_is_ready_when_all_is_known),
		TEST(what_does_not_answer_is_not_waited_for_for_ever),
	};

	log_init("test-manager-turn", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
