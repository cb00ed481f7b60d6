/* SPDX-License-Identifier: GPL-3.0-or-later */
/* When the state file (config.h) is written: at once, or once at the end of a turn. */
#pragma once

#include <stdbool.h>

#include "daemon/state/config.h"

struct saved_state {
	const char *dir; /* NULL: nothing is remembered */
	char *path;
	bool due;
};

/* @dir stays the caller's. -ENOMEM. */
int saved_state_init(struct saved_state *s, const char *dir);
void saved_state_clear(struct saved_state *s);

/* Logs failures. */
void saved_state_write(struct saved_state *s, const struct config *c);
/* By the next saved_state_flush(). */
void saved_state_later(struct saved_state *s);
void saved_state_flush(struct saved_state *s, const struct config *c);
