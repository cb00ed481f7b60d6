/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Which of the two header copies is read, how a bad one is repaired from the other, and that
 * nothing of a spoiled one is believed.
 */
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "luks/fields.h"
#include "luks/header-disk.h"
#include "luks/header.h"
#include "luks/test-support.h"

#define DISK_SIZE (UINT64_C(1) << 20)

static void bad_copy_is_repaired_from_the_other(void **state)
{
	(void)state;
	for (int bad = LUKS_PRIMARY; bad <= LUKS_SECONDARY; bad++) {
		struct sim_disk *d = sim_new(DISK_SIZE);
		struct luks_header *h = sim_header(d), *again;
		uint8_t old_salt[64];

		memcpy(old_salt, h->salt[bad], sizeof(old_salt));
		((uint8_t *)sim_copy(d, (enum luks_copy)bad))[5000] ^= 1;
		again = sim_reread(d);
		assert_true(again->bad[bad]);
		assert_false(again->bad[!bad]);
		assert_int_equal(luks_header_repair(again, &d->io), 0);
		assert_int_equal(d->pending_count, 0);
		assert_memory_not_equal(sim_copy(d, (enum luks_copy)bad)->salt, old_salt, 64);
		luks_header_free(again);

		again = sim_reread(d);
		assert_false(luks_header_needs_repair(again));
		assert_int_equal(again->seqid, 3);
		assert_int_equal(sim_copy(d, LUKS_PRIMARY)->seqid,
				 sim_copy(d, LUKS_SECONDARY)->seqid);
		assert_true(json_object_equal(again->json, h->json));
		luks_header_free(again);
		luks_header_free(h);
		sim_free(d);
	}
}

static int (*read_sim)(struct meta_io *io, uint64_t offset, void *buf, size_t size);
static uint64_t failing_offset;
static int failure;

static int failing_read(struct meta_io *io, uint64_t offset, void *buf, size_t size)
{
	const bool hit = offset <= failing_offset && failing_offset < offset + size;

	return hit ? failure : read_sim(io, offset, buf, size);
}

/* It says nothing of the copy, which would be written anew, or missed at the next commit. */
static void lack_of_memory_is_no_bad_copy(void **state)
{
	struct sim_disk *d = sim_new(DISK_SIZE);
	struct luks_header *h = sim_header(d), *again = NULL;
	struct meta_io_ops ops = *d->io.ops;

	(void)state;
	read_sim = ops.read;
	ops.read = failing_read;
	d->io.ops = &ops;
	for (int bad = LUKS_PRIMARY; bad <= LUKS_SECONDARY; bad++) {
		failing_offset = bad == LUKS_PRIMARY ? 0 : h->size;
		failure = -ENOMEM;
		assert_int_equal(luks_header_read(&d->io, &again, NULL), -ENOMEM);
		failure = -EIO;
		assert_int_equal(luks_header_read(&d->io, &again, NULL), 0);
		assert_true(again->bad[bad]);
		luks_header_free(again);
	}
	luks_header_free(h);
	sim_free(d);
}

static void older_copy_loses(void **state)
{
	(void)state;
	for (int older = LUKS_PRIMARY; older <= LUKS_SECONDARY; older++) {
		struct sim_disk *d = sim_new(DISK_SIZE);
		struct luks_header *h = sim_header(d), *again;
		uint8_t *old_copy = malloc(TEST_HEADER_SIZE);

		assert_non_null(old_copy);
		memcpy(old_copy, sim_copy(d, (enum luks_copy)older), TEST_HEADER_SIZE);
		set_mark(h, 1);
		assert_int_equal(luks_header_commit(h, &d->io, NULL), 0);
		memcpy(sim_copy(d, (enum luks_copy)older), old_copy, TEST_HEADER_SIZE);
		again = sim_reread(d);
		assert_int_equal(get_mark(again), 1);
		assert_true(again->bad[older]);
		/* It is the only good copy of this state: no commit before it is repaired. */
		if (older == LUKS_SECONDARY)
			assert_int_equal(luks_header_commit(again, &d->io, NULL), -EUCLEAN);
		free(old_copy);
		luks_header_free(again);
		luks_header_free(h);
		sim_free(d);
	}
}

static void secondary_is_found_for_every_size(void **state)
{
	(void)state;
	for (uint64_t size = LUKS_HEADER_MIN_SIZE; size <= LUKS_HEADER_MAX_SIZE; size *= 2) {
		struct sim_disk *d = sim_new(4 * size);
		json_object *json = state_json("4_decrypt_detached_before"), *config;
		json_object *slot = field_by_id(field_get(json, "keyslots", json_type_object), 0);
		struct luks_header *h, *again;

		config = field_get(json, "config", json_type_object);
		assert_int_equal(field_set(config, "json_size", json_u64(size - 4096)), 0);
		assert_int_equal(field_set(field_get(slot, "area", json_type_object), "offset",
					   json_u64(2 * size)),
				 0);
		h = header_with(json, size);
		sim_put_header(d, h);
		memset(d->seen, 0, 512);
		again = sim_reread(d);
		assert_true(again->size == size);
		assert_true(again->bad[LUKS_PRIMARY]);
		assert_int_equal(luks_header_repair(again, &d->io), 0);
		luks_header_free(again);
		luks_header_free(h);
		sim_free(d);
	}
}

static void foreign_primary_is_left_alone(void **state)
{
	struct sim_disk *d = sim_new(DISK_SIZE);
	struct luks_header *h = sim_header(d), *again;

	(void)state;
	memset(d->seen, 'x', 4096);
	again = sim_reread(d);
	assert_int_equal(luks_header_repair(again, &d->io), -EEXIST);
	assert_int_equal(luks_header_commit(again, &d->io, NULL), -EUCLEAN);
	assert_int_equal(d->writes, 0);
	luks_header_free(again);
	luks_header_free(h);
	sim_free(d);
}

/* After an edit of the binary header or JSON: only the checksum is right again. */
static void fix_checksum(struct luks_header_disk *copy)
{
	memset(copy->checksum, 0, sizeof(copy->checksum));
	assert_int_equal(luks_header_checksum("sha256", copy, TEST_HEADER_SIZE, copy->checksum), 0);
}

/* Both copies are spoiled in the same way, and nothing of it is believed. */
enum spoil {
	SPOIL_CHECKSUM,
	SPOIL_VERSION_1,
	SPOIL_VERSION_3,
	SPOIL_MAGIC,
	SPOIL_OFFSET,
	SPOIL_SIZE_SMALL,
	SPOIL_SIZE_ODD,
	SPOIL_SIZE_HUGE,
	SPOIL_CHECKSUM_ALG,
	SPOIL_UUID,
	SPOIL_UUID_DASHES,
	SPOIL_UUID_NO_DASHES,
	SPOIL_UUID_SHORT,
	SPOIL_UUID_LONG,
	SPOIL_JSON_TEXT,
	SPOIL_JSON_FIRST,
	SPOIL_JSON_TAIL,
	SPOIL_JSON_NO_NUL,
	SPOIL_JSON_DEPTH,
	SPOIL_JSON_ARRAY,
	SPOIL_COUNT
};

static void spoil(struct luks_header_disk *c, enum spoil how)
{
	char *json = (char *)c + 4096;
	const size_t area = TEST_HEADER_SIZE - 4096;

	switch (how) {
	case SPOIL_CHECKSUM:
		json[10]++;
		return;
	case SPOIL_VERSION_1:
		c->version = htobe16(1);
		return;
	case SPOIL_VERSION_3:
		c->version = htobe16(3);
		break;
	case SPOIL_MAGIC:
		c->magic[0] = 'X';
		break;
	case SPOIL_OFFSET:
		c->offset = htobe64(4096);
		break;
	case SPOIL_SIZE_SMALL:
		c->size = htobe64(8192);
		break;
	case SPOIL_SIZE_ODD:
		c->size = htobe64(TEST_HEADER_SIZE + 4096);
		break;
	case SPOIL_SIZE_HUGE:
		c->size = htobe64(UINT64_C(1) << 63);
		break;
	case SPOIL_CHECKSUM_ALG:
		memset(c->checksum_alg, 'a', sizeof(c->checksum_alg));
		break;
	case SPOIL_UUID:
		(void)strcpy(c->uuid, "../../etc");
		break;
	case SPOIL_UUID_DASHES:
		(void)strcpy(c->uuid, "8d3c9b4e000040008000-0123456789ab");
		break;
	case SPOIL_UUID_NO_DASHES:
		(void)strcpy(c->uuid, "8d3c9b4e0000400080000123456789ab");
		break;
	case SPOIL_UUID_SHORT:
		(void)strcpy(c->uuid, "8d3c9b4e-0000-4000-8000-0123456789a");
		break;
	case SPOIL_UUID_LONG:
		(void)strcpy(c->uuid, "8d3c9b4e-0000-4000-8000-0123456789abc");
		break;
	case SPOIL_JSON_TEXT:
		json[1] = '}';
		break;
	case SPOIL_JSON_FIRST:
		memmove(json + 1, json, area - 1);
		json[0] = ' ';
		break;
	case SPOIL_JSON_TAIL:
		json[area - 1] = 'x';
		break;
	case SPOIL_JSON_NO_NUL:
		memset(json + strlen(json), ' ', area - strlen(json));
		break;
	case SPOIL_JSON_DEPTH:
		memset(json, '[', area);
		break;
	case SPOIL_JSON_ARRAY:
		memset(json, 0, area);
		(void)strcpy(json, "[]");
		break;
	case SPOIL_COUNT:
		break;
	}
	fix_checksum(c);
}

static void spoiled_headers_are_refused(void **state)
{
	(void)state;
	for (enum spoil how = 0; how < SPOIL_COUNT; how++) {
		struct sim_disk *d = sim_new(DISK_SIZE);
		struct luks_header *h = sim_header(d), *found = NULL;
		struct luks_reason why = {""};
		const int want = how == SPOIL_VERSION_1 ? -EPROTONOSUPPORT
				 : how == SPOIL_MAGIC   ? -ENOENT
							: -EBADMSG;

		spoil(sim_copy(d, LUKS_PRIMARY), how);
		spoil(sim_copy(d, LUKS_SECONDARY), how);
		assert_int_equal(luks_header_read(&d->io, &found, &why), want);
		assert_null(found);
		print_message("%s\n", why.text);
		assert_true(why.text[0]);
		luks_header_free(h);

		/* One copy alone does not matter, except that LUKS1 has only one. */
		sim_free(d);
		d = sim_new(DISK_SIZE);
		h = sim_header(d);
		spoil(sim_copy(d, LUKS_SECONDARY), how);
		luks_header_free(h);
		h = sim_reread(d);
		assert_true(h->bad[LUKS_SECONDARY]);
		luks_header_free(h);
		sim_free(d);
	}
}

static void header_beyond_the_device_is_refused(void **state)
{
	struct sim_disk *d = sim_new(DISK_SIZE);
	struct luks_header *h = sim_header(d), *found;

	(void)state;
	d->io.size = 2 * TEST_HEADER_SIZE - 4096;
	assert_int_equal(luks_header_read(&d->io, &found, NULL), -EFBIG);
	d->io.size = 1000;
	assert_int_equal(luks_header_read(&d->io, &found, NULL), -ENOENT);
	d->io.size = DISK_SIZE;
	memset(d->seen, 0, DISK_SIZE);
	assert_int_equal(luks_header_read(&d->io, &found, NULL), -ENOENT);
	luks_header_free(h);
	sim_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_copy_is_repaired_from_the_other),
		cmocka_unit_test(lack_of_memory_is_no_bad_copy),
		cmocka_unit_test(older_copy_loses),
		cmocka_unit_test(secondary_is_found_for_every_size),
		cmocka_unit_test(foreign_primary_is_left_alone),
		cmocka_unit_test(spoiled_headers_are_refused),
		cmocka_unit_test(header_beyond_the_device_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
