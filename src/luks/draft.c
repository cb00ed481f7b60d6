/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/draft-internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "luks/fields.h"
#include "luks/wipe.h"
#include "util/checked.h"
#include "util/log.h"

#ifndef MFD_NOEXEC_SEAL /* Linux 6.3 */
#define MFD_NOEXEC_SEAL 8U
#endif

void on_disk_close(struct on_disk *o)
{
	luks_header_free(o->header);
	luks_lock_free(o->lock);
	meta_io_free(o->io);
}

int on_disk_open(const struct found_file *f, enum luks_lock_mode mode, struct on_disk *o)
{
	_cleanup_close_ int fd =
		meta_io_open(f->fd, mode == LUKS_LOCK_EXCLUSIVE ? O_RDWR : O_RDONLY);
	struct luks_reason why = {};
	int r;

	assert(!o->lock && !o->io && !o->header);
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

/* They were settled before (settle.h), so this is new. */
int on_disk_check_copies(const struct luks_draft *d, const struct on_disk *o)
{
	if (!luks_header_needs_repair(o->header))
		return 0;
	return log_refusal(
		-EUCLEAN,
		"%s: the %s copy of the LUKS2 header was good and is not, or cannot be read "
		"now; nothing was written, look at the disk and try again",
		d->disk.path, o->header->bad[LUKS_PRIMARY] ? "primary" : "secondary");
}

int draft_read_copies(struct meta_io *io, size_t size, uint8_t **ret)
{
	_cleanup_free_ uint8_t *copies = NULL;
	int r;

	assert(size > 0 && is_aligned(size, 4096));
	copies = aligned_alloc(4096, size);
	if (!copies)
		return -ENOMEM;
	r = meta_io_read(io, 0, copies, size);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(copies);
	return 0;
}

int draft_end_of_areas(const struct luks_header *h, uint64_t *ret)
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
		const size_t n = (size_t)MIN(end - offset, DRAFT_STEP);
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

static int fill_draft(struct luks_draft *d, const struct luks_place *place, const struct on_disk *o)
{
	uint64_t end;
	int r = draft_end_of_areas(o->header, &end);

	if (r < 0)
		return r;
	d->was_size = (size_t)(2 * o->header->size);
	d->buffer = aligned_alloc(4096, DRAFT_STEP);
	if (!d->buffer)
		return -ENOMEM;
	r = draft_read_copies(o->io, d->was_size, &d->was);
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
	r = on_disk_check_copies(d, &o);
	if (r < 0)
		return r;
	r = fill_draft(d, place, &o);
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
	assert(!d->header); /* it comes before luks_draft_read() */
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
