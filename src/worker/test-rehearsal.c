/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What libcryptsetup begins in memory, but in a way with which we could not go on, is refused by
 * the rehearsal, and the disk stays as it is. The header is one that the real libcryptsetup makes,
 * edited as a fault in it (or in us) would leave it: without a fault most of this cannot be had.
 */
#include "worker/rehearsal.h"

#include <errno.h>
#include <json-c/json_pointer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "luks/begin-internal.h"
#include "luks/fields.h"
#include "luks/header-disk.h"
#include "luks/test-begin-util.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/log.h"

/* A re-encryption that is begun in memory. */
struct begun {
	struct work_options options;
	struct script script;
	struct steps steps;
	struct luks_begin *b;
	struct luks_header *header;
	struct meta_io *io;
};

typedef void (*choose_fn)(struct work_options *o);

static void choose_keep_key(struct work_options *o)
{
	o->rotation.keep_key = true;
	(void)strcpy(o->rotation.cipher, "aes-xts-plain");
}

static void choose_device_size(struct work_options *o)
{
	o->target.device_size = UINT64_C(4) << 20;
}

static void choose_journal(struct work_options *o)
{
	(void)strcpy(o->rotation.resilience, "journal");
}

/* @choose may be NULL. */
static void begun_make(struct begun *g, choose_fn choose)
{
	*g = (struct begun){.script.next = "a", .options = WORK_OPTIONS_NONE};
	g->options.target.device = image;
	g->options.rotation.force_offline = g->options.rotation.may_weaken = true;
	if (choose)
		choose(&g->options);
	assert_int_equal(steps_open(&g->options, &g->steps), 0);
	g->steps.passphrases = params_for(&g->script).passphrases;
	assert_int_equal(steps_plan(&g->steps, &g->b), 0);
	assert_int_equal(luks_begin_make(g->b, &g->header, &g->io), 0);
}

static void begun_clear(struct begun *g)
{
	luks_begin_free(g->b);
	steps_close(&g->steps);
}

static struct luks_reenc_keys keys_of(const struct begun *g)
{
	return (struct luks_reenc_keys){luks_begin_get_old_key(g->b), luks_begin_get_new_key(g->b)};
}

static json_object *at(const struct begun *g, const char *pointer)
{
	json_object *o;

	if (json_pointer_get(g->header->json, pointer, &o) < 0)
		fail_msg("there is no %s", pointer);
	return o;
}

static void set(const struct begun *g, const char *pointer, json_object *value)
{
	assert_int_equal(json_pointer_set(&g->header->json, pointer, value), 0);
}

static void set_text(const struct begun *g, const char *pointer, const char *text)
{
	set(g, pointer, json_object_new_string(text));
}

static void load(const struct begun *g, struct luks_reenc *ret)
{
	const struct geometry *geometry = &g->steps.volume.data.geometry;
	struct luks_reason why = {};

	if (luks_reenc_load(g->header, geometry->size, g->options.target.device_size,
			    geometry->block_size, ret, &why) < 0)
		fail_msg("%s", why.text);
}

/* As if libcryptsetup had meant what stands there now. */
static void verify_anew(const struct begun *g)
{
	const struct luks_reenc_keys keys = keys_of(g);
	struct luks_reenc r;

	load(g, &r);
	assert_int_equal(luks_reenc_digest_make(g->header, &r, &keys), 0);
}

static void drop_requirement(const struct begun *g)
{
	json_object_object_del(at(g, "/config"), "requirements");
}

static void drop_verification(const struct begun *g)
{
	set(g, "/digests/2/keyslots", json_object_new_array());
}

static void contradict_position(const struct begun *g)
{
	set_text(g, "/segments/0/encryption", "aes-cbc-essiv:sha256");
}

static void unknown_checksums(const struct begun *g)
{
	set_text(g, "/keyslots/2/area/hash", "nope");
}

static void move_data(const struct begun *g)
{
	set_text(g, "/keyslots/2/area/type", "datashift");
	set_text(g, "/keyslots/2/area/shift_size", "4096");
}

static void share_digest(const struct begun *g)
{
	ids_remove(at(g, "/digests/1/segments"), 2);
	assert_int_equal(ids_add(at(g, "/digests/0/segments"), 2), 0);
}

#define OTHER_DIGEST "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static void other_key(const struct begun *g)
{
	set_text(g, "/digests/0/digest", OTHER_DIGEST);
}

static void unknown_hash_of_the_key(const struct begun *g)
{
	set_text(g, "/digests/0/hash", "nope");
}

static void other_new_key(const struct begun *g)
{
	set_text(g, "/digests/1/digest", OTHER_DIGEST);
}

static void other_verification(const struct begun *g)
{
	set_text(g, "/digests/2/digest", OTHER_DIGEST);
}

static void unknown_hash_of_the_verification(const struct begun *g)
{
	set_text(g, "/digests/2/hash", "nope");
}

static void make_hot(const struct begun *g)
{
	struct luks_reenc r;

	load(g, &r);
	assert_int_equal(luks_reenc_uncovered(&r), 512);
	assert_int_equal(luks_reenc_set_position(g->header, &r, 0, 4096), 0);
}

static void protect_nothing(const struct begun *g)
{
	set_text(g, "/keyslots/2/area/type", "none");
	json_object_object_del(at(g, "/keyslots/2/area"), "hash");
	json_object_object_del(at(g, "/keyslots/2/area"), "sector_size");
	verify_anew(g);
}

static void unknown_old_cipher(const struct begun *g)
{
	set_text(g, "/segments/0/encryption", "nope-xts-plain64");
	set_text(g, "/segments/1/encryption", "nope-xts-plain64");
	verify_anew(g);
}

static void unknown_new_cipher(const struct begun *g)
{
	set_text(g, "/segments/2/encryption", "nope-xts-plain64");
	verify_anew(g);
}

static void area_below_one_checksum(const struct begun *g)
{
	set_text(g, "/keyslots/2/area/size", "16");
	verify_anew(g);
}

static void fill_json(const struct begun *g)
{
	char pad[11500];

	memset(pad, 'x', sizeof(pad) - 1);
	pad[sizeof(pad) - 1] = '\0';
	set(g, "/tokens/9", json_object_new_object());
	set_text(g, "/tokens/9/pad", pad);
}

struct fault {
	void (*edit)(const struct begun *g);
	int error;
	const char *words;
	choose_fn choose;
	const char *prepare; /* the image */
	bool in_memory;      /* that is to be said */
};

#define FAULT(e, n, w, ...)                                                                        \
	{                                                                                          \
		.edit = (e), .error = (n), .words = (w), __VA_ARGS__                               \
	}

static const struct fault faults[] = {
	FAULT(drop_requirement, -ENOTSUP, "more than one segment", .in_memory = true),
	FAULT(drop_verification, -EINVAL, "the verification digest is missing", .in_memory = true),
	FAULT(contradict_position, -EINVAL, "contradict the position", .in_memory = true),
	FAULT(unknown_checksums, -ENOTSUP, "the checksums' hash \"nope\" is unknown here",
	      .in_memory = true),
	FAULT(move_data, -ENOTSUP, "this re-encryption moves the data", .in_memory = true),
	FAULT(share_digest, -ENOTSUP, "cannot tell the new volume key from the current one"),
	FAULT(other_key, -ERROR_OTHER_KEY, "what was opened is not the volume key",
	      .choose = choose_keep_key),
	FAULT(unknown_hash_of_the_key, -ERROR_UNKNOWN_HASH, "\"nope\"", .choose = choose_keep_key),
	FAULT(other_new_key, -ERROR_OTHER_KEY,
	      "the digest that libcryptsetup makes of the new volume key is not that of this key"),
	FAULT(other_verification, -ERROR_OTHER_KEY,
	      "the verification digest that libcryptsetup makes"),
	FAULT(unknown_hash_of_the_verification, -ERROR_UNKNOWN_HASH, "\"nope\""),
	FAULT(make_hot, -EINVAL, "cannot have checksums cover the last bytes",
	      .prepare = "truncate -s +512 image"),
	FAULT(protect_nothing, -EOPNOTSUPP, "--device-size cannot be put into",
	      .choose = choose_device_size),
	FAULT(protect_nothing, -ENOTSUP, "with --resilience none"),
	FAULT(unknown_old_cipher, -EOPNOTSUPP, "OpenSSL has no cipher nope-xts-plain64"),
	FAULT(unknown_new_cipher, -EOPNOTSUPP, "OpenSSL has no cipher nope-xts-plain64"),
	FAULT(area_below_one_checksum, -ENOSPC,
	      "no room for the resilience data of even one block"),
	FAULT(fill_json, -ENOSPC, "no room for the positions of a re-encryption"),
};

static int run(struct begun *g)
{
	return rehearse(&g->steps.volume, g->b, g->header, g->io);
}

static void try_fault(const struct fault *f)
{
	_cleanup_(begun_clear) struct begun g = {};
	uint8_t before[32], after[32];
	char said[1024] = "";
	int r;

	image_format("--sector-size 512");
	if (f->prepare)
		must_run("%s", f->prepare);
	image_hash(before);
	begun_make(&g, f->choose);
	f->edit(&g);
	log_capture(said, sizeof(said));
	r = run(&g);
	log_capture(NULL, 0);
	if (r != f->error || !strstr(said, f->words) || !strstr(said, image) ||
	    (f->in_memory && !strstr(said, "in memory; on the disk nothing was changed")))
		fail_msg("%d instead of %d for \"%s\", and it says: %s", r, f->error, f->words,
			 said);
	image_hash(after);
	assert_memory_equal(before, after, sizeof(before));
}

static void a_fault_in_what_is_begun_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		try_fault(&faults[i]);
}

/* Of each kind that the faults are tried with. */
static void what_has_no_fault_passes(void **state)
{
	static const struct fault kinds[] = {
		{},
		{.choose = choose_keep_key},
		{.choose = choose_device_size},
		{.choose = choose_journal},
		{.prepare = "truncate -s +512 image"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		_cleanup_(begun_clear) struct begun g = {};
		uint8_t before[32], after[32];

		image_format("--sector-size 512");
		if (kinds[i].prepare)
			must_run("%s", kinds[i].prepare);
		image_hash(before);
		begun_make(&g, kinds[i].choose);
		assert_int_equal(run(&g), 0);
		image_hash(after);
		assert_memory_equal(before, after, sizeof(before));
	}
}

/* Both copies get @to for @from, of the same length, and a right checksum. */
static void forge(const struct begun *g, const char *from, const char *to)
{
	const size_t size = g->header->size, length = strlen(from);
	_cleanup_free_ uint8_t *copy = aligned_alloc(4096, size);
	struct luks_header_disk *disk = (struct luks_header_disk *)copy;

	assert_non_null(copy);
	assert_int_equal(strlen(to), length);
	for (unsigned i = 0; i < 2; i++) {
		char *place;

		assert_int_equal(meta_io_read(g->io, i * size, copy, size), 0);
		place = memmem(copy, size, from, length);
		assert_non_null(place);
		memcpy(place, to, length);
		assert_int_equal(luks_header_checksum("sha256", copy, size, disk->checksum), 0);
		assert_int_equal(meta_io_write(g->io, i * size, copy, size), 0);
	}
}

static void a_header_against_the_rules_is_not_read(void **state)
{
	_cleanup_(begun_clear) struct begun g = {};
	uint8_t before[32], after[32];
	char said[1024] = "";

	(void)state;
	image_format("");
	image_hash(before);
	begun_make(&g, NULL);
	forge(&g, "\"online-reencrypt-v2\"", "\"another-requirement\"");
	log_capture(said, sizeof(said));
	assert_int_equal(luks_draft_read(g.b->draft, &g.header, &g.io), -EBADMSG);
	log_capture(NULL, 0);
	g.b->header = NULL; /* it is gone */
	assert_non_null(strstr(said, "a reencrypt keyslot is there, but not the requirement; "
				     "nothing was changed"));
	image_hash(after);
	assert_memory_equal(before, after, sizeof(before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fault_in_what_is_begun_is_found),
		cmocka_unit_test(what_has_no_fault_passes),
		cmocka_unit_test(a_header_against_the_rules_is_not_read),
	};

	if (!image_is_possible())
		return 77;
	log_init("test-rehearsal", getenv("DEBUG") ? LOG_DEBUG : LOG_NOTICE);
	return cmocka_run_group_tests(tests, image_setup, image_teardown);
}
