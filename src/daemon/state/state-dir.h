/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A file of the state directory with what is good to know and not needed for the work: a directory
 * that cannot be written, or a file that cannot be read, is logged and stops nothing.
 */
#pragma once

#include <stddef.h>

struct state_dir_file {
	const char *dir;  /* NULL: nothing is kept */
	const char *name; /* in it */
	const char *what; /* is lost without it, for the log */
	size_t max;       /* bytes of its text */
};

/* NULL: there is no file that can be read. The caller frees it. */
char *state_dir_read(const struct state_dir_file *file);

/* Durable on return. */
void state_dir_write(const struct state_dir_file *file, const char *text);

/* It cannot be understood: it is put aside as NAME.bad, for a person to look at. */
void state_dir_put_aside(const struct state_dir_file *file);
