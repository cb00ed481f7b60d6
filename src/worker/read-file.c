/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "worker/read-file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/error.h"
#include "util/file.h"
#include "util/log.h"
#include "worker/child.h"

struct file_content {
	char *data;
	size_t size;
};

static int say(int error, const void *data, size_t size)
{
	const struct read_file_frame frame = {.error = error, .size = (uint32_t)size};
	int r;

	assert(error <= 0 && size <= READ_FILE_MAX);
	r = child_say(&frame, sizeof(frame));
	return r < 0 ? r : child_say(data, size);
}

/* One byte more than is allowed tells a file that is too large. */
static int read_content(int fd, struct file_content *c)
{
	const size_t room = (size_t)READ_FILE_MAX + 1;

	c->data = malloc(room);
	if (!c->data)
		return -ENOMEM;
	while (c->size < room) {
		const ssize_t n = read(fd, c->data + c->size, room - c->size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		c->size += (size_t)n;
	}
	return -EFBIG;
}

/* The kind is known before the file is opened: to open some things does something. */
static int read_found(const struct found_file *found, struct file_content *c)
{
	_cleanup_close_ int fd = -1;

	if (found->identity.kind != S_IFREG)
		return -EMEDIUMTYPE;
	fd = file_open(found->fd, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return fd < 0 ? fd : read_content(fd, c);
}

static const char *reason(int error, const struct file_doubt *why)
{
	if (*why->text)
		return why->text;
	if (error == -EMEDIUMTYPE)
		return "it is not a regular file";
	if (error == -EFBIG)
		return "it is larger than 1 MiB";
	return error_text(error);
}

static int find_and_read(const char *path, struct file_content *c, struct file_doubt *why)
{
	_cleanup_(found_file_clear) struct found_file found = FOUND_FILE_NONE;
	int r = file_find(path, &found, why);

	return r < 0 ? r : read_found(&found, c);
}

static int answer(const char *path)
{
	struct file_doubt why = {};
	struct file_content c = {};
	const char *text;
	int r = find_and_read(path, &c, &why);

	text = r < 0 ? reason(r, &why) : c.data;
	r = say(r, text, r < 0 ? strlen(text) : c.size);
	free(c.data);
	return r;
}

int read_file_main(int argc, char **argv)
{
	int r;

	log_init("recrypt-worker", LOG_NOTICE);
	if (argc != 2)
		return log_refusal(-EINVAL,
				   "recrypt-worker " READ_FILE_VERB " is started by recryptd");
	r = child_protect();
	return r < 0 ? r : answer(argv[1]);
}
