/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Areas that a commit freed: what is wiped, what is left alone whatever the token says, and that no
 * power cut loses the note before they are wiped.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "luks/fields.h"
#include "luks/freed.h"
#include "luks/reencrypt.h"
#include "luks/test-support.h"
#include "luks/wipe.h"
#include "util/checked.h"

#define DISK_SIZE (UINT64_C(20) << 20)
#define OLD_KEY   0xa5 /* what stood in an area before it was freed */

/* Of "1_reencrypt_fwd_finished": keyslots lie in [32768, 32768 + 16744448), one of them at USED. */
#define KEYSLOTS      UINT64_C(32768)
#define KEYSLOTS_SIZE UINT64_C(16744448)
#define USED          UINT64_C(163840)
#define USED_SIZE     UINT64_C(258048)

static const struct luks_areas none;

static struct luks_header *idle_header(struct sim_disk *d)
{
	struct luks_header *h =
		header_with(state_json("1_reencrypt_fwd_finished"), TEST_HEADER_SIZE);

	memset(d->stable + KEYSLOTS, OLD_KEY, DISK_SIZE - KEYSLOTS);
	memset(d->seen + KEYSLOTS, OLD_KEY, DISK_SIZE - KEYSLOTS);
	sim_put_header(d, h);
	luks_header_free(h);
	return sim_reread(d);
}

static void note(struct luks_header *h, uint64_t offset, uint64_t size)
{
	const struct luks_areas areas = {.count = 1, .area = {{offset, size}}};

	luks_freed_note(h->json, h->size, &areas);
}

/* Bytes of the range that are as they were. A random byte is so by chance. */
static uint64_t left(const struct sim_disk *d, uint64_t offset, uint64_t size)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < size; i++)
		n += d->stable[offset + i] == OLD_KEY;
	return n;
}

static bool is_wiped(const struct sim_disk *d, uint64_t offset, uint64_t size)
{
	return left(d, offset, size) < size / 64;
}

static bool is_untouched(const struct sim_disk *d, uint64_t offset, uint64_t size)
{
	return left(d, offset, size) == size;
}

static void used_area_is_found(void **state)
{
	struct sim_disk *d = sim_new(DISK_SIZE);
	struct luks_header *h = idle_header(d);
	uint64_t start, end;

	(void)state;
	assert_true(luks_next_used(h, 0, &start, &end));
	assert_int_equal(start, USED);
	assert_int_equal(end, USED + USED_SIZE);
	assert_true(luks_next_used(h, USED + USED_SIZE - 1, &start, &end));
	assert_int_equal(start, USED);
	assert_false(luks_next_used(h, USED + USED_SIZE, &start, &end));
	luks_header_free(h);
	sim_free(d);
}

static void only_free_parts_are_wiped(void **state)
{
	struct sim_disk *d = sim_new(DISK_SIZE);
	struct luks_header *h = idle_header(d);

	(void)state;
	/* Into the keyslot that is used, and out of it; and where no keyslot may be. */
	note(h, KEYSLOTS, USED - KEYSLOTS + 4096);
	note(h, USED + 8192, USED_SIZE);
	note(h, 0, KEYSLOTS);
	note(h, KEYSLOTS + KEYSLOTS_SIZE - 4096, 8192);
	note(h, UINT64_MAX - 4095, 8192);
	assert_int_equal(luks_header_commit(h, &d->io, NULL), 0);

	assert_true(luks_freed_is_due(h));
	assert_int_equal(luks_freed_wipe(h, &d->io, &none), 0);
	assert_false(luks_freed_is_due(h));
	assert_true(is_wiped(d, KEYSLOTS, USED - KEYSLOTS));
	assert_true(is_untouched(d, USED, USED_SIZE));
	assert_true(is_wiped(d, USED + USED_SIZE, 8192));
	assert_true(is_untouched(d, USED + USED_SIZE + 8192, DISK_SIZE - USED - USED_SIZE - 8192));
	luks_header_free(h);

	h = sim_reread(d);
	assert_false(luks_header_needs_repair(h));
	assert_false(luks_freed_is_due(h));
	luks_header_free(h);
	sim_free(d);
}

static void reencryption_is_left_alone(void **state)
{
	struct sim_disk *d = sim_new(DISK_SIZE);
	struct luks_header *h = sim_header(d);

	(void)state;
	note(h, KEYSLOTS, 4096);
	assert_false(luks_freed_is_due(h));
	assert_int_equal(luks_freed_wipe(h, &d->io, &none), -EBUSY);
	assert_int_equal(d->writes, 0);
	luks_header_free(h);
	sim_free(d);
}

static bool keep_nothing(void *arg, unsigned write, size_t sector)
{
	(void)arg;
	(void)write;
	(void)sector;
	return false;
}

/* After any power cut the area is wiped, or a header says that it has to be. */
static void power_cut_forgets_nothing(void **state)
{
	bool done = false;

	(void)state;
	for (int cut = 0; !done; cut++) {
		struct sim_disk *d = sim_new(DISK_SIZE);
		struct luks_header *h = idle_header(d);

		note(h, KEYSLOTS, 4096);
		assert_int_equal(luks_header_commit(h, &d->io, NULL), 0);
		assert_int_equal(luks_header_flush(h, &d->io), 0);
		d->writes = d->flushes = 0;
		d->power_cut = cut;
		done = luks_freed_wipe(h, &d->io, &none) == 0;
		luks_header_free(h);
		sim_restart(d, keep_nothing, NULL);
		h = sim_reread(d);
		assert_true(luks_freed_is_due(h) || is_wiped(d, KEYSLOTS, 4096));
		luks_header_free(h);
		sim_free(d);
	}
}

static void full_header_goes_without(void **state)
{
	struct sim_disk *d = sim_new(DISK_SIZE);
	struct luks_header *h = idle_header(d);
	json_object *tokens = field_get(h->json, "tokens", json_type_object);

	(void)state;
	for (unsigned i = 0; i < LUKS_MAX_TOKENS; i++)
		assert_int_equal(field_set_id(tokens, i,
					      json_tokener_parse("{\"type\":\"x\","
								 "\"keyslots\":[]}")),
				 0);
	note(h, KEYSLOTS, 4096);
	assert_false(luks_freed_is_due(h));
	luks_header_free(h);
	sim_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(used_area_is_found),
		cmocka_unit_test(only_free_parts_are_wiped),
		cmocka_unit_test(reencryption_is_left_alone),
		cmocka_unit_test(power_cut_forgets_nothing),
		cmocka_unit_test(full_header_goes_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
