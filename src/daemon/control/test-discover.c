/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How volumes are found by themselves: which devices are looked at, what mappings mean. */
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

#include "daemon/control/discover.h"
#include "daemon/control/mapping.h"
#include "daemon/control/test-volume.h"
#include "util/log.h"

#define DIGITS "6a0a6c3e0e6f4ea59a25000000000001" /* of TEST_UUID_1 */

/* The worker that looks says that there is nothing. */
static void nothing_there(void)
{
	struct worker_link *l = test_spawned();
	struct worker_end e = {.job = WORKER_INSPECT, .error = -ENODEV};

	assert_non_null(l);
	l->job = WORKER_NONE;
	l->handler->ended(l->userdata, &e);
}

static void configure(struct manager *m, const char *uuid, const char *device)
{
	assert_int_equal(config_remember(m->config, uuid, device, NULL, NULL), 0);
}

static void each_device_of_the_configuration_is_looked_at(void **state)
{
	struct manager *m = *state;
	struct discover *d;

	configure(m, TEST_UUID_1, "/dev/a");
	configure(m, TEST_UUID_2, "/dev/b");
	assert_int_equal(discover_new(m, &d), 0);
	assert_string_equal(test_spawned()->device, "/dev/b"); /* beside the other one */
	nothing_there();
	assert_non_null(m->core->probes.first);
	(void)discover_free(d);
}

static void what_is_known_or_has_no_device_is_not_looked_at(void **state)
{
	struct manager *m = *state;
	struct discover *d;

	(void)test_volume(m, TEST_UUID_1);
	configure(m, TEST_UUID_1, "/dev/a");
	configure(m, TEST_UUID_2, "/dev/b");
	free(config_find_volume(m->config, TEST_UUID_2)->device);
	config_find_volume(m->config, TEST_UUID_2)->device = NULL; /* found where it is open */
	assert_int_equal(discover_new(m, &d), 0);
	assert_null(m->core->probes.first);
	discover_configured(d);
	assert_null(m->core->probes.first);
	(void)discover_free(d);
}

/* Also what was not there before; and what is being looked at is not looked at twice. */
static void a_reload_looks_once_more(void **state)
{
	struct manager *m = *state;
	struct worker_link *l;
	struct discover *d;

	configure(m, TEST_UUID_1, "/dev/a");
	assert_int_equal(discover_new(m, &d), 0);
	l = test_spawned();
	discover_configured(d);
	assert_ptr_equal(test_spawned(), l);
	nothing_there();
	assert_null(m->core->probes.first);
	discover_configured(d);
	assert_non_null(m->core->probes.first);
	(void)discover_free(d);
}

static void without_one_there_is_nothing_to_free(void **state)
{
	(void)state;
	assert_null(discover_free(NULL));
}

/* --- mappings --- */

static void the_uuid_of_a_mapping_is_that_of_its_volume(void **state)
{
	char uuid[37];

	(void)state;
	assert_int_equal(mapping_uuid("CRYPT-LUKS2-" DIGITS "-name", uuid), 0);
	assert_string_equal(uuid, TEST_UUID_1);
	assert_int_equal(mapping_uuid("CRYPT-LUKS2-6A0A6C3E0E6F4EA59A25000000000001-", uuid), 0);
	assert_string_equal(uuid, TEST_UUID_1); /* in one way of writing */
}

static void mappings_of_others_are_no_volumes(void **state)
{
	static const char *const others[] = {
		"",
		"CRYPT-LUKS2-",
		"CRYPT-LUKS2-" DIGITS, /* no name */
		"CRYPT-LUKS1-" DIGITS "-name",
		"CRYPT-PLAIN-name",
		"CRYPT-SUBDEV-" DIGITS "-name-old",
		"LVM-kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk",
		"CRYPT-LUKS2-name",
		"CRYPT-LUKS2-6a0a6c3e-0e6f-4ea5-9a25-000000000001-name",
		"CRYPT-LUKS2-6a0a6c3e0e6f4ea59a2500000000000x-name",
		"crypt-luks2-" DIGITS "-name",
	};
	char uuid[37] = "as it was";

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_int_equal(mapping_uuid(others[i], uuid), -EINVAL);
	assert_string_equal(uuid, "as it was");
}

static void a_mapping_of_an_unknown_volume_is_looked_at_as_it_comes(void **state)
{
	struct volume_config c = {};
	char device[] = "/dev/a";

	(void)state;
	assert_int_equal(mapping_decide(NULL, &c, "vol", false, false), MAPPING_PROBE);
	assert_int_equal(mapping_decide(NULL, &c, "vol", false, true), MAPPING_NOTHING);
	c.device = device; /* that is looked at already, or is not there */
	assert_int_equal(mapping_decide(NULL, &c, "vol", false, false), MAPPING_NOTHING);
	assert_int_equal(mapping_decide(NULL, &c, "vol", false, true), MAPPING_NOTHING);
	/* Its own path has been looked at in vain. */
	assert_int_equal(mapping_decide(NULL, &c, "vol", true, false), MAPPING_PROBE);
	assert_int_equal(mapping_decide(NULL, &c, "vol", true, true), MAPPING_NOTHING);
}

static void a_volume_that_was_only_open_goes_with_its_mapping(void **state)
{
	struct volume_config c = {};
	struct volume *v = test_volume(*state, TEST_UUID_1);
	char device[] = "/dev/a";

	free(v->place.name);
	v->place.name = strdup("vol");
	assert_int_equal(mapping_decide(v, &c, "vol", false, true), MAPPING_REMOVE);
	c.device = device;
	assert_int_equal(mapping_decide(v, &c, "vol", false, true), MAPPING_LOOK);
	c.device = NULL;
	for (int s = VOLUME_QUEUED; s < VOLUME_STATE_COUNT; s++) {
		v->status.state = (enum volume_state)s; /* work goes on on the closed volume */
		assert_int_equal(mapping_decide(v, &c, "vol", false, true), MAPPING_LOOK);
	}
}

static void only_what_is_new_about_a_known_volume_is_looked_at(void **state)
{
	struct volume_config c = {};
	struct volume *v = test_volume(*state, TEST_UUID_1);

	assert_int_equal(v->status.state, VOLUME_IDLE);
	assert_int_equal(mapping_decide(v, &c, "vol", false, false),
			 MAPPING_LOOK); /* it was closed */
	v->status.state = VOLUME_RUNNING;
	assert_int_equal(mapping_decide(v, &c, "vol", false, false), MAPPING_LOOK);
	free(v->place.name);
	v->place.name = strdup("vol");
	assert_int_equal(mapping_decide(v, &c, "vol", false, false),
			 MAPPING_NOTHING); /* resumed, say */
	assert_int_equal(mapping_decide(v, &c, "new", false, false), MAPPING_LOOK);
	assert_int_equal(mapping_decide(v, &c, "old", false, true),
			 MAPPING_NOTHING); /* its former name */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, test_begin, test_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_device_of_the_configuration_is_looked_at),
		TEST(what_is_known_or_has_no_device_is_not_looked_at),
		TEST(a_reload_looks_once_more),
		TEST(without_one_there_is_nothing_to_free),
		TEST(the_uuid_of_a_mapping_is_that_of_its_volume),
		TEST(mappings_of_others_are_no_volumes),
		TEST(a_mapping_of_an_unknown_volume_is_looked_at_as_it_comes),
		TEST(a_volume_that_was_only_open_goes_with_its_mapping),
		TEST(only_what_is_new_about_a_known_volume_is_looked_at),
	};

	log_init("test-discover", LOG_EMERG);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
