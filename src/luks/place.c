/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "luks/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "util/log.h"

/* @what: how a message calls it before its name, or "". */
static int find_volume_file(const char *what, const char *name, struct found_file *ret)
{
	struct found_file f = FOUND_FILE_NONE;
	struct file_doubt why = {};
	int r = file_find(name, &f, &why);

	if (r == -EACCES && *why.text)
		return log_refusal(-ENOTSUP, "%s%s: is not opened: %s", what, name, why.text);
	if (r < 0) {
		log_error_errno(r, "%s%s: cannot be found", what, name);
		return r == -ENOMEM ? r : -ENODEV;
	}
	if (f.identity.kind != S_IFREG && f.identity.kind != S_IFBLK) {
		found_file_clear(&f);
		return log_refusal(-ENOTBLK, "%s%s: not a block device or an image file", what,
				   name);
	}
	*ret = f;
	return 0;
}

static int find_both(const char *device, const char *header, struct luks_place *p)
{
	int r = find_volume_file("", device, &p->data);

	if (r < 0)
		return r;
	return header ? find_volume_file("the header file ", header, &p->header)
		      : found_file_copy(&p->data, &p->header);
}

int luks_place_find(const char *device, const char *header, struct luks_place *ret)
{
	struct luks_place p = LUKS_PLACE_NONE;
	int r = find_both(device, header, &p);

	if (r < 0) {
		luks_place_clear(&p);
		return r;
	}
	p.detached = header;
	*ret = p;
	return 0;
}

static int adopt_file(int fd, const char *path, struct found_file *ret)
{
	*ret = (struct found_file){.fd = fd, .path = strdup(path)};
	if (!ret->path)
		return -ENOMEM;
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	return file_identify(fd, &ret->identity);
}

int luks_place_adopt(int data_fd, const char *data_path, int header_fd, const char *header_path,
		     struct luks_place *ret)
{
	struct luks_place p = {.detached = header_path};
	int r = adopt_file(data_fd, data_path, &p.data);
	int r2 = adopt_file(header_fd, header_path ?: data_path, &p.header);

	r = r < 0 ? r : r2;
	if (r < 0) {
		luks_place_clear(&p);
		return log_error_errno(r, "%s: was not handed on", data_path);
	}
	*ret = p;
	return 0;
}

void luks_place_clear(struct luks_place *p)
{
	found_file_clear(&p->data);
	found_file_clear(&p->header);
	p->detached = false;
}

static int check_private(const struct found_file *f)
{
	if (!*f->doubt.text)
		return 0;
	return log_refusal(-ENOTSUP,
			   "%s: %s; let only its owner write there, or give "
			   "--allow-shared-files where all of them are trusted (the service: "
			   "AllowSharedFiles= in recryptd.conf)",
			   f->path, f->doubt.text);
}

int luks_place_check_private(const struct luks_place *p)
{
	int r = check_private(&p->data);

	return r < 0 || !p->detached ? r : check_private(&p->header);
}

static int check_same(const struct found_file *f)
{
	char was[FILE_TEXT_SIZE], is[FILE_TEXT_SIZE];
	struct file_identity now;
	int r = file_identify(f->fd, &now);

	if (r < 0)
		return log_error_errno(r, "%s: cannot be identified", f->path);
	if (file_is_same(&now, &f->identity))
		return 0;
	return log_refusal(-ERROR_HEADER_CHANGED,
			   "%s: another disk is there now: %s, and it was %s", f->path,
			   file_text(&now, is), file_text(&f->identity, was));
}

int luks_place_check_same(const struct luks_place *p)
{
	int r = check_same(&p->data);

	return r < 0 ? r : check_same(&p->header);
}
