/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The settings of a rotation. One row describes each: its name, its kind, its field and who
 * receives it. The functions of settings-bus.h and settings-json.h work by such rows. All other
 * messages between manager and worker are described by rows, too: proto/messages.h.
 *
 *     caller -- Rotate(a{sv}) --> manager -- Prepare(a{sv}) --> worker
 *                                    '-- JSON --> the header's record
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "model/foreground.h"
#include "model/rotation.h"

enum setting_kind {
	SETTING_BUFFER, /* char[], "" is unset */
	SETTING_TEXT,   /* const char *, which belongs to somebody else */
	SETTING_OWNED,  /* char *, the caller's to free */
	SETTING_BYTES,  /* the same; the name of a file or key, which may be no valid text */
	SETTING_PATH,   /* the same; a path, in the form of util/path-text.h where it is no text */
	SETTING_U32,    /* uint32_t, 0 is unset */
	SETTING_U64,    /* uint64_t, 0 is unset */
	SETTING_INT,    /* int32_t, below 0 is unset */
	SETTING_BOOL,   /* bool, false is unset */
	SETTING_CHOICE, /* enum choice */
	SETTING_NAME,   /* an enum, as one of the names; a value without a name is unset */
	SETTING_BITS,   /* uint32_t, as the numbers of its bits; 0 is unset */
	SETTING_TEXTS,  /* const char *[], NULL-terminated */
	SETTING_LIST,   /* char **, NULL-terminated, the caller's to free */
};

/* Who receives a setting. A row that leaves this out is for all that its table is for. */
enum setting_place {
	SETTING_OF_CALLER = 1 << 0, /* Rotate(), Check(), Resume(), QueuedRotation */
	SETTING_OF_WORKER = 1 << 1, /* Prepare(), Check() of the worker */
	SETTING_OF_RUN = 1 << 2,    /* all of the worker that may convert */
	SETTING_OF_STATUS = 1 << 3, /* GetStatus() of the worker */
};

struct setting {
	const char *name; /* on the bus; NULL ends a table */
	enum setting_kind kind;
	size_t where; /* in the struct, bytes */
	size_t size;  /* of a buffer, the most that a text has, or how many texts or names */
	unsigned places;
	const char *json;         /* in the record; NULL: not there */
	const char *option;       /* of recryptctl, that says it; NULL: none */
	const char *const *names; /* of SETTING_NAME, by value; NULL: a value without a name */
	bool always; /* sent unset as well: the reader takes absence for something else */
};

extern const struct setting rotation_settings[];   /* of struct rotate_options, but for its run */
extern const struct setting choice_settings[];     /* of struct run_choices */
extern const struct setting run_settings[];        /* of struct run_options */
extern const struct setting resume_settings[];     /* of struct resume_options, but for its run */
extern const struct setting foreground_settings[]; /* of struct foreground_options */

/* Do both say the same? */
bool rotate_options_equal(const struct rotate_options *a, const struct rotate_options *b);

/* Frees what @values own by @rows, and sets it to NULL. */
void settings_clear(const struct setting *rows, void *values);
/* A value of SETTING_LIST; may be NULL. */
void settings_free_list(char **list);
