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
	CONFIG_RATE,          /* the same a second, as model/least-rate.h has it */
	CONFIG_TIME,          /* uint64_t, "50ms", in microseconds */
	CONFIG_BOOL,          /* bool */
	CONFIG_WINDOW,        /* of politeness.h, which reads it */
	CONFIG_DEADLINE,      /* the same */
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

/* Reads @value into the field. -EINVAL, -ERANGE, -EDOM (too little), -ENOMEM: it stays as it was.
 */
int config_row_set(const struct config_row *row, void *values, const char *value);

/* Is the field the allocated text of its struct? */
bool config_row_owns(const struct config_row *row);

/* Nothing of @c points to them any more. */
void config_forget_files(struct config *c);

/* Frees what @values own, and sets it to NULL. */
void config_rows_clear(const struct config_row *rows, void *values);

/* "" is NULL. -ENOMEM. */
int config_set_text(char **where, const char *value);

extern const struct config_row manager_config_rows[]; /* of struct config */
extern const struct config_row volume_config_rows[];  /* of struct volume_config */
extern const struct config_row politeness_rows[];     /* of its part of that name */

/* config-text.c */

/* An amount with the largest unit that makes it a whole number: "20M", "50ms". */
#define CONFIG_AMOUNT_TEXT 32
void config_amount_text(enum config_kind kind, uint64_t n, char text[static CONFIG_AMOUNT_TEXT]);
/* The value of the field, as a file would have it; "": none. The caller's to free. -ENOMEM. */
int config_row_text(const struct config_row *row, const void *values, char **ret);
/* Why @value is refused with @error, and what it may be. */
void config_row_hint(const struct config_row *row, int error, const char *value, char *text,
		     size_t size);

/* config-check.c */

/* Warns of settings that contradict each other. */
void config_check(struct config *c);
/* "FILE:LINE: ..." in the log; counted. */
void config_doubt(struct config *c, struct config_origin origin, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * A setting of a volume's section, or of the defaults where @v has no UUID. -ENOENT: there is none
 * of this name here.
 */
int volume_config_set(struct volume_config *v, const char *key, const char *value, bool state_file,
		      struct config_origin from);
/* The same of a setting of politeness.h. -E2BIG: one window too many. */
int volume_config_set_polite(struct volume_config *v, const char *key, const char *value,
			     struct config_origin from);

/* What @v leaves out is as in @defaults. -ENOMEM. */
int volume_config_inherit(struct volume_config *v, const struct volume_config *defaults);
