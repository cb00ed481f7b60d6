/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/reencrypt-keyslot.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "luks/fields.h"
#include "luks/status.h"
#include "util/checked.h"

#define REFUSE(why, ...) luks_refuse(why, -EINVAL, __VA_ARGS__)

static const char *const mode_names[] = {
	[LUKS_REENCRYPT] = "reencrypt",
	[LUKS_ENCRYPT] = "encrypt",
	[LUKS_DECRYPT] = "decrypt",
};

static const char *const direction_names[] = {
	[LUKS_FORWARD] = "forward",
	[LUKS_BACKWARD] = "backward",
};

static const char *const resilience_names[] = {
	[LUKS_RESILIENCE_NONE] = "none",
	[LUKS_RESILIENCE_CHECKSUM] = "checksum",
	[LUKS_RESILIENCE_JOURNAL] = "journal",
	[LUKS_RESILIENCE_DATASHIFT] = "datashift",
	[LUKS_RESILIENCE_DATASHIFT_CHECKSUM] = "datashift-checksum",
	[LUKS_RESILIENCE_DATASHIFT_JOURNAL] = "datashift-journal",
};

const char *luks_reenc_mode_name(enum luks_reenc_mode mode)
{
	assert((size_t)mode < ARRAY_SIZE(mode_names));
	return mode_names[mode];
}

const char *luks_direction_name(enum luks_direction direction)
{
	assert((size_t)direction < ARRAY_SIZE(direction_names));
	return direction_names[direction];
}

const char *luks_resilience_name(enum luks_resilience resilience)
{
	assert((size_t)resilience < ARRAY_SIZE(resilience_names));
	return resilience_names[resilience];
}

/* Index of @text, or -EINVAL. */
static int find_name(const char *text, const char *const names[], size_t n)
{
	for (size_t i = 0; text && i < n; i++)
		if (strcmp(text, names[i]) == 0)
			return (int)i;
	return -EINVAL;
}

static bool has_checksums(enum luks_resilience resilience)
{
	return resilience == LUKS_RESILIENCE_CHECKSUM ||
	       resilience == LUKS_RESILIENCE_DATASHIFT_CHECKSUM;
}

static int parse_area(json_object *area, struct luks_reenc *r, struct luks_reason *why)
{
	const int type = find_name(field_string(area, "type"), resilience_names,
				   ARRAY_SIZE(resilience_names));

	if (type < 0)
		return REFUSE(why, "the resilience of the reencrypt keyslot is unknown");
	r->resilience = (enum luks_resilience)type;

	if (field_u64(area, "offset", &r->area_offset) < 0 ||
	    field_u64(area, "size", &r->area_size) < 0)
		return REFUSE(why, "the reencrypt keyslot has no proper area");
	if (has_checksums(r->resilience)) {
		const char *hash = field_string(area, "hash");

		if (!hash || strlen(hash) >= sizeof(r->hash))
			return REFUSE(why, "the checksums' hash is missing or too long");
		memcpy(r->hash, hash, strlen(hash) + 1);
		if (field_u32(area, "sector_size", &r->block_size) < 0 ||
		    r->block_size < SECTOR_SIZE || !is_power_of_2(r->block_size))
			return REFUSE(why, "the checksums' block size is wrong");
	}
	if (r->resilience >= LUKS_RESILIENCE_DATASHIFT &&
	    (field_u64(area, "shift_size", &r->shift_size) < 0 || r->shift_size == 0 ||
	     !is_aligned(r->shift_size, SECTOR_SIZE)))
		return REFUSE(why, "the data shift is wrong");
	return 0;
}

int reencrypt_keyslot_parse(json_object *keyslot, struct luks_reenc *ret, struct luks_reason *why)
{
	struct luks_reenc r = {0};
	int mode, direction, error;
	uint32_t key_size;

	mode = find_name(field_string(keyslot, "mode"), mode_names, ARRAY_SIZE(mode_names));
	direction = find_name(field_string(keyslot, "direction"), direction_names,
			      ARRAY_SIZE(direction_names));
	if (mode < 0 || direction < 0)
		return REFUSE(why, "the mode or direction of the reencrypt keyslot is unknown");
	r.mode = (enum luks_reenc_mode)mode;
	r.direction = (enum luks_direction)direction;
	if (field_u32(keyslot, "key_size", &key_size) < 0 || key_size != 1)
		return REFUSE(why, "the key size of the reencrypt keyslot is not 1");

	error = parse_area(field_get(keyslot, "area", json_type_object), &r, why);
	if (error < 0)
		return error;
	*ret = r;
	return 0;
}
