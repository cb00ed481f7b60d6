/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What the parts of the configuration share: the description of a setting, a row each.
 * config.c has the rows of [Manager], config-volume.c those of the sections for volumes.
 */
#pragma once

#include "daemon/state/config.h"

#define CONFIG_DAY (UINT64_C(86400) * 1000000) /* microseconds */

enum config_kind {
	CONFIG_TEXT,          /* char *, "" is NULL; one of the names, where there are names */
	CONFIG_PATH,          /* char *, absolute; "" is NULL */
	CONFIG_NAME,          /* an enum, as one of the names */
	CONFIG_NUMBER,        /* unsigned */
	CONFIG_NUMBER_OR_ANY, /* int, "any" is -1 */
	CONFIG_BYTES,         /* uint64_t, "64M" */
	CONFIG_TIME,          /* uint64_t, "50ms", in microseconds */
	CONFIG_BOOL,          /* bool */
	CONFIG_ON_EVENT,      /* char *, on-event.h; "" is NULL */
};

/* Where a setting of volumes may stand. */
enum config_scope {
	CONFIG_OF_ALL, /* [Volume], and [Volume UUID] instead */
	/* The same; an empty value in [Volume UUID] leaves it to [Volume]. */
	CONFIG_OF_ALL_UNLESS_EMPTY,
	CONFIG_OF_ONE,        /* [Volume UUID] only */
	CONFIG_OF_STATE_FILE, /* that in the state file only: nobody but the daemon says so */
};

struct config_row {
	const char *name; /* NULL ends a table */
	enum config_kind kind;
	size_t where, size;   /* bytes, in the struct */
	uint64_t least, most; /* of amounts; most 0: any */
	bool or_0;            /* below least, too */
	const char *const *names;
	unsigned n_names;
	enum config_scope scope;
};

/* The start of a row, for what only some have to follow. */
#define CONFIG_ROW(of, text, k, field)                                                             \
	.name = text, .kind = k, .where = offsetof(struct of, field),                              \
	.size = sizeof(((struct of *)NULL)->field)

/* NULL: no row has this name. */
const struct config_row *config_row_find(const struct config_row *rows, const char *name);

/* Reads @value into the field. -EINVAL, -ERANGE, -ENOMEM; the field stays as it was then. */
int config_row_set(const struct config_row *row, void *values, const char *value);

/* Is the field the allocated text of its struct? */
bool config_row_owns(const struct config_row *row);

/* Frees what @values own, and sets it to NULL. */
void config_rows_clear(const struct config_row *rows, void *values);

/* "" is NULL. -ENOMEM. */
int config_set_text(char **where, const char *value);

extern const struct config_row volume_config_rows[]; /* of struct volume_config */

/*
 * A setting of a volume's section, or of the defaults where @v has no UUID. -ENOENT: there is none
 * of this name here.
 */
int volume_config_set(struct volume_config *v, const char *key, const char *value, bool state_file);

/* What @v leaves out is as in @defaults. -ENOMEM. */
int volume_config_inherit(struct volume_config *v, const struct volume_config *defaults);
