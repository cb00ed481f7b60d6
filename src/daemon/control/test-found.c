/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What becomes of a look at a device: the whole way of a probe, over workers that only note. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/control/test-volume.h"
#include "util/error.h"
#include "util/log.h"

#define WAITS 1 /* no answer yet */

static struct {
	int answer;
	struct volume *told;
	struct failure failure;
} caller;

static void on_done(struct volume *v, int error, const struct failure *f, void *userdata)
{
	(void)userdata;
	assert_int_equal(caller.answer, WAITS); /* once */
	caller.answer = error;
	caller.told = v;
	caller.failure = *f;
}

/* A person names a device. */
static void add(struct manager *m, const char *device)
{
	struct failure f;

	caller.answer = WAITS;
	assert_int_equal(manager_add_volume(m, device, NULL, &f, on_done, NULL), 0);
}

/* What is found by itself: at @device, which should have the volume @uuid. */
static void find(struct manager *m, const char *device, const char *uuid)
{
	const struct probe_spec spec = {.device = device, .uuid = uuid, .quiet = true};

	assert_int_equal(probe_new(&m->core->probes, &spec), 0);
}

/* The worker that looks has looked, and what follows from that has not been done yet. */
static void answer_only(int error, struct worker_look look)
{
	struct worker_link *l = test_spawned();
	struct worker_end e = {
		.job = WORKER_INSPECT, .error = error, .failure = {"Test", "a test"}, .look = look};

	assert_non_null(l);
	assert_int_equal(l->job, WORKER_INSPECT);
	l->job = WORKER_NONE;
	l->handler->ended(l->userdata, &e);
	test_look_clear(&e.look);
}

static void answer(struct manager *m, int error, struct worker_look look)
{
	answer_only(error, look);
	test_turn(m);
}

/* A volume that has its key, and can be prepared. */
static struct volume *rotate(struct manager *m)
{
	static const struct rotate_options options = ROTATE_OPTIONS_NONE;
	struct volume *v = test_volume(m, TEST_UUID_1);
	struct failure f;
	struct job *j;

	assert_int_equal(volume_rotate(v, &options, &f, &j), 0);
	test_turn(m);
	test_unlock(v);
	return v;
}

static struct volume *convert(struct manager *m)
{
	struct volume *v = rotate(m);

	test_convert(v);
	return v;
}

static struct worker_look look_at(const char *device)
{
	struct worker_look look = test_look(TEST_UUID_1, REENCRYPTION_NONE);

	free(look.device);
	free(look.header_device);
	look.device = strdup(device);
	look.header_device = strdup(device);
	assert_true(look.device && look.header_device);
	return look;
}

static void a_new_volume_keeps_the_worker_that_looked(void **state)
{
	struct manager *m = *state;
	const struct worker_link *l;

	add(m, "/dev/test");
	l = test_spawned();
	assert_string_equal(l->device, "/dev/test");
	assert_int_equal(caller.answer, WAITS);
	answer_only(0, test_look(TEST_UUID_1, REENCRYPTION_NONE));
	assert_int_equal(caller.answer, 0);
	assert_int_equal(m->n_volumes, 1);
	assert_ptr_equal(caller.told, m->volumes);
	assert_ptr_equal(m->volumes->worker.link, l);
	assert_string_equal(m->volumes->uuid, TEST_UUID_1);
}

/* What a person has named comes back after a restart; what was found by itself is found again. */
static void only_what_a_person_named_is_remembered(void **state)
{
	struct manager *m = *state;
	const struct volume_config *c;

	find(m, "/dev/test", TEST_UUID_1);
	answer(m, 0, test_look(TEST_UUID_1, REENCRYPTION_NONE));
	assert_int_equal(m->n_volumes, 1);
	assert_null(config_find_volume(m->config, TEST_UUID_1));
	add(m, "/dev/test");
	answer(m, 0, test_look(TEST_UUID_1, REENCRYPTION_NONE));
	assert_int_equal(caller.answer, 0);
	c = config_find_volume(m->config, TEST_UUID_1);
	assert_non_null(c);
	assert_true(c->remembered);
	assert_string_equal(c->device, "/dev/test");
	assert_null(c->header_device);
}

static void a_look_that_fails_makes_no_volume(void **state)
{
	struct manager *m = *state;

	add(m, "/dev/test");
	answer(m, -EIO, test_look(TEST_UUID_1, REENCRYPTION_NONE));
	assert_int_equal(caller.answer, -EIO);
	assert_null(caller.told);
	assert_string_equal(caller.failure.text, "a test");
	assert_int_equal(m->n_volumes, 0);
	assert_null(config_find_volume(m->config, TEST_UUID_1));
	assert_null(test_spawned());
}

static void a_text_that_is_no_uuid_makes_no_volume(void **state)
{
	static char endless[500];
	const char *const texts[] = {"", "../../etc/passwd", "\n\033[31m", endless};
	struct manager *m = *state;

	memset(endless, 'a', sizeof(endless) - 1);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct worker_look look = test_look(TEST_UUID_1, REENCRYPTION_NONE);

		free(look.uuid);
		look.uuid = strdup(texts[i]);
		look.valid = false;
		add(m, "/dev/test");
		answer(m, 0, look);
		assert_int_equal(caller.answer, -EINVAL);
		assert_non_null(strstr(caller.failure.text, "cryptsetup luksUUID --uuid"));
		assert_int_equal(m->n_volumes, 0);
	}
}

static void another_volume_than_the_expected_one_is_refused(void **state)
{
	struct manager *m = *state;
	const struct probe_spec spec = {
		.device = "/dev/test", .uuid = TEST_UUID_2, .done = on_done};

	caller.answer = WAITS;
	assert_int_equal(probe_new(&m->core->probes, &spec), 0);
	answer(m, 0, test_look(TEST_UUID_1, REENCRYPTION_NONE));
	assert_int_equal(caller.answer, -ERROR_HEADER_CHANGED);
	assert_non_null(strstr(caller.failure.text, TEST_UUID_1));
	assert_int_equal(m->n_volumes, 0);
}

/* --- one that is known --- */

static void a_clone_is_refused_whoever_names_it(void **state)
{
	struct manager *m = *state;
	const struct volume *v = test_volume(m, TEST_UUID_1);
	struct worker_look look = look_at("/dev/clone");

	look.node.inode = look.header_node.inode = 4711;
	add(m, "/dev/clone");
	answer(m, 0, look);
	assert_int_equal(caller.answer, -ENOTUNIQ);
	look = look_at("/dev/clone");
	look.node.inode = look.header_node.inode = 4711;
	find(m, "/dev/clone", NULL);
	answer(m, 0, look);
	assert_int_equal(m->n_volumes, 1);
	assert_string_equal(v->place.device, "/dev/test");
	assert_null(config_find_volume(m->config, TEST_UUID_1));
}

static void the_name_that_a_person_gives_replaces_the_one_before(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1);

	add(m, "/dev/other");
	answer(m, 0, look_at("/dev/other"));
	assert_int_equal(caller.answer, 0);
	assert_ptr_equal(caller.told, v);
	assert_string_equal(v->place.device, "/dev/other");
	assert_int_equal(m->n_volumes, 1);
}

/* Its worker knows the old name, and may not be replaced now. */
static void a_volume_at_work_keeps_its_name(void **state)
{
	struct manager *m = *state;
	const struct volume *v = convert(m);
	const struct worker_link *l = v->worker.link;

	add(m, "/dev/other");
	answer(m, 0, look_at("/dev/other"));
	assert_int_equal(caller.answer, 0);
	assert_string_equal(v->place.device, "/dev/test");
	assert_ptr_equal(v->worker.link, l);
}

static void what_was_out_of_reach_is_looked_at_again(void **state)
{
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1);

	assert_null(v->worker.link);
	find(m, "/dev/link", TEST_UUID_2); /* which finds another one than it was for */
	answer(m, 0, test_look(TEST_UUID_1, REENCRYPTION_CLEAN));
	assert_int_equal(v->header.reencryption, REENCRYPTION_NONE);
	add(m, "/dev/test");
	answer(m, 0, test_look(TEST_UUID_1, REENCRYPTION_CLEAN));
	assert_int_equal(v->header.reencryption, REENCRYPTION_CLEAN);
	assert_non_null(v->job);
	assert_int_equal(v->job->kind, JOB_RECOVER);
}

/* What the worker sees is newer. */
static void a_look_beside_its_worker_changes_nothing(void **state)
{
	struct manager *m = *state;
	const struct volume *v = convert(m);

	add(m, "/dev/test");
	answer(m, 0, test_look(TEST_UUID_1, REENCRYPTION_NONE));
	assert_int_equal(caller.answer, 0);
	assert_int_equal(v->header.reencryption, REENCRYPTION_CLEAN);
	assert_int_equal(v->status.state, VOLUME_RUNNING);
}

static void another_name_that_is_found_by_itself_disturbs_no_worker(void **state)
{
	struct worker_look look = test_look(TEST_UUID_1, REENCRYPTION_CLEAN);
	struct worker_link *l = test_link();
	struct volume *v;

	assert_int_equal(volume_new(*state, &look, l, false, &v), 0);
	test_look_clear(&look);
	(void)mark_take_due(&v->mark);
	find(*state, "/dev/other", NULL);
	answer_only(0, look_at("/dev/other"));
	assert_ptr_equal(v->worker.link, l);
	assert_string_equal(v->place.device, "/dev/test");
	assert_true(mark_take_due(&v->mark));
}

/* It was being prepared, and its worker has died. */
static void what_a_look_finds_is_settled_with_the_record(void **state)
{
	struct worker_look look = test_look(TEST_UUID_1, REENCRYPTION_CLEAN);
	struct manager *m = *state;
	struct volume *v = rotate(m);

	while (v->worker.link->record)
		test_written(v, 0);
	assert_int_equal(v->worker.job, WORKER_PREPARE);
	volume_worker_handler.died(v);
	assert_string_equal(v->token.record.sides.new, "");
	free(look.record);
	look.record = strdup(v->token.json);
	add(m, "/dev/test");
	answer_only(0, look);
	assert_string_equal(v->token.record.sides.new, "new");
}

static void what_is_found_by_itself_is_not_looked_at_twice(void **state)
{
	struct manager *m = *state;

	(void)test_volume(m, TEST_UUID_1);
	find(m, "/dev/elsewhere", TEST_UUID_1);
	find(m, "/dev/test", NULL);
	assert_null(test_spawned());
	find(m, "/dev/elsewhere", NULL);
	assert_non_null(test_spawned());
}

/* --- of an earlier manager --- */

/* It says what it does before it looks. */
static const struct worker_link *adopt(struct manager *m, const char *version)
{
	struct worker_status status = {.job = WORKER_CONVERT, .unlocked = true};
	struct worker_link *l;

	strcpy(status.version, version);
	assert_int_equal(probe_adopt(&m->core->probes, TEST_UUID_1, -1), 0);
	l = test_spawned();
	assert_non_null(l);
	assert_int_equal(l->job, WORKER_NONE);
	l->handler->status(l->userdata, 0, &status);
	return l;
}

static void a_worker_that_is_adopted_goes_on_with_what_it_does(void **state)
{
	struct manager *m = *state;
	const struct worker_link *l = adopt(m, PACKAGE_VERSION);

	answer(m, 0, test_look(TEST_UUID_1, REENCRYPTION_CLEAN));
	assert_int_equal(m->n_volumes, 1);
	assert_ptr_equal(m->volumes->worker.link, l);
	assert_int_equal(m->volumes->worker.job, WORKER_CONVERT);
	assert_true(keys_are_held(&m->volumes->keys));
}

static void a_worker_of_another_version_does_not_stay(void **state)
{
	struct manager *m = *state;

	(void)adopt(m, "0");
	answer_only(0, test_look(TEST_UUID_1, REENCRYPTION_CLEAN));
	assert_int_equal(m->n_volumes, 1);
	assert_int_equal(m->volumes->worker.job, WORKER_NONE);
	assert_null(m->volumes->worker.link);
}

/* --- what a probe is started with --- */

static void a_worker_is_started_as_its_volume_is_configured(void **state)
{
	struct manager *m = *state;

	m->config->defaults.threads = 3;
	m->config->probe_timeout_usec = 123;
	assert_int_equal(config_remember(m->config, TEST_UUID_2, "/dev/b", NULL, NULL), 0);
	config_find_volume(m->config, TEST_UUID_2)->threads = 1;
	assert_int_equal(found_owner.worker(m, TEST_UUID_1).threads, 3);
	assert_int_equal(found_owner.worker(m, TEST_UUID_2).threads, 1);
	assert_int_equal(found_owner.worker(m, "").threads, 3);
	assert_int_equal(found_owner.timeout(m), 123);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_begin, test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_volume_keeps_the_worker_that_looked),
		TEST(only_what_a_person_named_is_remembered),
		TEST(a_look_that_fails_makes_no_volume),
		TEST(a_text_that_is_no_uuid_makes_no_volume),
		TEST(another_volume_than_the_expected_one_is_refused),
		TEST(a_clone_is_refused_whoever_names_it),
		TEST(the_name_that_a_person_gives_replaces_the_one_before),
		TEST(a_volume_at_work_keeps_its_name),
		TEST(what_was_out_of_reach_is_looked_at_again),
		TEST(a_look_beside_its_worker_changes_nothing),
		TEST(another_name_that_is_found_by_itself_disturbs_no_worker),
		TEST(what_a_look_finds_is_settled_with_the_record),
		TEST(what_is_found_by_itself_is_not_looked_at_twice),
		TEST(a_worker_that_is_adopted_goes_on_with_what_it_does),
		TEST(a_worker_of_another_version_does_not_stay),
		TEST(a_worker_is_started_as_its_volume_is_configured),
	};

	log_init("test-found", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
