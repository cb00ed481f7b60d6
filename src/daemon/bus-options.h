/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Dictionaries of options, a{sv}. A key that is not known, a value of another type or one that is
 * too long is refused: nobody shall believe that an option was obeyed which was not.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "daemon/failure.h"
#include "daemon/volume.h"

enum option_kind {
	OPTION_BUFFER, /* s, copied; size is that of the array */
	OPTION_TEXT,   /* s, a const char * into the message; size is the most it may have */
	OPTION_U32,    /* u */
	OPTION_U64,    /* t */
	OPTION_INT,    /* i */
	OPTION_BOOL,   /* b */
	OPTION_CHOICE, /* b, an enum choice */
	OPTION_TEXTS,  /* as, a NULL-terminated array of const char *; size is its length */
};

struct option_key {
	const char *key; /* NULL ends a table */
	enum option_kind kind;
	size_t where; /* in the struct */
	size_t size;
};

extern const struct option_key no_option_keys[];

/* Reads the dictionary that comes next in @m into @out. -EINVAL with the failure filled. */
int read_options(sd_bus_message *m, const struct option_key *keys, void *out, struct failure *f);

/* Those of Rotate(), Resume() and Cancel(). */
int read_rotate_options(sd_bus_message *m, struct rotate_options *out, struct failure *f);
int read_resume_options(sd_bus_message *m, struct resume_options *out, struct failure *f);
int read_cancel_options(sd_bus_message *m, struct run_choices *out, struct failure *f);

/* The reason of a suspension; a text of the message. */
int read_reason(sd_bus_message *m, struct failure *f, const char **ret);

/* Arguments in front of the options, as of sd_bus_message_read(). */
int read_arguments(sd_bus_message *m, struct failure *f, const char *types, ...);

/* "" and 0 are left out, as Rotate() was given them. */
int append_rotate_options(sd_bus_message *m, const struct rotate_options *o);
