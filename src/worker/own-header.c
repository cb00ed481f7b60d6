/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/own-header.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "util/log.h"

static int read_own(const struct work_volume *v, struct luks_header **ret)
{
	_cleanup_(meta_io_freep) struct meta_io *io = NULL;
	_cleanup_close_ int fd = fcntl(v->data.fd, F_DUPFD_CLOEXEC, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = meta_io_file_new(fd, v->data_path, &io);
	if (r < 0)
		return r;
	TAKE_FD(fd);
	return luks_header_read(io, ret, NULL);
}

int own_header_check(const struct work_volume *v)
{
	_cleanup_(luks_header_freep) struct luks_header *own = NULL;
	int r;

	if (v->header_on_data || v->options->foreground.ignore_own_header)
		return 0;
	r = read_own(v, &own);
	/* Nothing opens by one whose copies are both damaged. */
	if (r == -ENOENT || r == -EBADMSG || r == -EFBIG)
		return 0;
	if (r == -EPROTONOSUPPORT)
		return log_refusal(
			-EINVAL,
			"%s: has a LUKS1 header of its own, beside %s; wipe the one that "
			"is of no use, or give --ignore-own-header",
			v->data_path, v->header_path);
	if (r < 0)
		return log_error_errno(r, "%s: cannot tell whether it has a header of its own",
				       v->data_path);
	assert(own);
	if (strcmp(own->uuid, v->header->uuid) == 0)
		return log_refusal(
			-EINVAL,
			"%s: has a header of its own with the same UUID as %s; the one that is not "
			"used would open garbage afterwards, and where %s is not the newest, the "
			"data would be lost. Leave out --header, or give --ignore-own-header",
			v->data_path, v->header_path, v->header_path);
	/* What is left of an older volume where only the second copy was not written over. */
	if (own->bad[LUKS_PRIMARY])
		return 0;
	return log_refusal(-EINVAL,
			   "%s: has a header of its own, of another volume (%s) than %s; name the "
			   "device that belongs to that header, or give --ignore-own-header",
			   v->data_path, own->uuid, v->header_path);
}
