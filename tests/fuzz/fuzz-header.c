/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A LUKS2 header of somebody else: both copies are read and judged, and what is accepted is edited,
 * committed and read again.
 *
 * Input: JSON, put behind two right binary headers; or, where the first byte is not '{', that many
 * patches (copy and offset, value) of the binary headers and a byte of flags before it. Checksums
 * are made right unless the flags say otherwise.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "luks/fields.h"
#include "luks/header-disk.h"
#include "luks/header.h"
#include "luks/record.h"
#include "luks/reencrypt.h"
#include "luks/status.h"
#include "util/checked.h"

#define COPY_SIZE  UINT64_C(0x4000)
#define DISK_SIZE  (UINT64_C(32) << 20)
#define KEPT_SIZE  (2 * COPY_SIZE) /* the rest of the disk is zeros */
#define MAX_SEALED (UINT64_C(64) << 10)
#define UUID       "8d3c9b4e-0000-4000-8000-0123456789ab"

enum flags {
	PRIMARY_UNSEALED = 1,
	SECONDARY_UNSEALED = 2,
	SECONDARY_EMPTY = 4,
	SECONDARY_NEWER = 8
};

static uint8_t disk[KEPT_SIZE];

static int disk_read(struct meta_io *io, uint64_t offset, void *buf, size_t size)
{
	const uint64_t kept = offset < KEPT_SIZE ? MIN(KEPT_SIZE - offset, (uint64_t)size) : 0;

	if (!range_inside(offset, size, io->size))
		return -ENODATA;
	memcpy(buf, disk + (kept > 0 ? offset : 0), kept);
	memset((uint8_t *)buf + kept, 0, size - kept);
	return 0;
}

static int disk_write(struct meta_io *io, uint64_t offset, const void *buf, size_t size)
{
	REQUIRE(range_inside(offset, size, io->size));
	if (range_inside(offset, size, KEPT_SIZE))
		memcpy(disk + offset, buf, size);
	return 0;
}

static int disk_flush(struct meta_io *io)
{
	(void)io;
	return 0;
}

static void disk_free(struct meta_io *io)
{
	(void)io;
}

static struct luks_header_disk *copy_at(enum luks_copy copy)
{
	return (struct luks_header_disk *)(disk + (copy == LUKS_PRIMARY ? 0 : COPY_SIZE));
}

static void put_copy(enum luks_copy copy, unsigned flags, const struct fuzz_input *json)
{
	struct luks_header_disk *h = copy_at(copy);
	const bool newer = copy == LUKS_SECONDARY && flags & SECONDARY_NEWER;

	memcpy(h->magic, luks_magic[copy], sizeof(h->magic));
	h->version = htobe16(2);
	h->size = htobe64(COPY_SIZE);
	h->seqid = htobe64(newer ? 4 : 3);
	(void)strcpy(h->checksum_alg, "sha256");
	memset(h->salt, copy == LUKS_PRIMARY ? 0x11 : 0x22, sizeof(h->salt));
	(void)strcpy(h->uuid, UUID);
	h->offset = htobe64(copy == LUKS_PRIMARY ? 0 : COPY_SIZE);
	if (copy == LUKS_SECONDARY && flags & SECONDARY_EMPTY)
		return;
	memcpy(h + 1, json->data, MIN(json->size, COPY_SIZE - sizeof(*h)));
}

static void patch(struct fuzz_input *in)
{
	const uint64_t where = fuzz_take(in, 2), value = fuzz_take(in, 1);
	struct luks_header_disk *h = copy_at(where & 1 ? LUKS_SECONDARY : LUKS_PRIMARY);

	((uint8_t *)h)[(where >> 1) % 512] ^= (uint8_t)value;
}

static void seal(enum luks_copy copy)
{
	struct luks_header_disk *h = copy_at(copy);
	const uint64_t size = be64toh(h->size);
	static uint8_t all[MAX_SEALED];
	char algorithm[sizeof(h->checksum_alg) + 1] = "";

	if (size < sizeof(*h) || size > MAX_SEALED)
		return;
	memset(all, 0, size);
	memcpy(all, h, MIN(size, KEPT_SIZE - (uint64_t)((uint8_t *)h - disk)));
	memcpy(algorithm, h->checksum_alg, sizeof(h->checksum_alg));
	(void)luks_header_checksum(algorithm, all, size, h->checksum);
}

static void make_disk(struct fuzz_input in)
{
	unsigned patches = 0, flags = 0;

	memset(disk, 0, sizeof(disk));
	if (in.size > 0 && *in.data != '{') {
		struct fuzz_input json;

		patches = (unsigned)fuzz_take(&in, 1) % 16;
		flags = (unsigned)fuzz_take(&in, 1);
		json = in;
		for (unsigned i = 0; i < patches; i++)
			(void)fuzz_take(&json, 3);
		put_copy(LUKS_PRIMARY, flags, &json);
		put_copy(LUKS_SECONDARY, flags, &json);
		for (unsigned i = 0; i < patches; i++)
			patch(&in);
	} else {
		put_copy(LUKS_PRIMARY, 0, &in);
		put_copy(LUKS_SECONDARY, 0, &in);
	}
	if (!(flags & PRIMARY_UNSEALED))
		seal(LUKS_PRIMARY);
	if (!(flags & SECONDARY_UNSEALED))
		seal(LUKS_SECONDARY);
}

static char *text_of(const struct luks_header *h)
{
	char *text = strdup(json_object_to_json_string_ext(h->json, JSON_C_TO_STRING_PLAIN));

	REQUIRE(text);
	return text;
}

/* What is committed is what the next reader finds. */
static void commit(struct luks_header *h, struct meta_io *io, const struct luks_reenc *wanted,
		   uint64_t device_size, uint64_t fixed_size)
{
	struct luks_header *again = NULL;
	struct luks_reenc r;
	struct luks_reason why = {""};

	if (luks_header_needs_repair(h) && luks_header_repair(h, io) < 0)
		return;
	if (luks_header_commit(h, io, &why) < 0)
		return;
	REQUIRE(luks_header_flush(h, io) == 0);
	REQUIRE(h->size != COPY_SIZE || luks_header_read(io, &again, &why) == 0);
	if (!again)
		return;
	REQUIRE(again->seqid == h->seqid);
	REQUIRE(!luks_header_needs_repair(again));
	REQUIRE(luks_reenc_load(again, device_size, fixed_size, 512, &r, &why) == 0);
	REQUIRE(r.state == wanted->state);
	REQUIRE(r.boundary == wanted->boundary && r.hot_size == wanted->hot_size);
	luks_header_free(again);
}

static void move(struct luks_header *h, struct luks_reenc *r, uint64_t boundary, uint64_t hot_size)
{
	char *before = text_of(h);

	if (luks_reenc_set_position(h, r, boundary, hot_size) < 0) {
		char *after = text_of(h);

		REQUIRE(strcmp(before, after) == 0);
		free(after);
	} else {
		REQUIRE(r->boundary == boundary && r->hot_size == hot_size);
	}
	free(before);
}

/* Nobody who has no key can write a token that counts. */
static void set_record(struct luks_header *h)
{
	static const uint8_t zeros[64];
	struct record_keys keys = {};
	struct secret *key = NULL;
	char text[RECORD_SIZE_MAX];

	if (luks_record_get(h, text) < 0)
		return;
	REQUIRE(secret_copy(zeros, sizeof(zeros), &key) == 0);
	if (record_key_make(h, 0, key, &keys.key[0]) == 0) {
		keys.n = 1;
		REQUIRE(luks_record_check(h, &keys) != RECORD_VERIFIED);
	}
	if (luks_record_set(h, "{\"rate\":1048576}", &keys, NULL) == 0 && keys.n > 0)
		REQUIRE(luks_record_check(h, &keys) == RECORD_VERIFIED);
	REQUIRE(luks_record_get(h, text) == 0);
	(void)luks_record_set(h, "", &keys, NULL);
	record_keys_forget(&keys);
	secret_free(key);
}

/* With keys that are not the volume's. What a digest costs is capped elsewhere. */
static void verify(const struct luks_header *h, const struct luks_reenc *r)
{
	static const uint8_t zeros[64];
	struct secret *key = NULL;
	uint32_t iterations = 0;
	json_object *digest =
		field_by_id(field_get(h->json, "digests", json_type_object), (unsigned)r->digest);

	if (!digest || field_u32(digest, "iterations", &iterations) < 0 || iterations > 1000)
		return;
	REQUIRE(secret_copy(zeros, sizeof(zeros), &key) == 0);
	REQUIRE(luks_reenc_digest_verify(h, r, &(struct luks_reenc_keys){key, key}) < 0);
	key = secret_free(key);
}

/* An edit that fails leaves the header as it was. Frees @before. */
static void check_edit(const struct luks_header *h, char *before, int error)
{
	char *after = text_of(h);

	REQUIRE(error == 0 || strcmp(before, after) == 0);
	free(after);
	free(before);
}

static void limit(const struct luks_reenc *r, uint64_t size)
{
	struct luks_reenc limited = *r;

	if (luks_reenc_limit(&limited, size) < 0) {
		REQUIRE(limited.data_size == r->data_size);
		return;
	}
	REQUIRE(limited.data_size == size && size < r->data_size);
	REQUIRE(range_inside(limited.boundary, 0, size));
	REQUIRE(limited.boundary == r->boundary && limited.hot_size == r->hot_size);
}

static void check_room(const struct luks_header *h, const struct luks_reenc *r)
{
	char *before = text_of(h), *after;
	uint64_t used = 0, size = 0;

	if (luks_reenc_check_room(h, r, &used, &size) == 0)
		REQUIRE(used > 0 && used <= size && size < h->size);
	after = text_of(h);
	REQUIRE(strcmp(before, after) == 0);
	free(after);
	free(before);
}

/* The keys are not the volume's, but a new verification digest can be made with any. */
static void protect(struct luks_header *h, struct luks_reenc *r, uint64_t choice)
{
	static const uint8_t zeros[64];
	struct secret *key = NULL;
	const struct luks_protection p = {
		.resilience = choice & 1 ? LUKS_RESILIENCE_JOURNAL : LUKS_RESILIENCE_CHECKSUM,
		.hash = choice & 2 ? "sha256" : "sha512",
		.wanted_block = 512,
		.hotzone_size = (choice >> 2) % 64 << 20,
	};
	char *before = text_of(h);
	int error;

	REQUIRE(secret_copy(zeros, sizeof(zeros), &key) == 0);
	error = luks_reenc_cover(h, r, &(struct luks_reenc_keys){key, key});
	REQUIRE(error < 0 || (luks_reenc_uncovered(r) == 0 && r->block_size >= 512));
	check_edit(h, before, error);

	before = text_of(h);
	error = luks_reenc_set_protection(h, r, &(struct luks_reenc_keys){key, key}, &p);
	REQUIRE(error < 0 || (r->resilience == p.resilience && r->capacity >= r->block_size));
	check_edit(h, before, error);
	key = secret_free(key);
}

static void edit(struct luks_header *h, struct meta_io *io, uint64_t device_size,
		 uint64_t fixed_size, uint64_t choice)
{
	struct luks_reenc r;
	struct luks_areas areas;
	struct luks_reason why = {""};
	const struct luks_reenc_keys none = {NULL, NULL};
	uint64_t blocks;

	if (luks_reenc_load(h, device_size, fixed_size, 512, &r, &why) < 0)
		return;
	REQUIRE(r.data_size > 0 && range_inside(r.data_offset, r.data_size, device_size));
	if (r.state == LUKS_REENC_NONE)
		return;
	verify(h, &r);
	limit(&r, choice % (r.data_size / 512 + 2) * 512);
	check_room(h, &r);
	if (r.state == LUKS_REENC_CLEAN && choice & 4) {
		protect(h, &r, choice >> 3);
		commit(h, io, &r, device_size, fixed_size);
	}
	if (r.state == LUKS_REENC_CLEAN || r.state == LUKS_REENC_HOT) {
		blocks = r.data_size / MAX(r.block_size, UINT32_C(512));
		move(h, &r, choice % (blocks + 1) * r.block_size, 0);
		commit(h, io, &r, device_size, fixed_size);
		move(h, &r, r.boundary,
		     MIN(r.capacity,
			 r.direction == LUKS_FORWARD ? r.data_size - r.boundary : r.boundary));
		commit(h, io, &r, device_size, fixed_size);
		move(h, &r, choice >> 7, choice >> 11);
	}
	(void)luks_reenc_reverse(h, &r, &none, 0);
	if (luks_reenc_finish(h, &r, &areas) < 0)
		return;
	REQUIRE(r.state == LUKS_REENC_NONE);
	for (unsigned i = 0; i < areas.count; i++)
		REQUIRE(areas.area[i].offset >= 2 * h->size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct meta_io_ops ops = {disk_read, disk_write, disk_flush, disk_free};
	static const uint64_t sizes[] = {DISK_SIZE, UINT64_C(1) << 40, UINT64_C(48) << 20};
	struct meta_io io = {.ops = &ops, .size = DISK_SIZE, .name = "fuzz"};
	uint64_t choice = size;

	for (size_t i = 0; i < size; i++)
		choice = choice * 31 + data[i];
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct luks_header *h;
		struct luks_status status;
		struct luks_reason why = {""};

		make_disk((struct fuzz_input){data, size});
		if (luks_header_read(&io, &h, &why) < 0)
			return 0;
		(void)luks_status_get(h, sizes[i], 0, 512, &status, &why);
		(void)luks_status_get(h, sizes[i], (choice % 4096) * 4096, 4096, &status, &why);
		set_record(h);
		edit(h, &io, sizes[i], choice & 1 ? 0 : (choice % 8192) * 512, choice);
		luks_header_free(h);
	}
	return 0;
}
