/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Commits to the two header copies on a disk with a volatile cache: no crash, torn write or failed
 * write ever leaves less than one whole copy.
 */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "luks/fields.h"
#include "luks/header-disk.h"
#include "luks/header.h"
#include "luks/test-support.h"
#include "util/checked.h"
#include "util/error.h"

#define DISK_SIZE (UINT64_C(1) << 20)

static void committed_header_is_read_back(void **state)
{
	struct sim_disk *d = sim_new(DISK_SIZE);
	struct luks_header *h = sim_header(d), *again;

	(void)state;
	(void)strcpy(h->label, "a label");
	set_mark(h, 7);
	assert_int_equal(luks_header_commit(h, &d->io, NULL), 0);
	again = sim_reread(d);
	assert_int_equal(again->seqid, 4);
	assert_int_equal(h->seqid, 4);
	assert_false(luks_header_needs_repair(again));
	assert_string_equal(again->label, "a label");
	assert_string_equal(again->uuid, h->uuid);
	assert_memory_equal(again->salt, h->salt, sizeof(h->salt));
	assert_true(json_object_equal(again->json, h->json));
	luks_header_free(again);
	luks_header_free(h);
	sim_free(d);
}

static void commit_is_two_writes_and_one_flush(void **state)
{
	struct sim_disk *d = sim_new(DISK_SIZE);
	struct luks_header *h = sim_header(d);

	(void)state;
	assert_int_equal(luks_header_commit(h, &d->io, NULL), 0);
	assert_int_equal(d->writes, 2);
	assert_int_equal(d->flushes, 1);
	assert_int_equal(d->pending_count, 1); /* the secondary is the caller's to flush */

	/* Not flushed by the caller: the next commit does it, before it touches the primary. */
	assert_int_equal(luks_header_commit(h, &d->io, NULL), 0);
	assert_int_equal(d->flushes, 3);
	luks_header_flushed(h);
	assert_int_equal(luks_header_commit(h, &d->io, NULL), 0);
	assert_int_equal(d->flushes, 4);
	luks_header_free(h);
	sim_free(d);
}

/* What of the pending writes survives: a prefix, a suffix, or a pattern of sectors. */
struct survivors {
	enum { PREFIX, SUFFIX, PATTERN } kind;
	size_t sectors;
	uint64_t pattern;
};

static bool survives(void *arg, unsigned write, size_t sector)
{
	const struct survivors *s = arg;

	if (s->kind == PREFIX)
		return sector < s->sectors;
	if (s->kind == SUFFIX)
		return sector >= s->sectors;
	return (s->pattern >> ((write * 32 + sector) % 64)) & 1;
}

static void crash_once(unsigned operation, struct survivors survivors)
{
	struct sim_disk *d = sim_new(DISK_SIZE);
	struct luks_header *h = sim_header(d), *after;
	int done = 0, mark;

	d->power_cut = (int)operation;
	while (done < 3) {
		set_mark(h, done + 1);
		if (luks_header_commit(h, &d->io, NULL) < 0)
			break;
		done++;
	}
	sim_restart(d, survives, &survivors);
	after = sim_reread(d);
	mark = get_mark(after);
	/* All that was told to be committed is there, and at most the one commit that broke off. */
	if (mark != done && mark != done + 1)
		fail_msg("operation %u: commit %d of %d is there", operation, mark, done);
	assert_int_equal(after->seqid, 3 + mark);

	/* Repaired, the next commit may go on. */
	assert_int_equal(luks_header_repair(after, &d->io), 0);
	assert_int_equal(luks_header_commit(after, &d->io, NULL), 0);
	luks_header_free(after);
	luks_header_free(h);
	sim_free(d);
}

static void crash_anywhere_leaves_the_last_commit(void **state)
{
	const unsigned seed = (unsigned)time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	/* Three commits, with the flushes of their secondaries: 3 * 2 writes and 5 flushes. */
	for (unsigned operation = 0; operation <= 11; operation++) {
		for (size_t sectors = 0; sectors <= TEST_HEADER_SIZE / SECTOR_SIZE; sectors++) {
			crash_once(operation, (struct survivors){PREFIX, sectors, 0});
			crash_once(operation, (struct survivors){SUFFIX, sectors, 0});
		}
		for (int i = 0; i < 50; i++) {
			const uint64_t pattern = (uint64_t)random() << 32 ^ (uint64_t)random();

			crash_once(operation, (struct survivors){PATTERN, 0, pattern});
		}
	}
}

static void failed_primary_can_be_tried_again(void **state)
{
	struct sim_disk *d = sim_new(DISK_SIZE);
	struct luks_header *h = sim_header(d), *again;

	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		d->fail_write = kind == 0 ? 0 : -1;
		d->fail_flush = kind == 0 ? -1 : 0;
		d->writes = d->flushes = 0;
		assert_int_equal(luks_header_commit(h, &d->io, NULL), -EIO);
		assert_true(h->bad[LUKS_PRIMARY]);
		assert_int_equal(h->seqid, 3);
		/* The good copy was not touched. */
		assert_int_equal(be64toh(sim_copy(d, LUKS_SECONDARY)->seqid), 3);
	}
	d->fail_write = d->fail_flush = -1;
	assert_int_equal(luks_header_commit(h, &d->io, NULL), 0);
	again = sim_reread(d);
	assert_int_equal(again->seqid, 4);
	assert_false(luks_header_needs_repair(again));
	luks_header_free(again);
	luks_header_free(h);
	sim_free(d);
}

static void failed_secondary_ends_all_commits(void **state)
{
	struct sim_disk *d = sim_new(DISK_SIZE);
	struct luks_header *h = sim_header(d), *again;

	(void)state;
	d->fail_write = 1;
	assert_int_equal(luks_header_commit(h, &d->io, NULL), -EIO);
	assert_true(h->bad[LUKS_SECONDARY]);
	assert_int_equal(h->seqid, 4);
	d->fail_write = -1;
	assert_int_equal(luks_header_commit(h, &d->io, NULL), -EUCLEAN);
	again = sim_reread(d);
	assert_int_equal(again->seqid, 4);
	luks_header_free(again);

	/* A flush that fails may have lost the secondary, whatever the next one says. */
	h->bad[LUKS_SECONDARY] = false;
	assert_int_equal(luks_header_commit(h, &d->io, NULL), 0);
	d->fail_flush = 0;
	assert_int_equal(luks_header_flush(h, &d->io), -EIO);
	d->fail_flush = -1;
	assert_int_equal(luks_header_commit(h, &d->io, NULL), -EUCLEAN);
	luks_header_free(h);
	sim_free(d);
}

static void the_secondary_may_come_later(void **state)
{
	struct sim_disk *d = sim_new(DISK_SIZE);
	struct luks_header *h = sim_header(d), *again;

	(void)state;
	assert_int_equal(luks_header_commit_primary(h, &d->io, NULL), 0);
	assert_int_equal(be64toh(sim_copy(d, LUKS_PRIMARY)->seqid), 4);
	assert_int_equal(be64toh(sim_copy(d, LUKS_SECONDARY)->seqid), 3);
	assert_true(h->bad[LUKS_SECONDARY]);
	assert_int_equal(luks_header_copy(h, &d->io), 0);
	again = sim_reread(d);
	assert_int_equal(again->seqid, 4);
	assert_false(luks_header_needs_repair(again));
	luks_header_free(again);

	/* Where none is due, none is written. */
	d->fail_write = 0;
	d->writes = 0;
	assert_int_equal(luks_header_copy(h, &d->io), 0);
	d->fail_write = -1;
	assert_int_equal(luks_header_commit_primary(h, &d->io, NULL), 0);
	d->fail_write = 0;
	d->writes = 0;
	assert_int_equal(luks_header_copy(h, &d->io), -EIO);
	d->fail_write = -1;
	assert_int_equal(luks_header_commit(h, &d->io, NULL), -EUCLEAN);
	luks_header_free(h);
	sim_free(d);
}

static void too_much_json_changes_nothing(void **state)
{
	struct sim_disk *d = sim_new(DISK_SIZE);
	struct luks_header *h = sim_header(d);
	const size_t area = TEST_HEADER_SIZE - 4096;
	json_object *config = field_get(h->json, "config", json_type_object);
	char *filler = calloc(1, area + 1);
	size_t used;

	(void)state;
	assert_non_null(filler);
	assert_int_equal(field_set(config, "filler", json_object_new_string("")), 0);
	used = strlen(json_object_to_json_string_ext(
		h->json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	/* As long as the area: there is no place for the NUL. */
	memset(filler, 'x', area - used);
	assert_int_equal(field_set(config, "filler", json_object_new_string(filler)), 0);
	assert_int_equal(luks_header_commit(h, &d->io, NULL), -ENOSPC);
	assert_int_equal(d->writes, 0);
	filler[area - used - 1] = 0;
	assert_int_equal(field_set(config, "filler", json_object_new_string(filler)), 0);
	assert_int_equal(luks_header_commit(h, &d->io, NULL), 0);
	luks_header_free(sim_reread(d));
	free(filler);
	luks_header_free(h);
	sim_free(d);
}

static void slashes_are_not_escaped(void **state)
{
	struct sim_disk *d = sim_new(DISK_SIZE);
	struct luks_header *h = sim_header(d);

	(void)state;
	/* The recorded salts have slashes, and cryptsetup 2.6 counts bytes as it writes them. */
	assert_null(memmem(d->seen + 4096, TEST_HEADER_SIZE - 4096, "\\/", 2));
	assert_non_null(memmem(d->seen + 4096, TEST_HEADER_SIZE - 4096, "I93Wacg/amUV1", 13));
	luks_header_free(h);
	sim_free(d);
}

static void invalid_json_is_not_committed(void **state)
{
	struct sim_disk *d = sim_new(DISK_SIZE);
	struct luks_header *h = sim_header(d);

	(void)state;
	field_delete_id(field_get(h->json, "keyslots", json_type_object), 2);
	assert_int_equal(luks_header_commit(h, &d->io, NULL), -EINVAL);
	assert_int_equal(d->writes, 0);
	luks_header_free(h);
	sim_free(d);
}

static void sequence_number_does_not_wrap(void **state)
{
	struct sim_disk *d = sim_new(DISK_SIZE);
	struct luks_header *h = sim_header(d);

	(void)state;
	h->seqid = UINT64_MAX;
	assert_int_equal(luks_header_commit(h, &d->io, NULL), -EOVERFLOW);
	assert_int_equal(d->writes, 0);
	luks_header_free(h);
	sim_free(d);
}

static void foreign_commit_is_noticed(void **state)
{
	(void)state;
	for (int copy = LUKS_PRIMARY; copy <= LUKS_SECONDARY; copy++) {
		struct sim_disk *d = sim_new(DISK_SIZE);
		struct luks_header *h = sim_header(d);
		struct luks_header_disk *binary = sim_copy(d, (enum luks_copy)copy);

		assert_int_equal(luks_header_check_unmoved(h, &d->io), 0);
		binary->seqid = htobe64(be64toh(binary->seqid) + 1);
		assert_int_equal(luks_header_check_unmoved(h, &d->io), -ERROR_HEADER_CHANGED);
		binary->seqid = htobe64(be64toh(binary->seqid) - 1);
		binary->uuid[3] = binary->uuid[3] == '1' ? '2' : '1';
		assert_int_equal(luks_header_check_unmoved(h, &d->io), -ERROR_HEADER_CHANGED);
		luks_header_free(h);
		sim_free(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(committed_header_is_read_back),
		cmocka_unit_test(commit_is_two_writes_and_one_flush),
		cmocka_unit_test(crash_anywhere_leaves_the_last_commit),
		cmocka_unit_test(failed_primary_can_be_tried_again),
		cmocka_unit_test(failed_secondary_ends_all_commits),
		cmocka_unit_test(the_secondary_may_come_later),
		cmocka_unit_test(too_much_json_changes_nothing),
		cmocka_unit_test(slashes_are_not_escaped),
		cmocka_unit_test(invalid_json_is_not_committed),
		cmocka_unit_test(sequence_number_does_not_wrap),
		cmocka_unit_test(foreign_commit_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
