/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/volume.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dm/find.h"
#include "luks/freed.h"
#include "luks/settle.h"
#include "luks/validate.h"
#include "util/checked.h"
#include "util/error.h"
#include "util/log.h"
#include "util/uuid.h"
#include "worker/identity.h"
#include "worker/own-header.h"
#include "worker/volume-use.h"

static int make_arguments(struct work_volume *v)
{
	const bool detached = v->options->target.header;

	assert(!v->arguments);
	if (asprintf(&v->arguments, "%s%s%s%s", detached ? "--header " : "",
		     detached ? v->header_path : "", detached ? " " : "", v->data_path) < 0) {
		v->arguments = NULL;
		return -ENOMEM;
	}
	return 0;
}

/* The device below the active volume @name, or of this path. */
static int device_below(const char *name, char **ret)
{
	char path[PATH_MAX], known[DM_NAME_MAX + 1];
	struct active_volume active;
	int r = find_mapping_name(name, known);

	if (r < 0)
		return r;
	r = find_volume_by_name(known, &active);
	if (r < 0)
		return r;
	if (active.data_device == 0)
		return -ENODEV;
	r = find_device_node(active.data_device, path, sizeof(path));
	if (r < 0)
		return r;
	*ret = strdup(path);
	return *ret ? 0 : -ENOMEM;
}

static int device_of_name(const char *name, char **ret)
{
	int r = device_below(name, ret);

	if (r == -ENODEV || r == -EOPNOTSUPP || r == -EINVAL || r == -ENAMETOOLONG)
		return log_refusal(-ENODEV, "%s: no active LUKS2 volume of this name", name);
	return r < 0 ? log_error_errno(r, "%s: cannot tell the device below it", name) : 0;
}

/* To name the open volume instead of the device below it is an easy slip. */
static int explain_no_header(const struct work_volume *v)
{
	const char *given = v->options->target.device;
	_cleanup_free_ char *below = NULL;

	if (given && strchr(given, '/') && device_below(given, &below) == 0)
		log_error("%s: is the open volume itself; name the device below it: %s", given,
			  below);
	else if (v->options->target.header)
		log_error("%s: has no LUKS2 header; --header names the device or file that the "
			  "header of %s is in, and without --header it is looked for on %s itself",
			  v->header_path, v->data_path, v->data_path);
	else
		log_error("%s: not a LUKS2 device", v->header_path);
	return -EINVAL;
}

static int explain_header_error(const struct work_volume *v, int error,
				const struct luks_reason *why)
{
	const char *path = v->header_path;

	switch (error) {
	case -ENOENT:
		return explain_no_header(v);
	case -EPROTONOSUPPORT:
		log_error("%s: LUKS1; convert it first: cryptsetup convert --type luks2 %s", path,
			  path);
		return -ENOTSUP;
	case -EBADMSG:
		log_error("%s: neither copy of the LUKS2 header is usable (%s); restore one with "
			  "cryptsetup luksHeaderRestore",
			  path, why->text);
		return -EINVAL;
	case -EFBIG:
		log_error("%s: %s", path, why->text);
		return -ENOTBLK;
	default:
		return log_error_errno(error, "%s: cannot read the LUKS2 header", path);
	}
}

/* Nothing here can give a volume another UUID: it can only be the one that was expected. */
static int check_expected_uuid(const struct work_volume *v)
{
	const char *wanted = v->options->foreground.uuid;

	if (!wanted || uuid_equal(wanted, v->header->uuid))
		return 0;
	return log_refusal(-EINVAL,
			   "%s: has the UUID %.40s, and --uuid says %s; a re-encryption keeps the "
			   "UUID. Name the right volume, or give this one another UUID with: "
			   "cryptsetup luksUUID --uuid",
			   v->header_path, v->header->uuid, wanted);
}

static int read_header(struct work_volume *v)
{
	_cleanup_(luks_lock_freep) struct luks_lock *lock = NULL;
	struct luks_reason why = {};
	int r = luks_lock_metadata(v->meta_fd, LUKS_LOCK_SHARED, &lock);

	if (r < 0) {
		log_error("%s: cannot take the metadata lock: %s", v->header_path,
			  luks_lock_why(r));
		return r;
	}
	v->header = luks_header_free(v->header);
	r = luks_header_read(v->meta, &v->header, &why);
	if (r < 0)
		return explain_header_error(v, r, &why);
	r = identity_check_uuid(v->options, v->header->uuid, v->header_path);
	return r < 0 ? r : check_expected_uuid(v);
}

static int open_metadata(struct work_volume *v)
{
	int fd = meta_io_open(v->place.header.fd, O_RDWR), r;

	if (fd < 0)
		return log_error_errno(fd, "%s: cannot be opened for writing", v->header_path);
	r = meta_io_file_new(fd, v->header_path, &v->meta);
	if (r < 0) {
		(void)close(fd);
		return log_refusal(r, "%s: not a block device or an image file", v->header_path);
	}
	v->meta_fd = fd;
	return 0;
}

static int open_data(struct work_volume *v)
{
	int r = device_open(v->place.data.fd, false, &v->data);

	switch (r) {
	case 0:
		return 0;
	case -EINVAL:
		return log_refusal(r, "%s: not a block device or an image file", v->data_path);
	case -ENODATA:
		log_error("%s: not a LUKS2 device: its size is 0", v->data_path);
		return -EINVAL;
	case -EROFS:
		return log_refusal(r, "%s: is read-only; re-encryption writes to it", v->data_path);
	case -EMEDIUMTYPE:
		return log_error_errno(
			r,
			"%s: is mapped into memory by its users (DAX), past everything "
			"that could hold their writes back; turn DAX off first",
			v->data_path);
	case -EOPNOTSUPP:
		return log_refusal(r,
				   "%s: the file system takes no direct I/O, which re-encryption "
				   "needs (as tmpfs before Linux 6.6); attach the image with "
				   "losetup -f --show %s and name the loop device",
				   v->data_path, v->data_path);
	default:
		return log_error_errno(r, "%s: cannot be opened", v->data_path);
	}
}

static int find_named(const struct work_options *o, struct luks_place *ret)
{
	_cleanup_free_ char *below = NULL;
	int r = o->target.device ? 0 : device_of_name(o->target.active_name, &below);

	return r < 0 ? r : luks_place_find(o->target.device ?: below, o->target.header, ret);
}

static int find_place(struct work_volume *v)
{
	const struct work_options *o = v->options;
	int r = find_named(o, &v->place);

	if (r < 0)
		return r == -ENOTBLK ? -EINVAL : r;
	v->data_path = v->place.data.path;
	v->header_path = v->place.header.path;
	r = identity_check_place(o, &v->place);
	return r < 0 || o->target.allow_shared ? r : luks_place_check_private(&v->place);
}

static int open_all(struct work_volume *v)
{
	int r = find_place(v);

	if (r < 0)
		return r;
	r = make_arguments(v);
	if (r < 0)
		return r;
	r = open_data(v);
	if (r < 0)
		return r;
	r = open_metadata(v);
	if (r < 0)
		return r;
	/* One flush serves both then. */
	v->header_on_data = file_is_same(&v->place.data.identity, &v->place.header.identity);
	r = read_header(v);
	if (r < 0)
		return r;
	r = volume_find_active(v);
	if (r < 0)
		return r;
	r = own_header_check(v);
	return r < 0 ? r : volume_understand(v);
}

int volume_open(const struct work_options *o, struct work_volume *ret)
{
	struct work_volume v = VOLUME_NONE;
	int r;

	assert(o->target.device || o->target.active_name);
	v.options = o;
	r = open_all(&v);
	if (r < 0) {
		volume_close(&v);
		return r;
	}
	*ret = v;
	return 0;
}

void volume_close(struct work_volume *v)
{
	v->header = luks_header_free(v->header);
	v->meta = meta_io_free(v->meta);
	cleanup_close(&v->data.fd);
	v->data.fd = -1;
	volume_unclaim(v);
	v->lock = luks_lock_free(v->lock);
	luks_place_clear(&v->place);
	free(v->name);
	free(v->arguments);
	v->name = v->arguments = NULL;
	v->data_path = v->header_path = NULL;
}

static int take_lock(const struct work_volume *v, struct luks_lock **ret)
{
	int r = luks_lock_reencryption(v->header->uuid, ret);

	if (r == -EBUSY)
		return log_refusal(r,
				   "%s: a re-encryption process is running already on this volume, "
				   "or on a copy of it with the same UUID",
				   v->header_path);
	if (r == -EACCES || r == -EPERM)
		return log_error_errno(r,
				       "%s: cannot take the re-encryption lock below "
				       "/run/cryptsetup; run as root",
				       v->header_path);
	if (r < 0)
		return log_error_errno(r,
				       "%s: cannot take the re-encryption lock below "
				       "/run/cryptsetup",
				       v->header_path);
	return 0;
}

int volume_lock_header(const struct work_volume *v, struct luks_lock **ret)
{
	_cleanup_(luks_lock_freep) struct luks_lock *lock = NULL;
	int r;

	assert(v->lock);
	r = luks_lock_metadata(v->meta_fd, LUKS_LOCK_EXCLUSIVE, &lock);
	if (r < 0)
		return r;
	r = luks_header_check_unmoved(v->header, v->meta);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(lock);
	return 0;
}

int volume_commit_header(const struct work_volume *v, struct luks_reason *why)
{
	int r;

	assert(v->lock && v->meta_fd >= 0); /* no rehearsal's */
	r = luks_header_commit(v->header, v->meta, why);
	return r < 0 ? r : luks_header_flush(v->header, v->meta);
}

static int repair_copies(struct work_volume *v)
{
	_cleanup_(luks_lock_freep) struct luks_lock *lock = NULL;
	int r;

	if (!luks_header_needs_repair(v->header))
		return 0;
	r = volume_lock_header(v, &lock);
	if (r < 0)
		return log_error_errno(r, "%s: cannot look at the bad copy of the LUKS2 header",
				       v->header_path);
	return luks_settle_copies(v->header, v->meta);
}

int volume_reload(struct work_volume *v)
{
	int r = read_header(v);

	if (r < 0)
		return r;
	r = volume_understand(v);
	return r < 0 || !v->lock ? r : repair_copies(v);
}

int volume_check_idle(struct work_volume *v)
{
	struct luks_lock *lock;
	int r;

	assert(!v->lock && v->exclusive_fd < 0); /* what it lets go is its own */
	r = take_lock(v, &lock);
	if (r < 0)
		return r;
	r = volume_claim(v);
	luks_lock_free(lock);
	volume_unclaim(v);
	return r;
}

/* Passphrases take their time: is it still open, or closed, as it was when we first looked? */
static int look_again(struct work_volume *v)
{
	_cleanup_free_ char *before = TAKE_PTR(v->name);
	int r = volume_find_active(v);

	if (r < 0)
		return r;
	if (before ? v->name && strcmp(before, v->name) == 0 : !v->name)
		return 0;
	return log_refusal(-EBUSY, "%s: was opened or closed meanwhile; try again", v->data_path);
}

int volume_take_lock(struct work_volume *v)
{
	int r;

	assert(!v->lock);
	r = take_lock(v, &v->lock);
	if (r < 0)
		return r;
	r = look_again(v);
	if (r < 0)
		return r;
	r = volume_claim(v);
	return r < 0 ? r : volume_reload(v);
}

/* As it is now: another tool may have put a new keyslot into an area that was freed. */
static int read_to_wipe(struct work_volume *v)
{
	_cleanup_(luks_header_freep) struct luks_header *now = NULL;
	int r = luks_header_read(v->meta, &now, NULL);

	if (r < 0)
		return r;
	if (strcmp(now->uuid, v->header->uuid) != 0)
		return -ERROR_HEADER_CHANGED;
	luks_header_free(v->header);
	v->header = TAKE_PTR(now);
	return luks_header_repair(v->header, v->meta);
}

/* A private mapping for a cipher took the claim with it. */
static int lock_to_wipe(struct work_volume *v, struct luks_lock **ret)
{
	int r = volume_claim_device(v);

	if (r < 0)
		return r;
	r = luks_lock_metadata(v->meta_fd, LUKS_LOCK_EXCLUSIVE, ret);
	if (r < 0)
		log_error_errno(r, "%s: cannot take the metadata lock: %s", v->header_path,
				luks_lock_why(r));
	return r;
}

static int try_to_wipe(struct work_volume *v, const struct luks_areas *freed)
{
	_cleanup_(luks_lock_freep) struct luks_lock *lock = NULL;
	int r = lock_to_wipe(v, &lock);

	if (r < 0)
		return r;
	r = read_to_wipe(v);
	if (r < 0)
		return r;
	r = luks_freed_wipe(v->header, v->meta, freed);
	return r == -EBUSY ? 0 : r; /* another one was begun meanwhile; its end comes to it */
}

int volume_wipe_freed(struct work_volume *v, const struct luks_areas *freed)
{
	int r = try_to_wipe(v, freed);

	if (r < 0)
		return log_error_errno(r,
				       "%s: the re-encryption is complete, but the areas of the "
				       "old keyslots cannot be wiped; the next run tries it again",
				       v->header_path);
	return 0;
}
