/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/bus/bus-arguments.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/checked.h"
#include "util/cleanup.h"

/* Moves one text, if there is one, to *@to, which moves on. */
static void move(const char **text, char **to)
{
	if (!*text)
		return;
	*text = strcpy(*to, *text);
	*to += strlen(*to) + 1;
}

static size_t size_of(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

int arguments_keep(struct arguments *a, struct failure *f)
{
	const char **const texts[] = {&a->text, &a->header_device, &a->name, &a->group, &a->state};
	size_t size = 1; /* also without any text it is kept */
	_cleanup_close_ int fd = -1;
	char *kept;

	assert(!a->kept);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		size += size_of(*texts[i]);
	for (size_t i = 0; a->volumes[i]; i++)
		size += size_of(a->volumes[i]);
	if (size > ARGUMENTS_TEXT_MAX)
		return failure_set(f, -EINVAL, "the arguments have more than %d bytes of text",
				   ARGUMENTS_TEXT_MAX);
	if (a->fd >= 0) {
		fd = fcntl(a->fd, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return failure_set(f, -errno, "the descriptor cannot be kept");
	}
	a->kept = kept = malloc(size);
	if (!kept)
		return failure_set(f, -ENOMEM, "out of memory");
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		move(texts[i], &kept);
	for (size_t i = 0; a->volumes[i]; i++)
		move(&a->volumes[i], &kept);
	assert(kept + 1 == a->kept + size);
	a->fd = TAKE_FD(fd);
	return 0;
}

void arguments_clear(struct arguments *a)
{
	if (a->kept && a->fd >= 0)
		(void)close(a->fd);
	free(a->kept);
	*a = (struct arguments)ARGUMENTS_NONE;
}
