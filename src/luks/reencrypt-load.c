/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * From the metadata to the model. Every field is read, checked for itself, and then the position
 * that it amounts to is laid out again (reencrypt-layout.h): only what comes out the same is
 * believed.
 *
 * One regular segment alone is the start or the end: the old side means that nothing is converted,
 * the new side that everything is (FINISH). cryptsetup takes the second for the first.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "crypto/hash.h"
#include "luks/fields.h"
#include "luks/reencrypt-keyslot.h"
#include "luks/reencrypt-layout.h"
#include "luks/reencrypt.h"
#include "luks/requirement.h"
#include "luks/validate.h"
#include "util/checked.h"

#define MAX_SECTOR_SIZE 4096U
#define MAX_BLOCK_SIZE  (1U << 20)

struct loader {
	json_object *json, *digests;
	struct luks_reason *why;
	struct luks_reenc r;
	struct segment segment[LUKS_MAX_SEGMENTS];
	unsigned count, regular;
	struct backups backups;
};

#define TAMPERED(l, ...) luks_refuse((l)->why, -EBADMSG, __VA_ARGS__)

static int check_requirements(struct loader *l)
{
	const char *unknown = luks_unknown_requirement(l->json);

	if (unknown)
		return luks_refuse(l->why, -EOPNOTSUPP, "the volume requires \"%s\", unknown here",
				   unknown);
	if (has_offline_reencrypt(l->json))
		return luks_refuse(l->why, -EOPNOTSUPP,
				   "a re-encryption by the old offline tool is under way");
	l->r.version = requirement_version(l->json);
	if (l->r.version == 1)
		return luks_refuse(l->why, -EOPNOTSUPP,
				   "the re-encryption is of version 1, without verification: run "
				   "`cryptsetup repair` first");
	return 0;
}

static int note_backup(struct loader *l, unsigned id, unsigned flag, int *place)
{
	if (!(l->segment[id].flags & flag))
		return 0;
	if (*place >= 0)
		return TAMPERED(l, "two backup segments are of one kind");
	*place = (int)id;
	return 0;
}

static int read_segments(struct loader *l)
{
	json_object *segments = field_get(l->json, "segments", json_type_object);

	l->count = (unsigned)json_object_object_length(segments);
	l->backups = (struct backups){-1, -1, -1};
	for (unsigned i = 0; i < l->count && i < LUKS_MAX_SEGMENTS; i++) {
		struct segment *s = &l->segment[i];

		if (segment_parse(field_by_id(segments, i), s, l->why) < 0)
			return -EBADMSG;
		if (s->kind == SEGMENT_UNKNOWN)
			return luks_refuse(l->why, -EOPNOTSUPP, "segment %u has an unknown type",
					   i);
		if (s->integrity)
			return luks_refuse(l->why, -EOPNOTSUPP,
					   "the volume has integrity protection");
		if (!(s->flags & SEGMENT_BACKUP)) {
			l->regular++;
			continue;
		}
		if (note_backup(l, i, SEGMENT_PREVIOUS, &l->backups.previous) < 0 ||
		    note_backup(l, i, SEGMENT_FINAL, &l->backups.final) < 0 ||
		    note_backup(l, i, SEGMENT_MOVED, &l->backups.moved) < 0)
			return -EBADMSG;
	}
	return 0;
}

/* The one digest that lists segment @id; -1 and no error for a linear one, which has none. */
static int find_digest(struct loader *l, unsigned id, int *ret)
{
	const bool crypt = l->segment[id].kind == SEGMENT_CRYPT;
	unsigned n = 0;

	*ret = -1;
	json_object_object_foreach (l->digests, key, digest) {
		unsigned number;

		if (!ids_contain(field_get(digest, "segments", json_type_array), id))
			continue;
		if (parse_id(key, LUKS_MAX_DIGESTS, &number) < 0)
			return TAMPERED(l, "a digest has no proper id");
		*ret = (int)number;
		n++;
	}
	if (n != (crypt ? 1 : 0))
		return TAMPERED(l, "segment %u belongs to %u digests", id, n);
	return 0;
}

static int read_side(struct loader *l, int id, struct luks_side *side)
{
	const struct segment *s = &l->segment[id];

	side->crypt = s->kind == SEGMENT_CRYPT;
	side->offset = s->offset;
	side->size = s->size;
	side->sector_size = side->crypt ? s->sector_size : SECTOR_SIZE;
	memcpy(side->cipher, s->cipher, sizeof(side->cipher));
	if (!is_power_of_2(side->sector_size) || side->sector_size > MAX_SECTOR_SIZE)
		return TAMPERED(l, "segment %d has an impossible sector size", id);
	if (s->iv_tweak != 0)
		return luks_refuse(l->why, -EOPNOTSUPP, "the IVs of the volume do not start at 0");
	return find_digest(l, (unsigned)id, &side->digest);
}

static int read_sides(struct loader *l)
{
	struct luks_reenc *r = &l->r;
	int error;

	if (l->backups.previous < 0 || l->backups.final < 0)
		return TAMPERED(l, "a backup segment is missing");
	error = read_side(l, l->backups.previous, &r->old_side);
	if (error < 0)
		return error;
	error = read_side(l, l->backups.final, &r->new_side);
	if (error < 0)
		return error;

	if (r->old_side.crypt != (r->mode != LUKS_ENCRYPT) ||
	    r->new_side.crypt != (r->mode != LUKS_DECRYPT))
		return TAMPERED(l, "the backup segments do not suit the mode");
	r->data_offset = r->new_side.offset;
	r->keep_key = r->old_side.digest == r->new_side.digest;
	r->moved_segment = l->backups.moved >= 0;
	if (r->shift_size == 0 && (r->moved_segment || r->old_side.offset != r->data_offset))
		return TAMPERED(l, "the data moves, but no shift is set");
	return 0;
}

/* The keyslot and the one digest that verifies it. */
static int read_keyslot(struct loader *l)
{
	json_object *keyslots = field_get(l->json, "keyslots", json_type_object);
	struct luks_reenc found;
	const unsigned version = l->r.version;
	bool have = false;

	json_object_object_foreach (keyslots, key, keyslot) {
		const char *type = field_string(keyslot, "type");
		unsigned id;

		if (!type || strcmp(type, "reencrypt") != 0)
			continue;
		if (have || parse_id(key, LUKS_MAX_KEYSLOTS, &id) < 0 ||
		    reencrypt_keyslot_parse(keyslot, &found, l->why) < 0)
			return -EBADMSG;
		found.keyslot = id;
		have = true;
	}
	if (!have)
		return TAMPERED(l, "the reencrypt keyslot is missing");
	l->r = found;
	l->r.version = version;
	l->r.digest = -1;

	json_object_object_foreach (l->digests, number, digest) {
		json_object *slots = field_get(digest, "keyslots", json_type_array);
		unsigned id;

		if (!ids_contain(slots, l->r.keyslot))
			continue;
		if (l->r.digest >= 0 || json_object_array_length(slots) != 1 ||
		    parse_id(number, LUKS_MAX_DIGESTS, &id) < 0)
			return TAMPERED(l, "the verification digest is not alone");
		l->r.digest = (int)id;
	}
	if (l->r.digest < 0)
		return TAMPERED(l, "the verification digest is missing");
	return 0;
}

static int read_blocks(struct loader *l, uint32_t logical_block)
{
	struct luks_reenc *r = &l->r;
	const uint32_t sector = reenc_sector_size(r);
	uint64_t capacity = r->area_size;

	if (r->resilience == LUKS_RESILIENCE_CHECKSUM) {
		const int size = hash_size(r->hash);

		if (size <= 0)
			return luks_refuse(l->why, -EOPNOTSUPP,
					   "the checksums' hash \"%s\" is unknown here", r->hash);
		if (mul_u64(r->area_size / (uint64_t)size, r->block_size, &capacity) < 0)
			return TAMPERED(l, "the resilience area is impossibly large");
	} else
		r->block_size = MAX(logical_block, sector);

	if (r->block_size < sector || r->block_size > MAX_BLOCK_SIZE)
		return TAMPERED(l, "blocks of %u bytes do not suit the sector size", r->block_size);
	if (r->resilience == LUKS_RESILIENCE_CHECKSUM || r->resilience == LUKS_RESILIENCE_JOURNAL)
		r->capacity = round_down_u64(capacity, r->block_size);
	return 0;
}

/*
 * What the header fixes the data to. cryptsetup keeps that in backup-previous only: it makes the
 * regular segments "dynamic", and converts what lies behind the data as well.
 */
static int read_fixed_size(struct loader *l, const struct segment *last, uint64_t *ret)
{
	struct luks_reenc *r = &l->r;
	const uint64_t size = r->shift_size ? 0 : MAX(r->old_side.size, r->new_side.size);

	if (l->regular > 1 && size && last->offset >= r->data_offset + size)
		return luks_refuse(l->why, -EOPNOTSUPP,
				   "cryptsetup re-encrypts the device beyond the size that the "
				   "header fixes the data to; only cryptsetup can continue that");
	*ret = size;
	return 0;
}

/* Bytes of data: what the header says where it does, else what the device has. */
static int read_size(struct loader *l, uint64_t device_size, uint64_t fixed_size)
{
	const struct segment *last = &l->segment[l->regular - 1];
	const bool hot = last->flags & SEGMENT_HOT;
	struct luks_reenc *r = &l->r;
	uint64_t available, size;

	if (device_size <= r->data_offset)
		return luks_refuse(l->why, -EFBIG,
				   "the device is too small: it has %" PRIu64
				   " bytes, and the header puts the data at byte %" PRIu64,
				   device_size, r->data_offset);
	if (device_size < last->offset + last->size)
		return luks_refuse(l->why, -EFBIG,
				   "the device is too small: it has %" PRIu64
				   " bytes, and the header puts data up to byte %" PRIu64,
				   device_size, last->offset + last->size);
	available = device_size - r->data_offset;

	if (last->size) {
		if (last->offset < r->data_offset)
			return TAMPERED(l, "a segment lies before the data");
		size = last->offset - r->data_offset + last->size;
		/* A hot last segment has a size in any case. */
		r->fixed_size = fixed_size || !hot || size != available ||
				size == MAX(r->old_side.size, r->new_side.size);
	} else {
		int error = read_fixed_size(l, last, &size);

		if (error < 0)
			return error;
		r->fixed_size = size;
		if (!size)
			size = fixed_size && l->regular == 1 ? fixed_size : available;
		r->fixed_size |= size != available;
	}
	if (size > available && size == fixed_size)
		return luks_refuse(l->why, -EINVAL,
				   "the size given (--device-size) is %" PRIu64
				   " bytes, and the device has %" PRIu64 " bytes of data",
				   size, available);
	if (size > available)
		return luks_refuse(l->why, -EFBIG,
				   "the device is too small: it has %" PRIu64
				   " bytes of data, and the header says %" PRIu64,
				   available, size);
	if (fixed_size && fixed_size != size)
		return luks_refuse(l->why, -EINVAL,
				   r->version ? "the re-encryption began with %" PRIu64
						" bytes of data, and --device-size is %" PRIu64
						"; leave it out to resume"
					      : "the header says that there are %" PRIu64
						" bytes of data, and --device-size is %" PRIu64
						"; leave it out",
				   size, fixed_size);
	r->data_size = size;
	return 0;
}

static int check_size(struct loader *l)
{
	const struct luks_reenc *r = &l->r;
	const uint32_t sector = reenc_sector_size(r);

	if (!is_aligned(r->data_size, sector))
		return luks_refuse(l->why, -EINVAL,
				   "the size of the data is no multiple of %u bytes", sector);
	return 0;
}

/* The edge and the hotzone as the regular segments have them. */
static int find_position(struct loader *l, uint64_t *boundary, uint64_t *hot_size)
{
	const struct luks_reenc *r = &l->r;
	const bool forward = r->direction == LUKS_FORWARD;

	*hot_size = 0;
	for (unsigned i = 0; i < l->regular; i++) {
		const struct segment *s = &l->segment[i];

		if (!(s->flags & SEGMENT_HOT))
			continue;
		if (s->offset < r->data_offset || s->size == 0)
			return TAMPERED(l, "the hotzone is not inside the data");
		*hot_size = s->size;
		*boundary = s->offset - r->data_offset + (forward ? 0 : s->size);
		return 0;
	}
	if (l->regular > 2)
		return TAMPERED(l, "there are %u regular segments and no hotzone", l->regular);
	*boundary = forward ? 0 : r->data_size;
	if (l->regular == 2)
		*boundary = l->segment[0].size;
	return 0;
}

static bool looks_like(struct loader *l, uint64_t boundary, uint64_t hot_size)
{
	struct reencrypt_layout want;

	layout_build(&l->r, boundary, hot_size, &want);
	return layout_matches(l->json, &l->r, &want, l->segment, l->regular, &l->backups);
}

/*
 * The verification digest does not cover the position, and no backup of the header has this one, so
 * nobody is told to restore one.
 */
static int refuse_position(struct loader *l)
{
	const struct luks_reenc *r = &l->r;
	const uint32_t sector = reenc_sector_size(r);

	if (!is_aligned(r->boundary | r->hot_size, sector))
		return luks_refuse(
			l->why, -EINVAL,
			"the re-encryption stands at byte %" PRIu64
			" of the data, with a hotzone of %" PRIu64
			" bytes; both should be multiples of %" PRIu32
			", the larger sector size. Leave the header as it is: cryptsetup "
			"can continue (cryptsetup repair, cryptsetup reencrypt "
			"--resume-only)",
			r->boundary, r->hot_size, sector);
	/* The area may have shrunk below what a hotzone of another resilience took. */
	return luks_refuse(l->why, -EINVAL,
			   "the re-encryption stands at byte %" PRIu64 " of %" PRIu64
			   " bytes of data, with a hotzone of %" PRIu64
			   " bytes; the hotzone should lie inside the data, and have at most the "
			   "%" PRIu64
			   " bytes that the resilience area protects. Leave the header as it is: "
			   "cryptsetup can continue (cryptsetup repair)",
			   r->boundary, r->data_size, r->hot_size, r->capacity);
}

static int read_position(struct loader *l)
{
	struct luks_reenc *r = &l->r;
	const uint64_t end = r->direction == LUKS_FORWARD ? r->data_size : 0;
	uint64_t boundary = 0, hot_size = 0;
	int error;

	error = find_position(l, &boundary, &hot_size);
	if (error < 0)
		return error;
	r->boundary = boundary;
	r->hot_size = hot_size;
	r->state = hot_size ? LUKS_REENC_HOT : LUKS_REENC_CLEAN;
	if (!position_is_valid(r, boundary, hot_size))
		return refuse_position(l);
	if (looks_like(l, boundary, hot_size))
		return 0;
	if (l->regular != 1 || hot_size || !looks_like(l, end, 0))
		return TAMPERED(l, "segments and digests contradict the position");
	r->boundary = end;
	r->state = LUKS_REENC_FINISH;
	return 0;
}

/* With data shift the position is not checked, as nothing will be done with it. */
static int report_position(struct loader *l)
{
	struct luks_reenc *r = &l->r;

	r->state = LUKS_REENC_CLEAN;
	for (unsigned i = 0; i < l->regular; i++) {
		if (!(l->segment[i].flags & SEGMENT_HOT))
			continue;
		r->state = LUKS_REENC_HOT;
		r->hot_size = l->segment[i].size;
	}
	if (r->state == LUKS_REENC_CLEAN && l->regular == 1 &&
	    l->segment[0].offset == r->data_offset && l->segment[0].size == 0 &&
	    (l->segment[0].kind == SEGMENT_CRYPT) == r->new_side.crypt)
		r->state = LUKS_REENC_FINISH;
	return 0;
}

static int load_idle(struct loader *l, uint64_t device_size, uint64_t fixed_size)
{
	int error;

	if (l->regular != 1 || l->count != 1)
		return luks_refuse(l->why, -EOPNOTSUPP, "the volume has more than one segment");
	error = read_side(l, 0, &l->r.old_side);
	if (error < 0)
		return error;
	l->r.new_side = l->r.old_side;
	l->r.data_offset = l->r.old_side.offset;
	l->r.digest = -1;
	l->r.state = LUKS_REENC_NONE;
	return read_size(l, device_size, fixed_size);
}

static int load_parameters(struct loader *l, uint64_t device_size, uint64_t fixed_size,
			   uint32_t logical_block)
{
	int error = read_keyslot(l);

	if (error < 0)
		return error;
	error = read_sides(l);
	if (error < 0)
		return error;
	error = read_blocks(l, logical_block);
	return error < 0 ? error : read_size(l, device_size, fixed_size);
}

static int load_reencryption(struct loader *l, uint64_t device_size, uint64_t fixed_size,
			     uint32_t logical_block)
{
	int error = load_parameters(l, device_size, fixed_size, logical_block);

	if (error < 0)
		return error;
	if (l->r.digest == l->r.old_side.digest || l->r.digest == l->r.new_side.digest)
		return TAMPERED(l, "the verification digest is that of a volume key");
	if (l->r.shift_size)
		return report_position(l);
	error = check_size(l);
	return error < 0 ? error : read_position(l);
}

int luks_reenc_load(const struct luks_header *h, uint64_t device_size, uint64_t fixed_size,
		    uint32_t block_size, struct luks_reenc *ret, struct luks_reason *why)
{
	struct loader l = {
		.json = h->json,
		.digests = field_get(h->json, "digests", json_type_object),
		.why = why,
	};
	int error;

	error = check_requirements(&l);
	if (error < 0)
		return error;
	error = read_segments(&l);
	if (error < 0)
		return error;
	error = l.r.version ? load_reencryption(&l, device_size, fixed_size, block_size)
			    : load_idle(&l, device_size, fixed_size);
	if (error < 0)
		return error;
	*ret = l.r;
	return 0;
}

int luks_reenc_limit(struct luks_reenc *r, uint64_t size)
{
	const uint32_t sector = reenc_sector_size(r);
	const bool forward = r->direction == LUKS_FORWARD;
	struct luks_reenc limited = *r;

	if ((r->state != LUKS_REENC_CLEAN && r->state != LUKS_REENC_HOT) || r->fixed_size ||
	    r->shift_size || size >= r->data_size || !is_aligned(size, sector))
		return -EINVAL;
	limited.data_size = size;
	if (!position_is_valid(&limited, r->boundary, r->hot_size) ||
	    (forward && r->boundary + r->hot_size == size))
		return -EINVAL;
	*r = limited;
	return 0;
}
