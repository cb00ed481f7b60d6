/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/state/saved-state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "util/log.h"

int saved_state_init(struct saved_state *s, const char *dir)
{
	char *path = NULL;

	if (dir && asprintf(&path, "%s/state.conf", dir) < 0)
		return -ENOMEM;
	*s = (struct saved_state){.dir = dir, .path = path};
	return 0;
}

void saved_state_clear(struct saved_state *s)
{
	free(s->path);
	s->path = NULL;
}

void saved_state_write(struct saved_state *s, const struct config *c)
{
	s->due = false;
	if (!s->path)
		return;
	if (mkdir(s->dir, 0700) < 0 && errno != EEXIST)
		(void)log_error_errno(-errno, "%s: cannot be made", s->dir);
	else
		(void)config_write_state(c, s->path);
}

void saved_state_later(struct saved_state *s)
{
	s->due = true;
}

void saved_state_flush(struct saved_state *s, const struct config *c)
{
	if (s->due)
		saved_state_write(s, c);
}
