/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "luks/lock.h"
#include "util/log.h"

int luks_settle_copies(struct luks_header *h, struct meta_io *io)
{
	const bool primary = h->bad[LUKS_PRIMARY];
	const char *name = primary ? "primary" : "secondary";
	const uint64_t offset = primary ? 0 : h->size;
	int r;

	if (!luks_header_needs_repair(h))
		return 0;
	r = luks_header_repair(h, io);
	if (r == -EEXIST)
		return log_refusal(
			r,
			"%s: something else than LUKS2 is in the place of the primary "
			"copy of the LUKS2 header; if it is of no use, wipe these %" PRIu64
			" bytes and try again",
			io->name, h->size);
	if (r < 0)
		return log_error_errno(
			r,
			"%s: the %s copy of the LUKS2 header, at offset %" PRIu64
			", is bad and cannot be written anew; nothing else was changed. Save the "
			"good copy with cryptsetup luksHeaderBackup, and replace the disk",
			io->name, name, offset);
	log_warning("%s: the %s copy of the LUKS2 header was bad and is written anew", io->name,
		    name);
	return 0;
}

/* The header on @path with the lock of @mode, in the order that meta_io wants it freed. */
struct opened {
	struct meta_io *io;
	struct luks_lock *lock;
	struct luks_header *header; /* NULL: none of LUKS2 */
};

static void close_header(struct opened *o)
{
	luks_header_free(o->header);
	luks_lock_free(o->lock);
	meta_io_free(o->io);
}

static int explain(const char *path, int error, const struct luks_reason *why)
{
	if (error == -EBADMSG)
		return log_refusal(-EINVAL,
				   "%s: neither copy of the LUKS2 header is usable (%s); restore "
				   "one with cryptsetup luksHeaderRestore",
				   path, why->text);
	return log_error_errno(error, "%s: cannot read the LUKS2 header%s%s", path,
			       *why->text ? ": " : "", why->text);
}

static int open_header(const struct found_file *f, enum luks_lock_mode mode, struct opened *o)
{
	_cleanup_close_ int fd =
		meta_io_open(f->fd, mode == LUKS_LOCK_EXCLUSIVE ? O_RDWR : O_RDONLY);
	const char *path = f->path;
	struct luks_reason why = {};
	int r;

	if (fd < 0)
		return log_error_errno(fd, "%s: cannot be opened", path);
	r = luks_lock_metadata(fd, mode, &o->lock);
	if (r < 0) {
		log_error("%s: cannot take the metadata lock: %s", path, luks_lock_why(r));
		return r;
	}
	r = meta_io_file_new(fd, path, &o->io);
	if (r < 0)
		return log_error_errno(r, "%s: cannot be read", path);
	TAKE_FD(fd);
	r = meta_io_flush(o->io);
	if (r < 0)
		return log_error_errno(r,
				       "%s: cannot flush the LUKS2 header to the disk; nothing was "
				       "changed, try again when the disk is in order",
				       path);
	r = luks_header_read(o->io, &o->header, &why);
	if (r == -ENOENT || r == -EPROTONOSUPPORT)
		return 0;
	return r < 0 ? explain(path, r, &why) : 0;
}

/* With the lock for readers: most headers need no more. */
static int look_for_bad_copy(const struct found_file *f, bool *ret_bad)
{
	_cleanup_(close_header) struct opened o = {};
	int r = open_header(f, LUKS_LOCK_SHARED, &o);

	if (r < 0)
		return r;
	*ret_bad = o.header && luks_header_needs_repair(o.header);
	return 0;
}

static int repair_copies(const struct found_file *f)
{
	_cleanup_(close_header) struct opened o = {};
	int r = open_header(f, LUKS_LOCK_EXCLUSIVE, &o);

	return r < 0 || !o.header ? r : luks_settle_copies(o.header, o.io);
}

int luks_settle(const struct found_file *f)
{
	bool bad;
	int r = look_for_bad_copy(f, &bad);

	return r < 0 || !bad ? r : repair_copies(f);
}
