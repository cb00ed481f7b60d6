/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The manager's control of volumes, over workers and headers that are data (world.h): in all orders
 * of events of short scenarios, with kills of manager, worker and power between any two, and in
 * random orders of long ones. checks.c says what must hold in each.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "host.h"
#include "model/least-rate.h"
#include "util/checked.h"
#include "util/log.h"

#define WITH_KEY_FILE                                                                              \
	"[Manager]\nDiscoverActive=no\nDiscoverCryptTab=no\n"                                      \
	"[Volume]\nKeyProvider=key-file\nKeyFile=/key\n"
#define WITHOUT_KEYS "[Manager]\nDiscoverActive=no\nDiscoverCryptTab=no\n"

static const struct scenario rotate = {
	.name = "rotate",
	.n_disks = 1,
	.config = WITH_KEY_FILE,
	.ops = {{OP_ROTATE, 0, AT_REST}},
	.n_ops = 1,
	.kills = 2,
	.one_in = 8,
};

static void a_rotation_survives_kills(void **state)
{
	(void)state;
	play_orders(&rotate);
}

static const struct scenario cancel = {
	.name = "cancel",
	.n_disks = 1,
	.config = WITH_KEY_FILE,
	.ops = {{OP_ROTATE, 0, AT_REST}, {OP_CANCEL, 0, AFTER(1)}},
	.n_ops = 2,
	.kills = 2,
	.one_in = 16,
};

static void a_cancel_survives_kills(void **state)
{
	(void)state;
	play_orders(&cancel);
}

static const struct scenario suspend = {
	.name = "suspend",
	.n_disks = 1,
	.config = WITH_KEY_FILE,
	.ops = {{OP_ROTATE, 0, AT_REST},
		{OP_SUSPEND, 0, AFTER(1)},
		{OP_RATE, 0, AT_REST},
		{OP_RESUME, 0, AT_REST}},
	.n_ops = 4,
	.kills = 1,
	.one_in = 16,
};

static void a_suspension_is_kept(void **state)
{
	(void)state;
	play_orders(&suspend);
}

static const struct scenario unlock = {
	.name = "unlock",
	.n_disks = 1,
	.config = WITHOUT_KEYS,
	.ops = {{OP_ROTATE, 0, AT_REST}, {OP_UNLOCK_WRONG, 0, AT_REST}, {OP_UNLOCK, 0, AT_REST}},
	.n_ops = 3,
	.kills = 2,
	.one_in = 16,
};

static void keys_come_from_people(void **state)
{
	(void)state;
	play_orders(&unlock);
}

static const struct scenario keyslots = {
	.name = "keyslots",
	.n_disks = 1,
	.config = WITHOUT_KEYS,
	.keyslots = true,
	.ops = {{OP_ROTATE, 0, AT_REST}, {OP_UNLOCK_FIRST, 0, AT_REST}, {OP_UNLOCK, 0, AT_REST}},
	.n_ops = 3,
	.kills = 2,
	.one_in = 16,
};

static void each_keyslot_is_waited_for(void **state)
{
	(void)state;
	play_orders(&keyslots);
}

/* The provider has the passphrase of one keyslot. */
static const struct scenario losing = {
	.name = "losing",
	.n_disks = 1,
	.config = WITH_KEY_FILE,
	.keyslots = true,
	.ops = {{OP_ROTATE, 0, AT_REST}, {OP_ROTATE_LOSING, 0, AT_REST}, {OP_CANCEL, 0, AFTER(1)}},
	.n_ops = 3,
	.kills = 2,
	.one_in = 32,
};

static void a_person_agrees_to_lose_keyslots(void **state)
{
	(void)state;
	play_orders(&losing);
}

static const struct scenario given_up = {
	.name = "given up",
	.n_disks = 1,
	.config = WITHOUT_KEYS,
	.keyslots = true,
	.ops = {{OP_ROTATE, 0, AT_REST},
		{OP_UNLOCK_FIRST, 0, AT_REST},
		{OP_LOCK, 0, AFTER(0)},
		{OP_CANCEL, 0, AT_REST}},
	.n_ops = 4,
	.kills = 2,
	.one_in = 32,
};

static void what_waits_for_keyslots_can_be_taken_back(void **state)
{
	(void)state;
	play_orders(&given_up);
}

/* A provider that says no; then a person comes, goes, and comes again. */
static const struct scenario provider = {
	.name = "provider",
	.n_disks = 1,
	.config = WITH_KEY_FILE,
	.provider = -ENOKEY,
	.ops = {{OP_ROTATE, 0, AT_REST},
		{OP_UNLOCK, 0, AT_REST},
		{OP_LOCK, 0, AFTER(0)},
		{OP_UNLOCK, 0, AT_REST}},
	.n_ops = 4,
	.kills = 2,
	.one_in = 32,
};

static void a_provider_may_have_no_key(void **state)
{
	(void)state;
	play_orders(&provider);
}

/* Another process has the header locked, so the provider's key opens nothing for the present. */
static const struct scenario busy = {
	.name = "busy",
	.n_disks = 1,
	.config = WITH_KEY_FILE,
	.provider = -EBUSY,
	.ops = {{OP_ROTATE, 0, AT_REST}, {OP_CANCEL, 0, AT_REST}},
	.n_ops = 2,
	.kills = 2,
	.one_in = 8,
};

static void what_is_busy_is_tried_again(void **state)
{
	(void)state;
	play_orders(&busy);
}

static const struct scenario queue = {
	.name = "queue",
	.n_disks = 1,
	.config = WITH_KEY_FILE,
	.ops = {{OP_ROTATE, 0, AT_REST}, {OP_ROTATE_AFTER, 0, AFTER(0)}, {OP_REMOVE, 0, AT_REST}},
	.n_ops = 3,
	.kills = 1,
	.one_in = 32,
};

static void a_second_rotation_follows(void **state)
{
	(void)state;
	play_orders(&queue);
}

static const struct scenario group = {
	.name = "group",
	.n_disks = 2,
	.config = WITH_KEY_FILE,
	.ops = {{OP_ROTATE_ALL, 0, AT_REST}},
	.n_ops = 1,
	.kills = 1,
	.one_in = 32,
	.group = true,
};

static void a_group_is_all_or_none(void **state)
{
	(void)state;
	play_orders(&group);
}

static const struct scenario restart = {
	.name = "restart",
	.n_disks = 1,
	.config = WITH_KEY_FILE,
	.ops = {{OP_ROTATE, 0, AT_REST}, {OP_RESTART, 0, AFTER(1)}, {OP_LOCK, 0, AFTER(1)}},
	.n_ops = 3,
	.kills = 1,
	.one_in = 16,
};

static void a_restart_goes_on(void **state)
{
	(void)state;
	play_orders(&restart);
}

static const struct scenario upgrade = {
	.name = "upgrade",
	.n_disks = 2,
	.config = WITH_KEY_FILE,
	.ops = {{OP_ROTATE_ALL, 0, AT_REST}, {OP_CANCEL, 1, AFTER(1)}},
	.n_ops = 2,
	.kills = 2,
	.one_in = 64,
	.upgrades = true,
};

static void an_upgrade_loses_nothing(void **state)
{
	(void)state;
	play_orders(&upgrade);
}

static const struct scenario fleet = {
	.name = "fleet",
	.n_disks = 3,
	.config = WITH_KEY_FILE,
	.ops = {{OP_ROTATE_ALL, 0, AT_REST},
		{OP_SUSPEND, 1, AFTER(0)},
		{OP_CANCEL, 2, AFTER(1)},
		{OP_RESTART, 0, AFTER(1)},
		{OP_RESUME, 1, AT_REST},
		{OP_LOCK, 0, AT_REST},
		{OP_ROTATE, 2, AT_REST},
		{OP_CHECK, 1, AT_REST}},
	.n_ops = 8,
	.kills = 3,
};

static void a_fleet_at_random(void **state)
{
	(void)state;
	play_random(&fleet, getenv("SIM_FULL") ? 1000000 : 5000);
}

/*
 * Weeks pass between two weekends, and people come and go: hundreds of operations, over years of
 * the simulated clock.
 */
static const struct scenario years = {
	.name = "years",
	.n_disks = 3,
	.config = WITH_KEY_FILE "Window=Sat,Sun 02:00-05:00\nDeadline=10d\n",
	.kills = 40,
};

static void years_of_windows(void **state)
{
	(void)state;
	play_random_ops(&years, 200, getenv("SIM_FULL") ? 200000 : 1000);
}

/* People give passphrases one by one, and think of something else. */
static const struct scenario passphrases = {
	.name = "passphrases",
	.n_disks = 2,
	.config = WITHOUT_KEYS,
	.keyslots = true,
	.kills = 10,
};

static void passphrases_at_random(void **state)
{
	(void)state;
	play_random_ops(&passphrases, 60, getenv("SIM_FULL") ? 200000 : 1000);
}

/* test-manager [PATTERN]: only the tests that fit */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rotation_survives_kills),
		cmocka_unit_test(a_cancel_survives_kills),
		cmocka_unit_test(a_suspension_is_kept),
		cmocka_unit_test(keys_come_from_people),
		cmocka_unit_test(each_keyslot_is_waited_for),
		cmocka_unit_test(a_person_agrees_to_lose_keyslots),
		cmocka_unit_test(what_waits_for_keyslots_can_be_taken_back),
		cmocka_unit_test(a_provider_may_have_no_key),
		cmocka_unit_test(what_is_busy_is_tried_again),
		cmocka_unit_test(a_second_rotation_follows),
		cmocka_unit_test(a_group_is_all_or_none),
		cmocka_unit_test(a_restart_goes_on),
		cmocka_unit_test(an_upgrade_loses_nothing),
		cmocka_unit_test(a_fleet_at_random),
		cmocka_unit_test(years_of_windows),
		cmocka_unit_test(passphrases_at_random),
	};

	log_set_level(-1);
	least_rate_set(0);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
