/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The rules of the LUKS2 JSON, in the order in which objects refer to each other: requirements,
 * references to keyslots and segments, segments, keyslots, configuration, areas.
 * LUKS2 On-Disk Format Specification 1.1.1, section 3.
 */
#include "luks/validate.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "luks/fields.h"
#include "luks/header.h"
#include "luks/reencrypt-keyslot.h"
#include "luks/requirement.h"
#include "luks/segment.h"
#include "util/checked.h"

#define MAX_KEYSLOTS_SIZE (UINT64_C(128) << 20)

/* What one pass over the header has learned; arrays by id. */
struct facts {
	json_object *keyslots, *tokens, *segments, *digests, *config;
	struct luks_reason *why;
	uint64_t header_size;
	uint64_t keyslots_size;
	unsigned segment_count, regular_count;
	struct segment segment[LUKS_MAX_SEGMENTS];
};

#define REFUSE(f, ...) luks_refuse((f)->why, -EINVAL, __VA_ARGS__)

static int find_sections(json_object *json, struct facts *f)
{
	static const char *const names[] = {"keyslots", "tokens", "segments", "digests", "config"};
	json_object **const sections[] = {&f->keyslots, &f->tokens, &f->segments, &f->digests,
					  &f->config};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		*sections[i] = field_get(json, names[i], json_type_object);
		if (!*sections[i])
			return REFUSE(f, "there is no object \"%s\"", names[i]);
	}
	return 0;
}

/* Members are objects, and their keys are ids below @limit. */
static int check_ids(struct facts *f, json_object *section, const char *what, unsigned limit)
{
	json_object_object_foreach (section, key, value) {
		unsigned id;

		if (parse_id(key, limit, &id) < 0)
			return REFUSE(f, "\"%s\" is no id of a %s", key, what);
		if (!json_object_is_type(value, json_type_object))
			return REFUSE(f, "%s %s is no object", what, key);
	}
	return 0;
}

/* An array of strings, each of them a key of @target. */
static int check_references(struct facts *f, json_object *object, const char *name,
			    json_object *target)
{
	json_object *array = field_get(object, name, json_type_array);
	const size_t n = array ? json_object_array_length(array) : 0;

	if (!array)
		return REFUSE(f, "an array \"%s\" is missing", name);
	for (size_t i = 0; i < n; i++) {
		json_object *item = json_object_array_get_idx(array, i);

		if (!json_object_is_type(item, json_type_string) ||
		    !field_get(target, json_object_get_string(item), json_type_object))
			return REFUSE(f, "something of \"%s\" does not exist", name);
	}
	return 0;
}

static int check_strings(struct facts *f, json_object *array, const char *name)
{
	const size_t n = json_object_array_length(array);

	for (size_t i = 0; i < n; i++)
		if (!json_object_is_type(json_object_array_get_idx(array, i), json_type_string))
			return REFUSE(f, "\"%s\" holds something else than strings", name);
	return 0;
}

static int check_requirements(struct facts *f)
{
	json_object *requirements, *mandatory;
	unsigned online = 0;
	size_t n;

	if (!json_object_object_get_ex(f->config, "requirements", &requirements))
		return 0;
	if (!json_object_is_type(requirements, json_type_object))
		return REFUSE(f, "\"requirements\" is no object");
	if (!json_object_object_get_ex(requirements, "mandatory", &mandatory))
		return 0;
	if (!json_object_is_type(mandatory, json_type_array))
		return REFUSE(f, "\"mandatory\" is no array");
	if (check_strings(f, mandatory, "mandatory") < 0)
		return -EINVAL;

	n = json_object_array_length(mandatory);
	for (size_t i = 0; i < n; i++)
		if (is_online_reencrypt(
			    json_object_get_string(json_object_array_get_idx(mandatory, i))))
			online++;
	if (online > 1)
		return REFUSE(f, "there is more than one requirement of re-encryption");
	return 0;
}

static int check_tokens(struct facts *f)
{
	json_object_object_foreach (f->tokens, key, token) {
		if (!field_string(token, "type"))
			return REFUSE(f, "token %s has no type", key);
		if (check_references(f, token, "keyslots", f->keyslots) < 0)
			return -EINVAL;
	}
	return 0;
}

static int check_digests(struct facts *f)
{
	json_object_object_foreach (f->digests, key, digest) {
		if (!field_string(digest, "type"))
			return REFUSE(f, "digest %s has no type", key);
		if (check_references(f, digest, "keyslots", f->keyslots) < 0 ||
		    check_references(f, digest, "segments", f->segments) < 0)
			return -EINVAL;
	}
	return 0;
}

/* How many digests list @id in their array @name. */
static unsigned count_digests(struct facts *f, const char *name, unsigned id)
{
	unsigned n = 0;

	json_object_object_foreach (f->digests, key, digest) {
		(void)key;
		if (ids_contain(field_get(digest, name, json_type_array), id))
			n++;
	}
	return n;
}

static int check_regular_overlap(struct facts *f)
{
	for (unsigned i = 0; i < f->regular_count; i++) {
		const struct segment *a = &f->segment[i];

		if (a->size == 0 && i + 1 < f->regular_count)
			return REFUSE(f, "segment %u has no size and is not the last", i);
		for (unsigned j = 0; j < f->regular_count; j++) {
			const struct segment *b = &f->segment[j];
			const uint64_t end = b->size ? b->offset + b->size : UINT64_MAX;

			if (i != j && a->offset >= b->offset && a->offset < end)
				return REFUSE(f, "segment %u overlaps segment %u", i, j);
		}
	}
	return 0;
}

static int check_segments(struct facts *f)
{
	f->segment_count = (unsigned)json_object_object_length(f->segments);
	if (f->segment_count == 0)
		return REFUSE(f, "there is no segment");
	assert(f->segment_count <= ARRAY_SIZE(f->segment)); /* check_ids() came before */

	for (unsigned i = 0; i < f->segment_count; i++) {
		json_object *json = field_by_id(f->segments, i);

		if (!json)
			return REFUSE(f, "segment %u is missing", i);
		if (segment_parse(json, &f->segment[i], f->why) < 0)
			return -EINVAL;
		if (f->segment[i].kind == SEGMENT_CRYPT && count_digests(f, "segments", i) == 0)
			return REFUSE(f, "no digest has the key of segment %u", i);
		if (f->segment[i].flags & SEGMENT_BACKUP)
			continue;
		if (f->regular_count < i)
			return REFUSE(f, "segment %u stands behind a backup segment", i);
		f->regular_count++;
	}
	if (f->regular_count == 0)
		return REFUSE(f, "there is no regular segment");
	return check_regular_overlap(f);
}

static const struct segment *find_backup(const struct facts *f, unsigned flag)
{
	const struct segment *found = NULL;

	for (unsigned i = f->regular_count; i < f->segment_count; i++)
		if (f->segment[i].flags & flag)
			found = &f->segment[i];
	return found;
}

static bool same_crypto(const struct segment *a, const struct segment *b)
{
	return a->kind == b->kind && a->sector_size == b->sector_size &&
	       strcmp(a->cipher, b->cipher) == 0;
}

static int check_reencrypt_segments(struct facts *f)
{
	const struct segment *previous = find_backup(f, SEGMENT_PREVIOUS);
	const struct segment *final = find_backup(f, SEGMENT_FINAL);

	if (!previous || !final)
		return REFUSE(f, "a backup segment is missing");
	for (unsigned i = 0; i < f->regular_count; i++) {
		const struct segment *s = &f->segment[i];

		if (same_crypto(s, final))
			continue;
		if ((s->flags & SEGMENT_HOT) || !same_crypto(s, previous))
			return REFUSE(f, "segment %u matches no backup segment", i);
	}
	return 0;
}

/* Every field of @names[0 .. n) is a string (or, behind '#', a number). */
static bool has_fields(json_object *object, const char *const names[], size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (names[i][0] == '#' ? !field_get(object, names[i] + 1, json_type_int)
				       : !field_string(object, names[i]))
			return false;
	}
	return true;
}

/*
 * Early versions of cryptsetup left the parameters of the other type where a keyslot changed its
 * PBKDF; later ones remove them as soon as they read the header. They mean nothing.
 * NULL-terminated.
 */
static const char *const *leftovers_of(const char *type)
{
	static const char *const of_argon2[] = {"time", "memory", "cpus", NULL};
	static const char *const of_pbkdf2[] = {"hash", "iterations", NULL};

	if (strcmp(type, "pbkdf2") == 0)
		return of_argon2;
	return strcmp(type, "argon2i") == 0 || strcmp(type, "argon2id") == 0 ? of_pbkdf2 : NULL;
}

void luks_keyslot_drop_leftovers(json_object *keyslot)
{
	json_object *kdf = field_get(keyslot, "kdf", json_type_object);
	const char *type = field_string(kdf, "type");
	const char *const *leftovers = type ? leftovers_of(type) : NULL;

	for (; leftovers && *leftovers; leftovers++)
		json_object_object_del(kdf, *leftovers);
}

static size_t count_leftovers(json_object *kdf, const char *type)
{
	const char *const *leftovers = leftovers_of(type);
	size_t n = 0;

	for (; leftovers && *leftovers; leftovers++)
		n += json_object_object_get_ex(kdf, *leftovers, NULL) ? 1 : 0;
	return n;
}

static bool kdf_is_valid(json_object *kdf)
{
	static const char *const pbkdf2[] = {"type", "hash", "#iterations", "salt"};
	static const char *const argon2[] = {"type", "#time", "#memory", "#cpus", "salt"};
	const char *type = field_string(kdf, "type");
	size_t n;

	if (!type)
		return false;
	n = (size_t)json_object_object_length(kdf) - count_leftovers(kdf, type);
	if (strcmp(type, "pbkdf2") == 0)
		return n == ARRAY_SIZE(pbkdf2) && has_fields(kdf, pbkdf2, ARRAY_SIZE(pbkdf2));
	if (strcmp(type, "argon2i") == 0 || strcmp(type, "argon2id") == 0)
		return n == ARRAY_SIZE(argon2) && has_fields(kdf, argon2, ARRAY_SIZE(argon2));
	return true;
}

static bool is_type(json_object *object, const char *type)
{
	const char *text = field_string(object, "type");

	return text && strcmp(text, type) == 0;
}

static bool luks2_keyslot_is_valid(json_object *keyslot)
{
	static const char *const af[] = {"hash", "#stripes"};
	static const char *const raw[] = {"encryption", "#key_size", "offset", "size"};
	json_object *af_json = field_get(keyslot, "af", json_type_object);
	json_object *area = field_get(keyslot, "area", json_type_object);

	return kdf_is_valid(field_get(keyslot, "kdf", json_type_object)) &&
	       is_type(af_json, "luks1") && has_fields(af_json, af, ARRAY_SIZE(af)) &&
	       is_type(area, "raw") && has_fields(area, raw, ARRAY_SIZE(raw));
}

static int check_keyslots(struct facts *f, bool online, bool any_reencrypt)
{
	struct luks_reenc ignored;
	unsigned reencrypt = 0;

	json_object_object_foreach (f->keyslots, key, keyslot) {
		unsigned id = 0;
		uint32_t key_size;

		(void)parse_id(key, LUKS_MAX_KEYSLOTS, &id);
		if (!field_string(keyslot, "type") || field_u32(keyslot, "key_size", &key_size) < 0)
			return REFUSE(f, "keyslot %u has no type or key size", id);
		if (is_type(keyslot, "luks2")) {
			if (!luks2_keyslot_is_valid(keyslot))
				return REFUSE(f, "keyslot %u is malformed", id);
			if (count_digests(f, "keyslots", id) != 1)
				return REFUSE(f, "keyslot %u has not exactly one digest", id);
		}
		if (is_type(keyslot, "reencrypt")) {
			if (reencrypt_keyslot_parse(keyslot, &ignored, f->why) < 0)
				return -EINVAL;
			reencrypt++;
		}
	}
	if (reencrypt > 1)
		return REFUSE(f, "there is more than one reencrypt keyslot");
	if (online && reencrypt == 0)
		return REFUSE(f, "the reencrypt keyslot is missing");
	if (reencrypt && !any_reencrypt)
		return REFUSE(f, "a reencrypt keyslot is there, but not the requirement");
	return 0;
}

static int check_config(struct facts *f)
{
	uint64_t json_size, smallest = UINT64_MAX, end;
	json_object *flags;

	if (field_u64(f->config, "json_size", &json_size) < 0 ||
	    json_size != f->header_size - LUKS_HEADER_BINARY_SIZE)
		return REFUSE(f, "json_size is wrong");
	if (field_u64(f->config, "keyslots_size", &f->keyslots_size) < 0 ||
	    !is_aligned(f->keyslots_size, 4096) || f->keyslots_size > MAX_KEYSLOTS_SIZE)
		return REFUSE(f, "keyslots_size is wrong");

	/* Data at offset 0 is on another device than the header. */
	for (unsigned i = 0; i < f->regular_count; i++)
		smallest = MIN(smallest, f->segment[i].offset);
	end = 2 * f->header_size + f->keyslots_size;
	if (smallest != 0 && smallest < end)
		return REFUSE(f, "the keyslot areas overlap the data");

	if (!json_object_object_get_ex(f->config, "flags", &flags))
		return 0;
	if (!json_object_is_type(flags, json_type_array))
		return REFUSE(f, "the flags are no array");
	return check_strings(f, flags, "flags");
}

static int check_areas(struct facts *f)
{
	const uint64_t start = 2 * f->header_size, end = start + f->keyslots_size;
	struct {
		unsigned id;
		uint64_t offset, size;
	} area[LUKS_MAX_KEYSLOTS];
	unsigned n = 0;

	json_object_object_foreach (f->keyslots, key, keyslot) {
		json_object *json = field_get(keyslot, "area", json_type_object);
		uint64_t offset, size;
		unsigned id = 0;

		(void)parse_id(key, LUKS_MAX_KEYSLOTS, &id);
		if (!field_string(json, "type") || field_u64(json, "offset", &offset) < 0 ||
		    field_u64(json, "size", &size) < 0)
			return REFUSE(f, "keyslot %u has no proper area", id);
		if (size == 0 || offset < start || !range_inside(offset, size, end))
			return REFUSE(f, "the area of keyslot %u is not where keyslots are", id);
		for (unsigned i = 0; i < n; i++)
			if (offset < area[i].offset + area[i].size &&
			    area[i].offset < offset + size)
				return REFUSE(f, "the areas of keyslots %u and %u overlap",
					      area[i].id, id);
		assert(n < ARRAY_SIZE(area)); /* check_ids() came before */
		area[n].id = id;
		area[n].offset = offset;
		area[n++].size = size;
	}
	return 0;
}

int luks_validate(json_object *json, uint64_t header_size, struct luks_reason *why)
{
	struct facts f = {.why = why, .header_size = header_size};
	bool online;

	assert(header_size > LUKS_HEADER_BINARY_SIZE);
	if (find_sections(json, &f) < 0 || check_requirements(&f) < 0)
		return -EINVAL;
	if (check_ids(&f, f.keyslots, "keyslot", LUKS_MAX_KEYSLOTS) < 0 ||
	    check_ids(&f, f.tokens, "token", LUKS_MAX_TOKENS) < 0 ||
	    check_ids(&f, f.segments, "segment", LUKS_MAX_SEGMENTS) < 0 ||
	    check_ids(&f, f.digests, "digest", LUKS_MAX_DIGESTS) < 0)
		return -EINVAL;
	if (check_tokens(&f) < 0 || check_digests(&f) < 0 || check_segments(&f) < 0)
		return -EINVAL;

	online = requirement_version(json) > 0;
	if (online && check_reencrypt_segments(&f) < 0)
		return -EINVAL;
	if (check_keyslots(&f, online, has_online_reencrypt(json)) < 0 || check_config(&f) < 0)
		return -EINVAL;
	return check_areas(&f);
}
