/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "luks/fields.h"
#include "luks/freed.h"
#include "luks/lock.h"
#include "luks/reencrypt-layout.h"
#include "luks/validate.h"
#include "luks/wipe.h"
#include "util/checked.h"
#include "util/log.h"

#define STEP (UINT64_C(1) << 20)

#ifndef MFD_NOEXEC_SEAL /* Linux 6.3 */
#define MFD_NOEXEC_SEAL 8U
#endif

struct luks_draft {
	struct luks_place place; /* its header is the memfd */
	struct found_file disk;  /* where the header really is */
	uint8_t *was;            /* both copies of the header as they were read */
	size_t was_size;
	struct luks_header *first;  /* of luks_draft_stage(), or NULL */
	struct luks_header *header; /* of luks_draft_read(), or NULL */
	struct meta_io *io;         /* over the memfd */
	uint8_t *buffer;            /* STEP bytes */
};

/* The header on the disk, under the metadata lock. */
struct on_disk {
	struct luks_lock *lock;
	struct meta_io *io;
	struct luks_header *header;
};

static void on_disk_close(struct on_disk *o)
{
	luks_header_free(o->header);
	luks_lock_free(o->lock);
	meta_io_free(o->io);
}

static int on_disk_open(const struct found_file *f, enum luks_lock_mode mode, struct on_disk *o)
{
	_cleanup_close_ int fd =
		meta_io_open(f->fd, mode == LUKS_LOCK_EXCLUSIVE ? O_RDWR : O_RDONLY);
	struct luks_reason why = {};
	int r;

	if (fd < 0)
		return log_error_errno(fd, "%s: cannot be opened", f->path);
	r = luks_lock_metadata(fd, mode, &o->lock);
	if (r < 0) {
		log_error("%s: cannot take the metadata lock: %s", f->path, luks_lock_why(r));
		return r;
	}
	r = meta_io_file_new(fd, f->path, &o->io);
	if (r < 0)
		return log_error_errno(r, "%s: cannot be read", f->path);
	TAKE_FD(fd);
	r = luks_header_read(o->io, &o->header, &why);
	if (r < 0)
		return log_error_errno(r, "%s: cannot read the LUKS2 header%s%s", f->path,
				       *why.text ? ": " : "", why.text);
	return 0;
}

static int refuse_changed(const struct luks_draft *d)
{
	return log_refusal(
		-ESTALE,
		"%s: another program has changed the LUKS2 header meanwhile; nothing was "
		"written, try again",
		d->disk.path);
}

/* They were settled before (settle.h), so this is new. */
static int check_copies(const struct luks_draft *d, const struct on_disk *o)
{
	if (!luks_header_needs_repair(o->header))
		return 0;
	return log_refusal(
		-EUCLEAN,
		"%s: the %s copy of the LUKS2 header was good and is not, or cannot be read "
		"now; nothing was written, look at the disk and try again",
		d->disk.path, o->header->bad[LUKS_PRIMARY] ? "primary" : "secondary");
}

/* Both copies of the header, the JSON areas included. */
static int read_copies(struct meta_io *io, size_t size, uint8_t **ret)
{
	_cleanup_free_ uint8_t *copies = aligned_alloc(4096, size);
	int r = copies ? meta_io_read(io, 0, copies, size) : -ENOMEM;

	if (r < 0)
		return r;
	*ret = TAKE_PTR(copies);
	return 0;
}

/* Where header copies and keyslot areas end, bytes. */
static int end_of_areas(const struct luks_header *h, uint64_t *ret)
{
	json_object *config = field_get(h->json, "config", json_type_object);
	uint64_t size;
	int r = field_u64(config, "keyslots_size", &size);

	return r < 0 ? r : add_u64(2 * h->size, size, ret);
}

/* A sector that cannot be read keeps its keyslot from opening, here as on the disk. */
static int copy_area(struct luks_draft *d, struct meta_io *from, uint64_t offset, uint64_t end)
{
	while (offset < end) {
		const size_t n = (size_t)MIN(end - offset, STEP);
		int r = meta_io_read(from, offset, d->buffer, n);

		if (r < 0) {
			log_warning_errno(
				r, "%s: the keyslot area at offset %" PRIu64 " cannot be read",
				d->disk.path, offset);
			return 0;
		}
		r = meta_io_write(d->io, offset, d->buffer, n);
		if (r < 0)
			return r;
		offset += n;
	}
	return 0;
}

static int copy_areas(struct luks_draft *d, const struct on_disk *o, uint64_t end)
{
	uint64_t offset = 2 * o->header->size, start, next;

	while (luks_next_used(o->header, offset, &start, &next) && start < end) {
		int r = copy_area(d, o->io, MAX(start, offset), MIN(next, end));

		if (r < 0)
			return r;
		offset = next;
	}
	return 0;
}

/* With vm.memfd_noexec=2 the kernel wants to hear that nobody will execute it; 6.2 and older ones
 * do not know that. */
static int make_memfd(const char *name)
{
	const int fd = memfd_create(name, MFD_CLOEXEC | MFD_NOEXEC_SEAL);

	return fd < 0 && errno == EINVAL ? memfd_create(name, MFD_CLOEXEC) : fd;
}

static int make_file(uint64_t size, int *ret)
{
	_cleanup_close_ int low = make_memfd("LUKS2-header"), fd = -1;

	if (low < 0)
		return -errno;
	fd = fcntl(low, F_DUPFD_CLOEXEC, FILE_FD_MIN);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		return -errno;
	*ret = TAKE_FD(fd);
	return 0;
}

/* Its name in messages is that of the real header. */
static int make_place(struct luks_draft *d, const struct luks_place *place, uint64_t size)
{
	struct found_file *f = &d->place.header;
	int r = found_file_copy(&place->data, &d->place.data);

	if (r < 0)
		return r;
	d->place.detached = true;
	r = make_file(size, &f->fd);
	if (r < 0)
		return r;
	f->path = strdup(place->header.path);
	return f->path ? file_identify(f->fd, &f->identity) : -ENOMEM;
}

static int open_file(struct luks_draft *d)
{
	_cleanup_close_ int fd = file_open(d->place.header.fd, O_RDWR);
	int r = fd < 0 ? fd : meta_io_file_new(fd, d->disk.path, &d->io);

	if (r < 0)
		return r;
	TAKE_FD(fd);
	return 0;
}

static int fill(struct luks_draft *d, const struct luks_place *place, const struct on_disk *o)
{
	uint64_t end;
	int r = end_of_areas(o->header, &end);

	if (r < 0)
		return r;
	d->was_size = (size_t)(2 * o->header->size);
	d->buffer = aligned_alloc(4096, STEP);
	r = d->buffer ? read_copies(o->io, d->was_size, &d->was) : -ENOMEM;
	if (r < 0)
		return r;
	r = make_place(d, place, end);
	if (r < 0)
		return r;
	r = open_file(d);
	if (r < 0)
		return r;
	r = meta_io_write(d->io, 0, d->was, d->was_size);
	return r < 0 ? r : copy_areas(d, o, end);
}

int luks_draft_new(const struct luks_place *place, struct luks_draft **ret)
{
	_cleanup_(luks_draft_freep) struct luks_draft *d = calloc(1, sizeof(*d));
	_cleanup_(on_disk_close) struct on_disk o = {};
	int r;

	if (!d)
		return -ENOMEM;
	d->place = (struct luks_place)LUKS_PLACE_NONE;
	d->disk.fd = -1;
	r = found_file_copy(&place->header, &d->disk);
	if (r < 0)
		return log_error_errno(r, "%s: cannot copy the LUKS2 header", place->header.path);
	r = on_disk_open(&d->disk, LUKS_LOCK_SHARED, &o);
	if (r < 0)
		return r;
	r = check_copies(d, &o);
	if (r < 0)
		return r;
	r = fill(d, place, &o);
	if (r < 0)
		return log_error_errno(r, "%s: cannot copy the LUKS2 header to memory",
				       d->disk.path);
	*ret = TAKE_PTR(d);
	return 0;
}

struct luks_draft *luks_draft_free(struct luks_draft *d)
{
	if (!d)
		return NULL;
	luks_header_free(d->first);
	luks_header_free(d->header);
	meta_io_free(d->io);
	luks_place_clear(&d->place);
	found_file_clear(&d->disk);
	free(d->was);
	free(d->buffer);
	free(d);
	return NULL;
}

const struct luks_place *luks_draft_place(const struct luks_draft *d)
{
	return &d->place;
}

static int read_draft(struct luks_draft *d, struct luks_header **header)
{
	struct luks_reason why = {};
	int r;

	*header = luks_header_free(*header);
	r = luks_header_read(d->io, header, &why);
	if (r < 0)
		return log_error_errno(r,
				       "%s: what libcryptsetup makes of the LUKS2 header cannot be "
				       "used%s%s; nothing was changed",
				       d->disk.path, *why.text ? ": " : "", why.text);
	return 0;
}

int luks_draft_stage(struct luks_draft *d)
{
	return read_draft(d, &d->first);
}

int luks_draft_read(struct luks_draft *d, struct luks_header **ret, struct meta_io **ret_io)
{
	int r = read_draft(d, &d->header);

	if (r < 0)
		return r;
	*ret = d->header;
	*ret_io = d->io;
	return 0;
}

static int check_same(const struct luks_draft *d, const struct on_disk *o)
{
	_cleanup_free_ uint8_t *now = NULL;
	int r;

	if (2 * o->header->size != d->was_size)
		return refuse_changed(d);
	r = read_copies(o->io, d->was_size, &now);
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

	if (add_u64(offset, size, &end) < 0 || end_of_areas(h, &areas_end) < 0 || size == 0 ||
	    offset < 2 * h->size || end > areas_end)
		return false;
	return !luks_next_used(h, offset, &used, &used_end) || used >= end;
}

/* A disk may take a write and keep the old content. */
static int put_piece(struct luks_draft *d, struct meta_io *to, uint64_t offset, size_t n,
		     bool check)
{
	uint8_t *half = d->buffer + STEP / 2;
	int r = meta_io_read(d->io, offset, d->buffer, n);

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
		const size_t n = (size_t)MIN(size - done, STEP / 2);
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
			d->disk.path, colon, why->text, strerrordesc_np(-error));
	return log_error_errno(error, "%s: cannot write the LUKS2 header%s%s; %s", d->disk.path,
			       colon, why->text, what_is_left(d));
}

static int commit(struct luks_draft *d, struct on_disk *o, struct luks_reason *why)
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
	int r = on_disk_open(&d->disk, LUKS_LOCK_EXCLUSIVE, &o);

	if (r < 0)
		return r;
	r = check_copies(d, &o);
	if (r == 0)
		r = check_same(d, &o);
	if (r < 0)
		return r;
	r = check_kept(d, d->first ?: o.header);
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
	r = commit(d, &o, &why);
	return r < 0 ? explain_commit(d, &o, r, &why) : 0;
}
