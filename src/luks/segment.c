/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/segment.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "luks/fields.h"
#include "util/checked.h"
#include "util/cleanup.h"

#define REFUSE(why, ...) luks_refuse(why, -EINVAL, __VA_ARGS__)

static int parse_flags(json_object *json, struct segment *s, struct luks_reason *why)
{
	static const struct {
		const char *name;
		unsigned flag;
	} known[] = {
		{"in-reencryption", SEGMENT_HOT},
		{"backup-previous", SEGMENT_PREVIOUS},
		{"backup-final", SEGMENT_FINAL},
		{"backup-moved-segment", SEGMENT_MOVED},
	};
	json_object *flags;

	if (!json_object_object_get_ex(json, "flags", &flags))
		return 0;
	if (!json_object_is_type(flags, json_type_array))
		return REFUSE(why, "the flags of a segment are no array");

	for (size_t i = 0; i < json_object_array_length(flags); i++) {
		json_object *flag = json_object_array_get_idx(flags, i);
		const char *name;

		if (!json_object_is_type(flag, json_type_string))
			return REFUSE(why, "a flag of a segment is no string");
		name = json_object_get_string(flag);
		if (strncmp(name, "backup-", strlen("backup-")) == 0)
			s->flags |= SEGMENT_BACKUP;
		for (size_t k = 0; k < ARRAY_SIZE(known); k++)
			if (strcmp(name, known[k].name) == 0)
				s->flags |= known[k].flag;
	}
	return 0;
}

static int parse_place(json_object *json, struct segment *s, struct luks_reason *why)
{
	const char *size = field_string(json, "size");
	uint64_t end;

	if (field_u64(json, "offset", &s->offset) < 0 || !is_aligned(s->offset, SECTOR_SIZE))
		return REFUSE(why, "the offset of a segment is wrong");
	if (size && strcmp(size, "dynamic") == 0)
		return 0;
	if (field_u64(json, "size", &s->size) < 0 || s->size == 0 ||
	    !is_aligned(s->size, SECTOR_SIZE) || add_u64(s->offset, s->size, &end) < 0)
		return REFUSE(why, "the size of a segment is wrong");
	return 0;
}

static int parse_crypt(json_object *json, struct segment *s, struct luks_reason *why)
{
	const char *cipher = field_string(json, "encryption");

	if (!cipher || strlen(cipher) >= sizeof(s->cipher))
		return REFUSE(why, "the cipher of a segment is missing or too long");
	memcpy(s->cipher, cipher, strlen(cipher) + 1);
	if (field_u64(json, "iv_tweak", &s->iv_tweak) < 0)
		return REFUSE(why, "the iv_tweak of a segment is wrong");
	if (field_u32(json, "sector_size", &s->sector_size) < 0 || s->sector_size == 0 ||
	    s->sector_size % SECTOR_SIZE)
		return REFUSE(why, "the sector size of a segment is wrong");
	if (s->size % s->sector_size)
		return REFUSE(why, "the size of a segment is no multiple of its sector size");
	s->integrity = json_object_object_get_ex(json, "integrity", NULL);
	return 0;
}

int segment_parse(json_object *json, struct segment *ret, struct luks_reason *why)
{
	const char *type = field_string(json, "type");
	struct segment s = {.kind = SEGMENT_UNKNOWN};

	if (!type)
		return REFUSE(why, "a segment has no type");
	if (parse_place(json, &s, why) < 0 || parse_flags(json, &s, why) < 0)
		return -EINVAL;
	if (strcmp(type, "linear") == 0)
		s.kind = SEGMENT_LINEAR;
	if (strcmp(type, "crypt") == 0) {
		s.kind = SEGMENT_CRYPT;
		if (parse_crypt(json, &s, why) < 0)
			return -EINVAL;
	}
	*ret = s;
	return 0;
}

static int set_crypt(json_object *json, const struct segment *s)
{
	if (field_set(json, "iv_tweak", json_u64(s->iv_tweak)) < 0 ||
	    field_set(json, "encryption", json_object_new_string(s->cipher)) < 0 ||
	    field_set(json, "sector_size", json_object_new_int64(s->sector_size)) < 0)
		return -ENOMEM;
	return 0;
}

static int set_hot(json_object *json)
{
	json_object *flags = json_object_new_array();
	json_object *flag = json_object_new_string("in-reencryption");

	if (!flags || !flag || json_object_array_add(flags, flag) < 0) {
		json_object_put(flag);
		json_object_put(flags);
		return -ENOMEM;
	}
	return field_set(json, "flags", flags);
}

static json_object *size_to_json(const struct segment *s)
{
	return s->size ? json_u64(s->size) : json_object_new_string("dynamic");
}

json_object *segment_to_json(const struct segment *s)
{
	_cleanup_(json_putp) json_object *json = json_object_new_object();
	const bool crypt = s->kind == SEGMENT_CRYPT;
	const char *type = crypt ? "crypt" : "linear";

	assert(s->kind != SEGMENT_UNKNOWN && !(s->flags & ~(unsigned)SEGMENT_HOT));
	if (!json || field_set(json, "type", json_object_new_string(type)) < 0 ||
	    field_set(json, "offset", json_u64(s->offset)) < 0 ||
	    field_set(json, "size", size_to_json(s)) < 0)
		return NULL;
	if (crypt && set_crypt(json, s) < 0)
		return NULL;
	if ((s->flags & SEGMENT_HOT) && set_hot(json) < 0)
		return NULL;
	return TAKE_PTR(json);
}
