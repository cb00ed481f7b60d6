/* SPDX-License-Identifier: GPL-3.0-or-later */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/control/volume-keys.h"
#include "daemon/workers/store.h"

#define UUID "6a0a6c3e-0e6f-4ea5-9a25-1a1c6c7a9c6f"

/* In place of the fd store: which of the two has been put. */
static struct {
	bool old_key, new_key;
} stored;

static bool *entry(const char *prefix)
{
	return strcmp(prefix, STORE_OLD_KEY) == 0 ? &stored.old_key : &stored.new_key;
}

bool store_put(const char *prefix, const char *uuid, int fd)
{
	assert_string_equal(uuid, UUID);
	assert_true(fd >= 0);
	*entry(prefix) = true;
	return true;
}

void store_drop(const char *prefix, const char *uuid)
{
	assert_string_equal(uuid, UUID);
	*entry(prefix) = false;
}

int store_take(const char *prefix, const char *uuid)
{
	assert_string_equal(uuid, UUID);
	return *entry(prefix) ? memfd_create(prefix, MFD_CLOEXEC) : -1;
}

static int begin(void **state)
{
	static struct volume_keys k;

	stored.old_key = stored.new_key = false;
	keys_init(&k, UUID);
	*state = &k;
	return 0;
}

static int end(void **state)
{
	keys_free(*state);
	return 0;
}

static void store_both(struct volume_keys *k)
{
	const int fd = memfd_create("key", MFD_CLOEXEC);

	assert_int_equal(keys_store(k, fd, fd), 0);
	(void)close(fd);
}

static void a_provider_is_asked_once(void **state)
{
	struct volume_keys *k = *state;

	assert_true(keys_provider_is_left(k));
	keys_ask_provider(k);
	assert_false(keys_provider_is_left(k));
	keys_refused(k, "no such file");
	assert_string_equal(k->reason, "a key is awaited: no such file");
	assert_false(keys_provider_is_left(k));
	keys_ask_again(k);
	assert_true(keys_provider_is_left(k));
}

static void one_that_gave_keys_may_give_them_again(void **state)
{
	struct volume_keys *k = *state;

	keys_ask_provider(k);
	keys_got(k, true, 0);
	keys_lost(k, false);
	assert_false(keys_are_held(k));
	assert_true(keys_provider_is_left(k));
	keys_ask_provider(k);
	keys_lost(k, true); /* its worker died while it was asked */
	assert_true(keys_provider_is_left(k));
	keys_ask_provider(k);
	keys_lost(k, false); /* it had none to give */
	assert_false(keys_provider_is_left(k));
}

static void a_person_who_locks_is_obeyed_until_a_key_comes(void **state)
{
	struct volume_keys *k = *state;

	keys_got(k, true, 0);
	store_both(k);
	keys_locked(k);
	assert_false(keys_are_held(k) || keys_are_stored(k) || keys_provider_is_left(k));
	keys_ask_again(k);
	keys_lost(k, false);
	assert_false(keys_provider_is_left(k));
	keys_got(k, true, 0);
	assert_true(keys_are_held(k));
	keys_locked(k);
	keys_wish(k); /* or until another rotation is asked for */
	assert_true(keys_provider_is_left(k));
}

static void keys_that_were_used_up_stay_so_until_others_come(void **state)
{
	struct volume_keys *k = *state;

	keys_got(k, true, 0);
	keys_spent(k);
	assert_false(keys_are_held(k));
	keys_found(k, true); /* by a worker of an earlier manager, for what is over */
	assert_false(keys_are_held(k));
	keys_wish(k);
	assert_int_equal(k->state, KEYS_SPENT);
	keys_got(k, true, 0);
	assert_true(keys_are_held(k));
}

static void a_new_worker_has_none(void **state)
{
	struct volume_keys *k = *state;

	keys_found(k, true);
	assert_true(keys_are_held(k));
	keys_start(k);
	assert_false(keys_are_held(k));
}

static void volume_keys_are_kept_for_the_next_manager(void **state)
{
	struct volume_keys *k = *state;
	struct volume_keys next;

	assert_false(keys_are_stored(k));
	store_both(k);
	assert_true(keys_are_stored(k) && stored.old_key && stored.new_key);
	keys_init(&next, UUID);
	assert_false(keys_are_stored(&next));
	keys_take_stored(&next);
	assert_true(keys_are_stored(&next));
	keys_free(&next);
	assert_true(stored.old_key && stored.new_key); /* which outlives the manager */
	keys_drop(k);
	assert_false(keys_are_stored(k) || stored.old_key || stored.new_key);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

static void a_rotation_waits_for_those_of_other_keyslots(void **state)
{
	struct volume_keys *k = *state;

	keys_got(k, true, 6);
	assert_true(keys_suffice(k)); /* whether they do, the worker finds out */
	keys_too_few(k, 6, "keyslots 1 and 2");
	assert_true(keys_are_held(k) && !keys_suffice(k));
	assert_string_equal(k->reason, "keyslots 1 and 2");
	keys_got(k, true, 6); /* the one that is held, given once more */
	assert_false(keys_suffice(k));
	keys_got(k, true, 4);
	assert_true(keys_suffice(k));
	assert_string_equal(k->reason, "");
	keys_too_few(k, 4, "keyslot 2");
	keys_try_again(k);
	assert_true(keys_suffice(k));
}

static void a_worker_that_does_not_tell_is_tried_with_each_key(void **state)
{
	struct volume_keys *k = *state;

	keys_got(k, true, 0);
	keys_too_few(k, 0, "keyslots");
	keys_got(k, true, 0);
	assert_true(keys_suffice(k));
}

static void few_keys_end_like_all(void **state)
{
	struct volume_keys *k = *state;

	keys_ask_provider(k);
	keys_got(k, false, 2);
	keys_too_few(k, 2, "keyslot 1");
	assert_false(k->given || keys_provider_is_left(k));
	keys_lost(k, false);
	assert_false(keys_are_held(k));
	assert_true(keys_provider_is_left(k)); /* it gave them */
	assert_string_equal(k->reason, "");
	keys_got(k, true, 2);
	keys_too_few(k, 2, "keyslot 1");
	keys_wish(k);
	assert_true(keys_suffice(k));
	keys_too_few(k, 2, "keyslot 1");
	keys_spent(k);
	assert_false(keys_are_held(k));
	keys_too_few(k, 2, "keyslot 1"); /* too late */
	assert_false(keys_are_held(k));
}

static void one_key_of_a_person_makes_them_worth_keeping(void **state)
{
	struct volume_keys *k = *state;

	keys_got(k, true, 0);
	keys_got(k, false, 0);
	assert_true(k->given);
	keys_start(k);
	keys_got(k, false, 0);
	assert_false(k->given);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_provider_is_asked_once),
		TEST(one_that_gave_keys_may_give_them_again),
		TEST(a_person_who_locks_is_obeyed_until_a_key_comes),
		TEST(keys_that_were_used_up_stay_so_until_others_come),
		TEST(a_new_worker_has_none),
		TEST(volume_keys_are_kept_for_the_next_manager),
		TEST(a_rotation_waits_for_those_of_other_keyslots),
		TEST(a_worker_that_does_not_tell_is_tried_with_each_key),
		TEST(few_keys_end_like_all),
		TEST(one_key_of_a_person_makes_them_worth_keeping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
