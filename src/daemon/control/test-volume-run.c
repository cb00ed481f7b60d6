/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a rotation says of its runs, and what it leaves to the configuration. */
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

#include "daemon/control/test-volume.h"
#include "util/log.h"

#define NO_TELLING "cipher_null-ecb" /* zeros on the disk are zeros in the volume */

static const struct run_choices skip = {.skip_unwritten = CHOICE_YES},
				no_skip = {.skip_unwritten = CHOICE_NO},
				verify = {.verify = CHOICE_YES};

/* One that converts: what it says is in record.run. */
static struct volume *in_work(struct manager *m)
{
	struct volume *v = test_volume(m, TEST_UUID_1);

	v->header.reencryption = REENCRYPTION_CLEAN;
	strcpy(v->header.parameters.new_cipher, "aes-xts-plain64");
	return v;
}

static void what_is_said_wins_over_what_is_configured(void **state)
{
	struct manager *m = *state;
	const struct volume *v = test_volume(m, TEST_UUID_1);
	const struct run_choices none = {};

	m->config->defaults.run.skip_unwritten = true;
	assert_true(volume_resolve_run(v, &none).skip_unwritten);
	assert_false(volume_resolve_run(v, &none).verify);
	assert_false(volume_resolve_run(v, &no_skip).skip_unwritten);
	assert_true(volume_resolve_run(v, &verify).verify);
}

static void the_rotation_that_is_to_begin_counts_until_it_has(void **state)
{
	struct rotate_options o = ROTATE_OPTIONS_NONE;
	struct volume *v = test_volume(*state, TEST_UUID_1);

	o.run = verify;
	record_wish(&v->token.record, &o);
	assert_true(volume_run_options(v).verify);
	v->header.reencryption = REENCRYPTION_CLEAN; /* another one: this comes after it */
	assert_false(volume_run_options(v).verify);
	v->token.record.run = verify;
	assert_true(volume_run_options(v).verify);
}

static void a_worker_is_told_of_a_change_alone(void **state)
{
	struct volume *v = in_work(*state);
	struct run_options told = volume_run_options(v);

	worker_slot_note_run(&v->worker, &told);
	assert_false(volume_run_has_changed(v));
	v->token.record.run = verify;
	assert_true(volume_run_has_changed(v));
}

static void a_change_says_whether_it_is_one(void **state)
{
	struct volume *v = in_work(*state);
	struct failure f;

	assert_int_equal(volume_change_run(v, &(struct run_choices){}, &f), 0);
	assert_int_equal(volume_change_run(v, &verify, &f), 1);
	assert_int_equal(volume_change_run(v, &verify, &f), 0);
	assert_int_equal(volume_change_run(v, &no_skip, &f), 1);
	assert_int_equal(v->token.record.run.verify, CHOICE_YES); /* of which it said nothing */
	assert_int_equal(v->token.record.run.skip_unwritten, CHOICE_NO);
}

static void a_change_is_for_the_one_in_force(void **state)
{
	struct rotate_options o = ROTATE_OPTIONS_NONE;
	struct volume *v = test_volume(*state, TEST_UUID_1);
	struct failure f;

	record_wish(&v->token.record, &o);
	assert_int_equal(volume_change_run(v, &verify, &f), 1);
	assert_int_equal(v->token.record.queued.run.verify, CHOICE_YES);
	assert_int_equal(v->token.record.run.verify, CHOICE_CONFIGURED);
	v->header.reencryption = REENCRYPTION_CLEAN;
	assert_int_equal(volume_change_run(v, &no_skip, &f), 1);
	assert_int_equal(v->token.record.run.skip_unwritten, CHOICE_NO);
	assert_int_equal(v->token.record.queued.run.skip_unwritten, CHOICE_CONFIGURED);
}

/* Blocks that nobody wrote cannot be told from data, under either cipher. */
static void unwritten_blocks_are_not_skipped_under_a_cipher_that_cannot_tell_them(void **state)
{
	struct manager *m = *state;
	struct volume *v = in_work(m);
	struct failure f = {};

	assert_int_equal(volume_change_run(v, &skip, &f), 1);
	strcpy(v->header.parameters.new_cipher, NO_TELLING);
	assert_int_equal(volume_change_run(v, &skip, &f), -ENOTSUP);
	assert_non_null(strstr(f.text, NO_TELLING));
	strcpy(v->header.parameters.new_cipher, "aes-xts-plain64");
	strcpy(v->header.parameters.old_cipher, NO_TELLING);
	assert_int_equal(volume_change_run(v, &skip, &f), -ENOTSUP);
	assert_int_equal(volume_change_run(v, &verify, &f), 1); /* which is about something else */
	assert_int_equal(volume_change_run(v, &no_skip, &f), 1);
	m->config->defaults.run.skip_unwritten = true;
	v->token.record.run = (struct run_choices){};
	assert_int_equal(volume_change_run(v, &verify, &f), 1); /* the worker says what is wrong */
}

static void a_rotation_is_checked_with_the_ciphers_that_it_has(void **state)
{
	struct rotate_options o = ROTATE_OPTIONS_NONE;
	struct manager *m = *state;
	struct volume *v = test_volume(m, TEST_UUID_1);
	struct failure f;

	o.run = skip;
	assert_int_equal(volume_check_rotation(v, &o, &f), 0);
	strcpy(o.cipher, NO_TELLING);
	assert_int_equal(volume_check_rotation(v, &o, &f), -ENOTSUP);
	o.run = no_skip;
	assert_int_equal(volume_check_rotation(v, &o, &f), 0);
	*o.cipher = '\0';
	o.run = skip;
	/* One that is queued begins with what the present one leaves. */
	strcpy(v->header.parameters.old_cipher, NO_TELLING);
	assert_int_equal(volume_check_rotation(v, &o, &f), -ENOTSUP);
	strcpy(v->header.parameters.new_cipher, "aes-xts-plain64");
	assert_int_equal(volume_check_rotation(v, &o, &f), 0);
	/* One that was asked for, and is not in the header yet. */
	*v->header.parameters.new_cipher = '\0';
	strcpy(v->header.parameters.old_cipher, "aes-xts-plain64");
	strcpy(v->token.record.queued.cipher, NO_TELLING);
	assert_int_equal(volume_change_run(v, &skip, &f), -ENOTSUP);
}

static void what_a_rotation_leaves_open_is_as_configured(void **state)
{
	static char journal[] = "journal", checksum[] = "checksum", hash[] = "sha512";
	struct rotate_options o = ROTATE_OPTIONS_NONE, done;
	struct manager *m = *state;
	const struct volume *v = test_volume(m, TEST_UUID_1);
	struct volume_config *c = &m->config->defaults;
	char *resilience = c->resilience, *own_hash = c->resilience_hash;

	c->resilience = checksum;
	c->resilience_hash = hash;
	done = volume_complete_options(v, &o);
	assert_string_equal(done.resilience, "checksum");
	assert_string_equal(done.hash, "sha512");
	strcpy(o.hash, "sha256");
	assert_string_equal(volume_complete_options(v, &o).hash, "sha256");
	*o.hash = '\0';
	strcpy(o.resilience, "journal"); /* which has no checksums */
	done = volume_complete_options(v, &o);
	assert_string_equal(done.resilience, "journal");
	assert_string_equal(done.hash, "");
	*o.resilience = '\0';
	c->resilience = journal;
	assert_string_equal(volume_complete_options(v, &o).hash, "");
	c->resilience = resilience;
	c->resilience_hash = own_hash;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_begin, test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_said_wins_over_what_is_configured),
		TEST(the_rotation_that_is_to_begin_counts_until_it_has),
		TEST(a_worker_is_told_of_a_change_alone),
		TEST(a_change_says_whether_it_is_one),
		TEST(a_change_is_for_the_one_in_force),
		TEST(unwritten_blocks_are_not_skipped_under_a_cipher_that_cannot_tell_them),
		TEST(a_rotation_is_checked_with_the_ciphers_that_it_has),
		TEST(what_a_rotation_leaves_open_is_as_configured),
	};

	log_init("test-volume-run", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
