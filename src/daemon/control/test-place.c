/* SPDX-License-Identifier: GPL-3.0-or-later */
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
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daemon/control/place.h"

#define UUID "6a0a6c3e-0e6f-4ea5-9a25-1a1c6c7a9c6f"
/* No kernel has one with this number; sysfs knows it not. */
#define NO_DISK makedev(4000, 9)

static char *copy(const char *text)
{
	char *c = strdup(text);

	assert_non_null(c);
	return c;
}

static struct worker_look look_at(const char *device, struct node node)
{
	return (struct worker_look){.valid = true,
				    .uuid = copy(UUID),
				    .device = copy(device),
				    .header_device = copy(device),
				    .name = copy(""),
				    .node = node,
				    .header_node = node};
}

static void clear(struct worker_look *look)
{
	free(look->uuid);
	free(look->device);
	free(look->header_device);
	free(look->name);
}

/* Puts the volume there; true: under another name. */
static bool put(struct volume_place *p, const char *device, struct node node)
{
	struct worker_look look = look_at(device, node);
	const bool moved = place_take_names(p, &look);

	place_take_nodes(p, &look);
	clear(&look);
	return moved;
}

static int check(const struct volume_place *p, const char *device, struct node node,
		 struct failure *f)
{
	struct worker_look look = look_at(device, node);
	int r = place_check(p, &look, f);

	clear(&look);
	return r;
}

static struct node file(uint64_t inode)
{
	struct stat st;

	assert_int_equal(stat("/", &st), 0);
	return (struct node){.device = st.st_dev, .inode = inode};
}

static int begin(void **state)
{
	static struct volume_place p;

	p = (struct volume_place){};
	*state = &p;
	return 0;
}

static int end(void **state)
{
	place_clear(*state);
	return 0;
}

static void a_header_on_the_device_has_no_path_of_its_own(void **state)
{
	struct volume_place *p = *state;

	assert_true(put(p, "/a", file(2)));
	assert_string_equal(p->device, "/a");
	assert_string_equal(p->header_device, "");
	assert_false(put(p, "/a", file(2)));
	assert_true(put(p, "/b", file(2)));
	assert_string_equal(p->identity.uuid, UUID);
}

static void it_is_where_it_was_seen(void **state)
{
	struct volume_place *p = *state;
	struct worker_look look = look_at("/another/name", file(2));

	(void)put(p, "/a", file(2));
	assert_true(place_is_at(p, &look));
	look.header_node.inode = 3;
	assert_false(place_is_at(p, &look));
	clear(&look);
}

static void another_file_with_the_same_uuid_is_a_clone(void **state)
{
	struct volume_place *p = *state;
	struct failure f;

	(void)put(p, "/a", file(2));
	assert_int_equal(check(p, "/b", file(2), &f), 0);
	assert_int_equal(check(p, "/b", file(3), &f), -ENOTUNIQ);
	assert_non_null(strstr(f.text, "which is known already"));
	assert_int_equal(check(p, "/a", file(3), &f), -ENOTUNIQ);
	assert_non_null(strstr(f.text, "another device with the same LUKS UUID is there now"));
}

static void a_file_is_no_disk(void **state)
{
	struct volume_place *p = *state;
	struct failure f;

	(void)put(p, "/a", file(2));
	assert_int_equal(check(p, "/a", (struct node){.device = NO_DISK}, &f), -ENOTUNIQ);
}

static void a_disk_that_is_gone_may_come_back_with_another_number(void **state)
{
	struct volume_place *p = *state;
	struct failure f;

	(void)put(p, "/dev/a", (struct node){.device = NO_DISK});
	assert_false(place_is_attached(p));
	assert_int_equal(check(p, "/dev/b", (struct node){.device = makedev(4000, 10)}, &f), 0);
}

static void a_worker_that_tells_no_node_is_believed(void **state)
{
	struct volume_place *p = *state;
	struct failure f;

	(void)put(p, "/a", file(2));
	assert_int_equal(check(p, "/b", (struct node){}, &f), 0);
}

static void a_file_is_always_attached_and_has_no_links(void **state)
{
	struct volume_place *p = *state;

	(void)put(p, "/a", file(2));
	assert_true(place_is_attached(p));
	assert_false(place_has_link(p, "/dev/disk/by-uuid/" UUID));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_header_on_the_device_has_no_path_of_its_own),
		TEST(it_is_where_it_was_seen),
		TEST(another_file_with_the_same_uuid_is_a_clone),
		TEST(a_file_is_no_disk),
		TEST(a_disk_that_is_gone_may_come_back_with_another_number),
		TEST(a_worker_that_tells_no_node_is_believed),
		TEST(a_file_is_always_attached_and_has_no_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
