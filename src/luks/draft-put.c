/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A draft goes to the disk: the header there is compared with the one that was copied, then the
 * areas of added keyslots are written and read back, then one commit follows.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "luks/draft-internal.h"
#include "luks/fields.h"
#include "luks/freed.h"
#include "luks/reencrypt-layout.h"
#include "luks/validate.h"
#include "luks/wipe.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/log.h"

static int refuse_changed(const struct luks_draft *d)
{
	return log_refusal(
		-ERROR_HEADER_CHANGED,
		"%s: another program has changed the LUKS2 header meanwhile; nothing was "
		"written, try again",
		d->disk.path);
}

static int check_same(const struct luks_draft *d, const struct on_disk *o)
{
	_cleanup_free_ uint8_t *now = NULL;
	int r;

	if (2 * o->header->size != d->was_size)
		return refuse_changed(d);
	r = draft_read_copies(o->io, d->was_size, &now);
	if (r < 0)
		return log_error_errno(r, "%s: cannot read the LUKS2 header", d->disk.path);
	return memcmp(now, d->was, d->was_size) == 0 ? 0 : refuse_changed(d);
}

static json_object *keyslots_of(const struct luks_header *h)
{
	return field_get(h->json, "keyslots", json_type_object);
}

static int get_area(json_object *keyslot, uint64_t *offset, uint64_t *size)
{
	json_object *area = field_get(keyslot, "area", json_type_object);
	int r = field_u64(area, "offset", offset);

	return r < 0 ? r : field_u64(area, "size", size);
}

/* Of the keyslots that @before has and @after has not. */
static int removed_areas(const struct luks_header *before, const struct luks_header *after,
			 struct luks_areas *ret)
{
	*ret = (struct luks_areas){};
	for (unsigned id = 0; id < LUKS_MAX_KEYSLOTS; id++) {
		json_object *keyslot = field_by_id(keyslots_of(before), id);
		int r;

		if (!keyslot || field_by_id(keyslots_of(after), id))
			continue;
		r = get_area(keyslot, &ret->area[ret->count].offset, &ret->area[ret->count].size);
		if (r < 0)
			return r;
		ret->count++;
	}
	return 0;
}

static int take_json(struct luks_header *h, const struct luks_header *from)
{
	json_object *json = header_copy_json(from);

	if (!json)
		return -ENOMEM;
	header_replace_json(h, json);
	return 0;
}

static int put_first(struct luks_draft *d, struct on_disk *o, struct luks_reason *why)
{
	struct luks_areas freed;
	int r;

	if (!d->first)
		return 0;
	r = removed_areas(o->header, d->first, &freed);
	if (r < 0)
		return r;
	r = take_json(o->header, d->first);
	if (r < 0)
		return r;
	luks_freed_note(o->header->json, o->header->size, &freed);
	r = luks_header_commit(o->header, o->io, why);
	return r < 0 ? r : luks_freed_wipe(o->header, o->io, &freed);
}

/* What is written there takes nothing away from any keyslot of the header on the disk. */
static bool is_free(const struct luks_header *h, uint64_t offset, uint64_t size)
{
	uint64_t areas_end, end, used, used_end;

	if (add_u64(offset, size, &end) < 0 || draft_end_of_areas(h, &areas_end) < 0 || size == 0 ||
	    offset < 2 * h->size || end > areas_end)
		return false;
	return !luks_next_used(h, offset, &used, &used_end) || used >= end;
}

/* A disk may take a write and keep the old content. */
static int put_piece(struct luks_draft *d, struct meta_io *to, uint64_t offset, size_t n,
		     bool check)
{
	uint8_t *half = d->buffer + DRAFT_STEP / 2;
	int r;

	assert(n <= DRAFT_STEP / 2);
	r = meta_io_read(d->io, offset, d->buffer, n);
	if (r < 0)
		return r;
	if (!check)
		return meta_io_write(to, offset, d->buffer, n);
	r = meta_io_read(to, offset, half, n);
	if (r < 0)
		return r;
	return memcmp(d->buffer, half, n) == 0 ? 0 : -EIO;
}

static int put_area(struct luks_draft *d, struct meta_io *to, uint64_t offset, uint64_t size,
		    bool check)
{
	for (uint64_t done = 0; done < size;) {
		const size_t n = (size_t)MIN(size - done, DRAFT_STEP / 2);
		int r = put_piece(d, to, offset + done, n, check);

		if (r < 0)
			return r;
		done += n;
	}
	return 0;
}

/* libcryptsetup removes what early versions of it left in a keyslot. */
static bool is_same_keyslot(json_object *before, json_object *now)
{
	_cleanup_(json_putp) json_object *clean = NULL;

	if (json_object_equal(before, now))
		return true;
	if (json_object_deep_copy(before, &clean, NULL) < 0)
		return false;
	luks_keyslot_drop_leftovers(clean);
	return json_object_equal(clean, now);
}

/* A keyslot that is there already does not vanish or change with the commit. */
static int check_kept(const struct luks_draft *d, const struct luks_header *before)
{
	for (unsigned id = 0; id < LUKS_MAX_KEYSLOTS; id++) {
		json_object *keyslot = field_by_id(keyslots_of(before), id);
		json_object *now = field_by_id(keyslots_of(d->header), id);

		if (!keyslot || (now && is_same_keyslot(keyslot, now)))
			continue;
		return log_refusal(-EUCLEAN,
				   "%s: libcryptsetup would %s keyslot %u, which nobody asked "
				   "for; nothing was changed",
				   d->disk.path, now ? "change" : "drop", id);
	}
	return 0;
}

static int check_disk(const struct luks_draft *d, const struct on_disk *o)
{
	int r = on_disk_check_copies(d, o);

	if (r < 0)
		return r;
	r = check_same(d, o);
	return r < 0 ? r : check_kept(d, d->first ?: o->header);
}

/* The area of resilience data holds nothing yet. */
static int put_keyslot(struct luks_draft *d, const struct on_disk *o, unsigned id, bool check)
{
	json_object *keyslot = field_by_id(keyslots_of(d->header), id);
	const char *type = field_string(keyslot, "type");
	uint64_t offset, size;
	int r;

	if (field_by_id(keyslots_of(o->header), id))
		return 0;
	r = get_area(keyslot, &offset, &size);
	if (r < 0)
		return r;
	if (!is_free(o->header, offset, size))
		return -EUCLEAN;
	if (type && strcmp(type, "reencrypt") == 0)
		return 0;
	return put_area(d, o->io, offset, size, check);
}

static int put_keyslots(struct luks_draft *d, const struct on_disk *o, bool check)
{
	for (unsigned id = 0; id < LUKS_MAX_KEYSLOTS; id++) {
		int r = field_by_id(keyslots_of(d->header), id) ? put_keyslot(d, o, id, check) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

static int put_areas(struct luks_draft *d, struct on_disk *o)
{
	int r = put_keyslots(d, o, false);

	if (r < 0)
		return r;
	r = luks_header_flush(o->header, o->io);
	return r < 0 ? r : put_keyslots(d, o, true);
}

/* Of the header, when a later write fails: the keyslots of an earlier version may be gone. */
static const char *what_is_left(const struct luks_draft *d)
{
	return d->first ? "no re-encryption is begun, but the keyslots that an earlier version "
			  "left are removed"
			: "the LUKS2 header is unchanged";
}

static int explain_commit(const struct luks_draft *d, const struct on_disk *o, int error,
			  const struct luks_reason *why)
{
	const char *colon = *why->text ? ": " : "";

	if (luks_header_needs_repair(o->header))
		return log_refusal(
			error,
			"%s: a write of the LUKS2 header failed%s%s (%s); the header is the old "
			"one or the new one; repair the disk, then run recryptctl status",
			d->disk.path, colon, why->text, error_text(error));
	return log_error_errno(error, "%s: cannot write the LUKS2 header%s%s; %s", d->disk.path,
			       colon, why->text, what_is_left(d));
}

static int commit_draft(struct luks_draft *d, struct on_disk *o, struct luks_reason *why)
{
	int r = take_json(o->header, d->header);

	if (r < 0)
		return r;
	r = luks_header_commit(o->header, o->io, why);
	return r < 0 ? r : luks_header_flush(o->header, o->io);
}

int luks_draft_put(struct luks_draft *d)
{
	_cleanup_(on_disk_close) struct on_disk o = {};
	struct luks_reason why = {};
	int r;

	assert(d->header); /* of luks_draft_read() */
	r = on_disk_open(&d->disk, LUKS_LOCK_EXCLUSIVE, &o);
	if (r < 0)
		return r;
	r = check_disk(d, &o);
	if (r < 0)
		return r;
	r = put_first(d, &o, &why);
	if (r < 0)
		return log_error_errno(r,
				       "%s: cannot remove the keyslots that an earlier version "
				       "left%s%s; no re-encryption is begun",
				       d->disk.path, *why.text ? ": " : "", why.text);
	r = put_areas(d, &o);
	if (r < 0)
		return log_error_errno(r, "%s: cannot write the areas of new keyslots; %s",
				       d->disk.path, what_is_left(d));
	r = commit_draft(d, &o, &why);
	return r < 0 ? explain_commit(d, &o, r, &why) : 0;
}
